extends Node
## Counterpart of `Arena` in arena.rs, with the same method names. Methods of the server are
## declared here too, so that method ids agree.

signal answered(text: String)

## Round-trip time to the server in milliseconds; -1 before the first answer.
var round_trip := -1

# Methods of the server.

@rpc("any_peer")
func enter(_player: String) -> void:
	pass

@rpc("any_peer", "unreliable")
func ping(_sent: int) -> void:
	pass

# Methods of clients.

@rpc("authority")
func welcome(text: String) -> void:
	answered.emit(text)

@rpc("authority")
func refuse(why: String) -> void:
	answered.emit("refused: " + why)

@rpc("authority", "unreliable")
func pong(sent: int) -> void:
	round_trip = Time.get_ticks_msec() - sent
