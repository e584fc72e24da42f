extends SceneTree
## Plays the quick start of the guide: presses the key of --key=ACTION, and prints when both players
## have moved, each in the direction of its key.

const KEYS := {"ui_right": Vector2.RIGHT, "ui_down": Vector2.DOWN}
## Distance after which a player has moved, in pixels.
const DISTANCE := 30.0

var key := ""
## Position of each player when it was first seen, by name.
var starts := {}
var is_done := false

func _initialize() -> void:
	for arg in OS.get_cmdline_user_args():
		key = arg.trim_prefix("--key=")
	change_scene_to_file("res://main.tscn")

func _process(_delta: float) -> bool:
	var players := root.get_node_or_null("Main/Players")
	if players == null or players.get_child_count() < 2:
		return false
	Input.action_press(key)
	var moved := 0
	for player: Node2D in players.get_children():
		if not starts.has(player.name):
			starts[player.name] = player.position
			print("player %s is at %s" % [player.name, player.position])
		var direction: Vector2 = KEYS[key]
		if str(player.name) != str(get_multiplayer().get_unique_id()):
			direction = Vector2.ONE - direction # the other player presses the other key
		var way: Vector2 = player.position - starts[player.name]
		if way.length() > DISTANCE and way.normalized().dot(direction) > 0.99:
			moved += 1
	if moved == 2 and not is_done:
		is_done = true
		print("both players move")
	return false
