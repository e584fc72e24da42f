extends Node
## The node of a player, who has authority over its input.

var input := 0


func _enter_tree() -> void:
	$Input.set_multiplayer_authority(name.to_int())


@rpc("any_peer", "unreliable_ordered")
func act(_number: int) -> void:
	pass
