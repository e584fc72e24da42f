extends "base.gd".Inner

@rpc func outer() -> void: pass
