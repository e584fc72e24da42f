extends Own

@rpc func outer() -> void: pass


class Own extends Base.Inner:
	@rpc func of_own() -> void: pass
