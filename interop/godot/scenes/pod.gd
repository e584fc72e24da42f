extends Node

var mass := 0
