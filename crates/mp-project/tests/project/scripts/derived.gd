extends Base

func overridden(_a: int, _b := 2, _c := 3) -> void:
	pass


@rpc("unreliable_ordered")
func annotated(_x: Array[int], _y: Dictionary = {}) -> void:
	pass


@rpc
func added() -> void:
	pass
