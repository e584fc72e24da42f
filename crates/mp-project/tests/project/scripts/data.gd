extends Resource

@rpc func unused() -> void: pass
