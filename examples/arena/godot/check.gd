extends Node
## Plays without a user: checks the rules of the server, or walks in circles (--wander=SECONDS).

const SPEED_MAX := 120.0

@onready var main := get_parent()
@onready var arena := $"../Arena"

func _ready() -> void:
	$"../Spawner".spawned.connect(func(player: Node2D) -> void: print(player.title, " is at ", player.position))
	arena.enter.rpc_id(1, "")
	print(await arena.answered)
	arena.enter.rpc_id(1, main.options["name"])
	print(await arena.answered)
	var seconds := float(main.options["wander"])
	if seconds > 0.0:
		await wander(seconds)
		main.leave("wandered", 0)
	else:
		await speed()

func speed() -> void:
	var me: Node2D = main.own_player()
	print("steering faster than the speed limit")
	var started := Time.get_ticks_msec()
	me.get_node("Input").direction = Vector2(1000, 0)
	while me.position.x < SPEED_MAX and Time.get_ticks_msec() - started < 5000:
		await get_tree().process_frame
	var seconds := (Time.get_ticks_msec() - started) / 1000.0
	# 0.1 s of tolerance for the server's tick and the network.
	var farthest := SPEED_MAX * (seconds + 0.1)
	if me.position.x >= SPEED_MAX and me.position.x <= farthest:
		main.leave("the server enforced the speed limit", 0)
	else:
		main.leave("moved %.0f pixels in %.1f s" % [me.position.x, seconds], 1)

func wander(seconds: float) -> void:
	var input: Node = main.own_player().get_node("Input")
	var started := Time.get_ticks_msec()
	while Time.get_ticks_msec() - started < seconds * 1000.0:
		input.direction = Vector2.from_angle((Time.get_ticks_msec() - started) / 1000.0)
		await get_tree().process_frame
