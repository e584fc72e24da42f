extends SceneTree
## Writes a pack: the first argument is its path, the others are `PATH=FILE`, a path below res:// and
## the file that has its contents.


func _initialize() -> void:
	var arguments := OS.get_cmdline_user_args()
	var packer := PCKPacker.new()
	var error := packer.pck_start(arguments[0])
	for argument in arguments.slice(1):
		var pair := argument.split("=", true, 1)
		if error == OK:
			error = packer.add_file("res://" + pair[0], pair[1])
	if error == OK:
		error = packer.flush()
	quit(error)
