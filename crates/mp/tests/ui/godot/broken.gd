extends Node

@rpc("anybody")
func add(points: int) -> void:
	pass
