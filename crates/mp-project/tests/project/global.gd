extends Node


@rpc
func announce(text: String) -> void:
	print(text)
