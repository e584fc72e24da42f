extends Parent

const Parent = preload("../scripts/inner.gd")


@rpc func more() -> void: pass
