extends Node

var hp := 0
