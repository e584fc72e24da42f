extends Node

## An answer to a request of this player.
signal answered(peer: int, request: int, price: int)

@rpc("any_peer") func price(request: int, item: String) -> void:
	price_answer.rpc_id(multiplayer.get_remote_sender_id(), request, item.length())

@rpc("any_peer") func price_answer(request: int, value: int) -> void:
	answered.emit(multiplayer.get_remote_sender_id(), request, value)
