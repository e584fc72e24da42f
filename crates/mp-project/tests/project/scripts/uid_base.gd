extends Node

@rpc("any_peer") func by_uid() -> void: pass
