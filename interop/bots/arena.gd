extends Node
## Methods that players call on the server, and their answers.

@rpc("any_peer")
func ping(number: int, _position: Vector2, _name: String) -> void:
	get_parent().counts["pings"] += 1
	pong.rpc_id(multiplayer.get_remote_sender_id(), number)


@rpc("authority")
func pong(_number: int) -> void:
	get_parent().counts["pongs"] += 1


## A call to other players, which the server relays.
@rpc("any_peer", "unreliable_ordered", "call_remote", 1)
func shout(_text: String) -> void:
	get_parent().counts["shouts"] += 1
