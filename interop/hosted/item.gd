extends Node
## An item in a box of the server. Its count is sent when it changes.

var count := 0:
	set(value):
		count = value
		print("item ", name, " ", count)


func _enter_tree() -> void:
	set_multiplayer_authority(get_node("/root/Main").id_of(1))
