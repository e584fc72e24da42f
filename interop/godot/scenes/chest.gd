extends Node
## A node of every kind of property that is packed: typed containers, transforms, components. `chest.tscn` says how they travel.

var counts: Array[int] = []
var ages: Dictionary[String, int] = {}
var raw := PackedByteArray()
var names: Array[String] = []
var place := Transform3D()
var position := Vector2.ZERO
var frame := Transform3D()


## What it is like, for comparing.
func state() -> Array:
	return [counts, ages, raw, names, place, position, frame].duplicate(true)
