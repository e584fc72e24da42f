extends Global

@rpc func more() -> void: pass
