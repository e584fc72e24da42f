extends MultiplayerSynchronizer
## Input of a player, sent to the server alone, which validates it.

var direction := Vector2.ZERO

func _enter_tree() -> void:
	set_visibility_for(1, true)
