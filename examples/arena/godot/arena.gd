extends Node
## The other side of `Arena` in server.rs: the same methods by the same names. The server's are declared here too, so that
## both sides number them alike.

signal answered(text: String)

var position := Vector2.ZERO

# What the server does for us.

@rpc("any_peer")
func enter(_player: String) -> void:
	pass

@rpc("any_peer", "call_remote", "unreliable_ordered", 1)
func steer(_direction: Vector2) -> void:
	pass

# What the server tells us.

@rpc("authority")
func welcome(text: String) -> void:
	answered.emit(text)

@rpc("authority")
func refuse(why: String) -> void:
	answered.emit("refused: " + why)

@rpc("authority", "call_remote", "unreliable_ordered", 1)
func moved(peer: int, where: Vector2) -> void:
	if peer == multiplayer.get_unique_id():
		position = where
