extends Node2D
## A player, named after the peer that is the authority of its input.

var title := ""

func _enter_tree() -> void:
	$Input.set_multiplayer_authority(str(name).to_int())
