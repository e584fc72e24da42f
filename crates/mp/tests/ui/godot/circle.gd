extends "res://circle.gd"
