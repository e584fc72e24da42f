extends Node2D
## A player, which the server moves as its client says.

var direction := Vector2.ZERO
var steps := 0


@rpc("any_peer", "unreliable_ordered")
func steer(to: Vector2) -> void:
	if multiplayer.get_remote_sender_id() == int(str(name)):
		direction = to
		steps += 1
		get_node("/root/Main").counts["steps"] += 1


func _physics_process(delta: float) -> void:
	if multiplayer.is_server():
		position += direction * delta
