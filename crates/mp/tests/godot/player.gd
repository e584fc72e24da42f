extends Node

var name_tag := ""
var health := 0
var place := Vector2.ZERO
