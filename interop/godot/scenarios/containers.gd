extends "res://scenario.gd"
## Typed containers, transforms and components of values as properties: in spawn state, `always` and
## `on_change`, from the server and from the client.

const ChestScene := preload("res://scenes/chest.tscn")

var chests: Node
var mine: Node  ## the client's
var first: Array = []  ## what the server's chest was like when it was spawned


func run() -> void:
	chests = Node.new()
	chests.name = "Chests"
	add_child(chests)
	var spawner := MultiplayerSpawner.new()
	spawner.name = "Spawner"
	spawner.add_spawnable_scene("res://scenes/chest.tscn")
	spawner.spawn_path = ^"../Chests"
	add_child(spawner)
	spawner.spawned.connect(func(chest: Node) -> void: first = chest.state())
	mine = ChestScene.instantiate()
	mine.name = "Mine"
	add_child(mine)
	if is_server():
		var chest := ChestScene.instantiate()
		fill(chest)
		chests.add_child(chest)
	super()


func serve() -> void:
	mine.set_multiplayer_authority(ids[0])
	await wait_for_all("spawned")
	change(chests.get_node("Chest"))
	desk.next.rpc("spawned")

	await wait_for_all("changed")
	check("the server's chest", chests.get_node("Chest").state(), changed())
	desk.next.rpc("changed")

	# Properties that are never sent, and x of the frame, differ.
	await until(func() -> bool: return same(mine.state(), seen_of_mine()), "the client's chest")
	desk.next.rpc("mine")


func play() -> void:
	mine.set_multiplayer_authority(me())
	await until(func() -> bool: return not first.is_empty(), "the server's chest")
	check("the chest at first", first, spawned())
	await step("spawned")
	var seen_of_it := changed()
	seen_of_it[6] = Transform3D(Basis.IDENTITY, Vector3(0, 0, 4))
	await until(func() -> bool: return same(chests.get_node("Chest").state(), seen_of_it), "the changes")
	await step("changed")
	fill(mine)
	change(mine)
	await wait_for_next("mine")


func fill(chest: Node) -> void:
	chest.counts = [1, 2, 3] as Array[int]
	chest.ages = {"Ann": 30} as Dictionary[String, int]
	chest.raw = PackedByteArray([0, 1, 255])
	chest.names = ["a", "Grüße"] as Array[String]
	chest.place = Transform3D(Basis(Vector3(1, 2, 3), Vector3(4, 5, 6), Vector3(7, 8, 9)), Vector3(10, 11, 12))
	chest.position = Vector2(1.5, -2.5)
	chest.frame.origin = Vector3(1, 2, 3)


func change(chest: Node) -> void:
	chest.counts.append(4)
	chest.ages["Bob"] = 40
	chest.raw.append(7)
	chest.place.origin = Vector3(9, 8, 7)
	chest.position = Vector2(2.5, -3.5)
	chest.frame.origin.z = 4


## Returns the state of the server's chest after its spawn: without y of its position, and only with
## z of its frame's origin.
func spawned() -> Array:
	return [
		Array([1, 2, 3], TYPE_INT, &"", null),
		Dictionary({"Ann": 30}, TYPE_STRING, &"", null, TYPE_INT, &"", null),
		PackedByteArray([0, 1, 255]),
		Array(["a", "Grüße"], TYPE_STRING, &"", null),
		Transform3D(Basis(Vector3(1, 2, 3), Vector3(4, 5, 6), Vector3(7, 8, 9)), Vector3(10, 11, 12)),
		Vector2(1.5, 0),
		Transform3D(Basis.IDENTITY, Vector3(0, 0, 3)),
	]


## Returns the state of a filled and changed chest.
func changed() -> Array:
	return [
		Array([1, 2, 3, 4], TYPE_INT, &"", null),
		Dictionary({"Ann": 30, "Bob": 40}, TYPE_STRING, &"", null, TYPE_INT, &"", null),
		PackedByteArray([0, 1, 255, 7]),
		Array(["a", "Grüße"], TYPE_STRING, &"", null),
		Transform3D(Basis(Vector3(1, 2, 3), Vector3(4, 5, 6), Vector3(7, 8, 9)), Vector3(9, 8, 7)),
		Vector2(2.5, -3.5),
		Transform3D(Basis.IDENTITY, Vector3(1, 2, 4)),
	]


## Returns the expected state of the client's chest, which is part of the scene and never announced.
func seen_of_mine() -> Array:
	var state := changed()
	state[3] = Array([], TYPE_STRING, &"", null)
	state[6] = Transform3D(Basis.IDENTITY, Vector3(0, 0, 4))
	return state
