extends "res://counter.gd"

@rpc("any_peer") func add(points: int, reason: String = "") -> void:
	pass

@rpc(
	"authority",
	"call_remote",
	"unreliable_ordered",
	2,
)
func shown(total: int, tags: PackedStringArray) -> void:
	pass
