extends Node
## A box of the server, which a function spawns, with items that a spawner in it spawns.

var label := ""


func _enter_tree() -> void:
	set_multiplayer_authority(get_node("/root/Main").id_of(1))


func _ready() -> void:
	print("box ", label)
	tree_exited.connect(func() -> void: print("removed ", label))
