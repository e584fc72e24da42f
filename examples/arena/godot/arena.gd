extends Node
## Counterpart of `Arena` in arena.rs, with the same method names. Methods of the server are
## declared here too, so that method ids agree.

signal answered(text: String)

# Methods of the server.

@rpc("any_peer")
func enter(_player: String) -> void:
	pass

# Methods of clients.

@rpc("authority")
func welcome(text: String) -> void:
	answered.emit(text)

@rpc("authority")
func refuse(why: String) -> void:
	answered.emit("refused: " + why)
