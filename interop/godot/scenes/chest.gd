extends Node
## Properties of types with special encodings: typed containers, transforms, components.
## `chest.tscn` defines their replication.

var counts: Array[int] = []
var ages: Dictionary[String, int] = {}
var raw := PackedByteArray()
var names: Array[String] = []
var place := Transform3D()
var position := Vector2.ZERO
var frame := Transform3D()


## Returns the values for comparison.
func state() -> Array:
	return [counts, ages, raw, names, place, position, frame].duplicate(true)
