extends Node
## A player: `hp` and `place` are of the server, `direction` is of the player. Prints what it
## receives.

var hp := 100:
	set(value):
		hp = value
		print("hp ", name, " ", hp)
var place := 0
var direction := 0


func _enter_tree() -> void:
	var main := get_node("/root/Main")
	set_multiplayer_authority(main.id_of(1))
	$Input.set_multiplayer_authority(main.id_of(name.to_int()))


func _ready() -> void:
	direction = 7 if $Input.is_multiplayer_authority() else 0
	print("player ", name)
	tree_exited.connect(func() -> void: print("removed ", name))


func _process(_delta: float) -> void:
	if is_multiplayer_authority() and direction != place:
		place = direction
		print("moves ", name)
	elif place == 7 and not has_meta("moved"):
		set_meta("moved", true)
		print("moved ", name)
	elif place == 9 and not has_meta("ran"):
		set_meta("ran", true)
		print("ran ", name)
