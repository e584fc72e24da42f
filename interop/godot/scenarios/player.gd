extends "res://scenario.gd"
## A property setter that gives the input of a player to its peer, at the spawn and when another
## peer takes over.

const PlayerScene := preload("res://scenes/player.tscn")
const Errors := preload("res://errors.gd")

## Error for data that the old owner sends before it notices the change.
const LATE_SYNC := "Ignoring sync data from non-authority"

var players: Node
var owners := {}  ## name -> who owned the input when the player was spawned
var errors := Errors.new()


func run() -> void:
	OS.add_logger(errors)
	players = Node.new()
	players.name = "Players"
	add_child(players)
	var spawner := MultiplayerSpawner.new()
	spawner.name = "Spawner"
	spawner.add_spawnable_scene("res://scenes/player.tscn")
	spawner.spawn_path = ^"../Players"
	add_child(spawner)
	spawner.spawned.connect(func(player: Node) -> void:
		owners[str(player.name)] = player.get_node("Input").get_multiplayer_authority())
	if is_server():
		add_player("Host", 1)
		act("Host", 9)
	super()


func serve() -> void:
	for index in 2:
		add_player("P%d" % index, ids[index])
	await wait_for_all("played")
	check("the players", states(), [[1, 9], [ids[0], 10], [ids[1], 11]])
	for index in 2:
		players.get_node("P%d" % index).player_id = ids[1 - index]
	desk.next.rpc("played")

	await wait_for_all("swapped")
	check("the players", states(), [[1, 9], [ids[1], 21], [ids[0], 20]])
	desk.next.rpc("swapped")
	check("errors", errors.others(LATE_SYNC), [])


func play() -> void:
	var mine: int = main.options["index"]
	await until(func() -> bool: return owners.size() == 3, "the players")
	check("owners when spawned", [owners["Host"], owners["P0"], owners["P1"]], [1, ids[0], ids[1]])
	act("P%d" % mine, 10 + mine)
	await reach([[1, 9], [ids[0], 10], [ids[1], 11]])
	await step("played")

	await until(func() -> bool: return input("P%d" % (1 - mine)).is_multiplayer_authority(), "the swap")
	act("P%d" % (1 - mine), 20 + mine)
	await reach([[1, 9], [ids[1], 21], [ids[0], 20]])
	await step("swapped")
	check("errors", errors.others(LATE_SYNC), [])


func add_player(its_name: String, id: int) -> void:
	var player := PlayerScene.instantiate()
	player.name = its_name
	player.player_id = id
	players.add_child(player)


func input(its_name: String) -> Node:
	return players.get_node(its_name + "/Input")


## Sets the input of a player.
func act(its_name: String, value: int) -> void:
	input(its_name).direction = Vector2(value, 0)
	input(its_name).jumps = value


func reach(wanted: Array) -> void:
	await until(func() -> bool: return states() == wanted, "the players as %s" % [wanted])


## Returns peer and input of each player: the number that direction and jumps agree on, or -1.
func states() -> Array:
	return ["Host", "P0", "P1"].map(func(its_name: String) -> Array:
		var player := players.get_node(its_name)
		var of_player := input(its_name)
		var agree: bool = of_player.direction == Vector2(of_player.jumps, 0)
		return [player.player_id, of_player.jumps if agree else -1])
