extends Node
## The other side of `Arena` in arena.rs: the same methods by the same names. The server's are declared here too, so that
## both sides number them alike.

signal answered(text: String)

# What the server does for us.

@rpc("any_peer")
func enter(_player: String) -> void:
	pass

# What the server tells us.

@rpc("authority")
func welcome(text: String) -> void:
	answered.emit(text)

@rpc("authority")
func refuse(why: String) -> void:
	answered.emit("refused: " + why)
