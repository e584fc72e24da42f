extends Node

var lit := false
