extends Node2D
## A player is named after its peer, who has authority over its input.

var title := ""

func _enter_tree() -> void:
	$Input.set_multiplayer_authority(str(name).to_int())
