extends "res://scenario.gd"
## Spawned nodes with spawners of their own, several synchronizers below one node, helms owned by
## clients, a radar visible to its owner only, and a client that joins late.

const Ship := preload("res://scenes/ship.gd")
const ShipScene := preload("res://scenes/ship.tscn")

var ships: Node
var spawner: MultiplayerSpawner
var states := {}  ## name -> what the ship was like when it was spawned


func run() -> void:
	ships = Node.new()
	ships.name = "Ships"
	add_child(ships)
	spawner = MultiplayerSpawner.new()
	spawner.name = "ShipSpawner"
	spawner.add_spawnable_scene("res://scenes/ship.tscn")
	spawner.spawn_path = ^"../Ships"
	add_child(spawner)
	spawner.spawned.connect(_on_spawned)
	spawner.despawned.connect(func(ship: Node) -> void: Ship.log.append("-" + ship.name))
	if is_server():
		launch(1, "flag", Vector2(1, 2), 10)
		load_pod(1, "P1", 3)
	super()


func serve() -> void:
	await wait_for_all("initial")
	for index in 2:
		launch(ids[index], "of %d" % index, Vector2(index, 0), 5)
		load_pod(ids[index], "Q%d" % index, index + 1)
		var radar: MultiplayerSynchronizer = ship(ids[index]).get_node("Radar")
		ship(ids[index]).secret = 100 + index
		radar.set_visibility_for(ids[index], true)
	desk.next.rpc("initial")

	await wait_for_all("sailing")
	await until(func() -> bool: return range(2).all(helm_is_set), "the helms")
	ship(1).fuel = 9
	ship(1).get_node("Bays/P1").mass = 4
	ship(1).get_node("Bays/P1/Lamp").lit = true
	ship(ids[0]).get_node("Bays/Q0").free()
	desk.next.rpc("sailing")

	await wait_for_all("changed")
	var before := ids
	may_leave = [before[1]]
	desk.reset()
	desk.joined[0] = before[0]
	desk.next.rpc_id(before[1], "leave")
	await until(func() -> bool: return "peer_disconnected(%d)" % before[1] in seen, "the leaving of client 1")
	ship(before[1]).free()
	await gather()
	await wait_for_all("late")
	desk.next.rpc("late")


func play() -> void:
	await until(func() -> bool: return Ship.log.size() == 2, "the flagship and its pod")
	check("spawns", Ship.log, ["+Ship_1", "+P1"])
	check("the flagship at first", states["Ship_1"], ["flag", Vector2(1, 2), 10, 0])
	check("its pod", pod_state(1, "P1"), [3, false])
	await step("initial")

	await until(func() -> bool: return Ship.log.size() == 6, "the ships and pods of the clients")
	check_parents_first(Ship.log)
	for index in 2:
		var id: int = ids[index]
		check("ship %d at first" % index, states["Ship_%d" % id], ["of %d" % index, Vector2(index, 0), 5, 0])
		check("its pod", pod_state(id, "Q%d" % index), [index + 1, false])
		check("authority of the ship", ship(id).get_multiplayer_authority(), 1)
		check("authority of its helm", ship(id).get_node("Helm").get_multiplayer_authority(), id)
	var mine: int = main.options["index"]
	var helm := ship(me()).get_node("Helm")
	helm.rudder = mine + 0.5
	helm.orders = ["go", mine]
	await until(func() -> bool: return helm_is_set(1 - mine), "the helm of the other")
	await until(func() -> bool: return ship(me()).secret == 100 + mine, "my radar")
	await step("sailing")

	await until(func() -> bool: return ship(1).fuel == 9 and pod_state(1, "P1") == [4, true], "the changes")
	await until(func() -> bool: return Ship.log.size() == 7, "the despawn of Q0")
	check("despawns", Ship.log[6], "-Q0")
	check("the radar of the other", ship(other()).secret, 0)
	desk.begin_ids = []
	desk.done.rpc_id(1, "changed")
	if mine == 1:
		await wait_for_next("leave")
		await come_back()
	else:
		await until(func() -> bool: return Ship.log.size() == 9, "the despawn of the other's ship")
		check("despawns", Ship.log.slice(7), ["-Q1", "-Ship_%d" % other()])
		await until(func() -> bool: return not desk.begin_ids.is_empty(), "begin again", JOIN_SECONDS)
		ids = desk.begin_ids
	await step("late")


func come_back() -> void:
	leave()
	await get_tree().process_frame
	await get_tree().process_frame
	check("ships after leaving", ships.get_child_count(), 0)
	Ship.log.clear()
	desk.reset()
	await enter()
	await until(func() -> bool: return Ship.log.size() >= 3, "all spawns")
	check_parents_first(Ship.log)
	check("spawns", sorted(Ship.log), sorted(["+Ship_1", "+P1", "+Ship_%d" % other()]))
	check("the flagship now", states["Ship_1"], ["flag", Vector2(1, 2), 9, 0])
	check("its pod now", pod_state(1, "P1"), [4, true])
	check("the other's ship now", states["Ship_%d" % other()], ["of 0", Vector2(0, 0), 5, 0])
	await until(func() -> bool: return helm_is_set(0), "the helm of the other")
	check("the radar of the other", ship(other()).secret, 0)


func launch(id: int, title: String, place: Vector2, fuel: int) -> void:
	var new := ShipScene.instantiate()
	new.name = "Ship_%d" % id
	new.title = title
	new.place = place
	new.fuel = fuel
	ships.add_child(new)


func load_pod(id: int, pod: String, mass: int) -> void:
	ship(id).get_node("BaySpawner").spawn({"name": pod, "mass": mass})


func ship(id: int) -> Node:
	return ships.get_node("Ship_%d" % id)


func pod_state(id: int, pod: String) -> Array:
	var node := ship(id).get_node("Bays/" + pod)
	return [node.mass, node.get_node("Lamp").lit]


func helm_is_set(index: int) -> bool:
	var helm := ship(ids[index]).get_node("Helm")
	return helm.rudder == index + 0.5 and helm.orders == ["go", index]


## Checks that ships are spawned before their pods: P1 is a pod of Ship_1, Q<index> of the ship of
## client `index`.
func check_parents_first(came: Array) -> void:
	for pod: String in came.filter(func(name_of: String) -> bool: return not name_of.contains("Ship")):
		var owner_id: int = 1 if pod == "+P1" else ids[int(pod.right(1))]
		var parent := came.find("+Ship_%d" % owner_id)
		check("%s is spawned after its ship in %s" % [pod, came], parent >= 0 and parent < came.find(pod), true)


func _on_spawned(node: Node) -> void:
	states[str(node.name)] = [node.title, node.place, node.fuel, node.secret]
	Ship.log.append("+" + node.name)
