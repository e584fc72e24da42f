extends Node
## A node that no spawner announces: the room adds one of the same name. The player has authority
## over it, and sends it to the room alone.

## Sent always: the number of frames.
var beats := 0
## Sent on change: another value in each room.
var mood := 0
## Sent on change: never changes.
var team := 7


func _enter_tree() -> void:
	set_multiplayer_authority(name.to_int())
	$Sync.set_visibility_for(1, true)


func _process(_delta: float) -> void:
	beats += 1
