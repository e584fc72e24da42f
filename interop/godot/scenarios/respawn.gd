extends "res://scenario.gd"
## Calls in flight when their target is removed must not run on its successor of the same name.

const TankScene := preload("res://scenes/tank.tscn")

var units: Node
var deaths := 0  ## client


func run() -> void:
	units = Node.new()
	units.name = "Units"
	add_child(units)
	var spawner := MultiplayerSpawner.new()
	spawner.name = "Spawner"
	spawner.add_spawnable_scene("res://scenes/tank.tscn")
	spawner.spawn_path = ^"../Units"
	add_child(spawner)
	spawner.despawned.connect(func(_tank: Node) -> void: deaths += 1)
	if is_server():
		add_tanks(1)
	super()


func serve() -> void:
	await wait_for_all("aimed")
	check("shots before", shots(), [[1], []])
	desk.next.rpc("aimed")
	await wait_for_all("shooting")
	await pause(0.3)
	for tank in units.get_children():
		tank.free()
	await wait_for_all("shot")
	add_tanks(2)
	desk.next.rpc("shot")
	await wait_for_all("shot again")
	check("shots after", shots(), [[3], [3]])
	desk.next.rpc("shot again")


func play() -> void:
	await until(has_tanks.bind(1), "the tanks")
	gun("A").fire.rpc_id(1, 1)
	await step("aimed")
	desk.done.rpc_id(1, "shooting")
	await get_tree().process_frame
	await get_tree().process_frame
	# The server removes the tanks meanwhile; this client does not notice while it sleeps.
	OS.delay_msec(600)
	gun("A").fire.rpc_id(1, 2)
	gun("B").fire.rpc_id(1, 2)
	await until(func() -> bool: return deaths == 2, "the despawn of the tanks")
	await step("shot")
	await until(has_tanks.bind(2), "the tanks to respawn")
	gun("A").fire.rpc_id(1, 3)
	gun("B").fire.rpc_id(1, 3)
	await step("shot again")


func add_tanks(health: int) -> void:
	for name_of: String in ["A", "B"]:
		var tank := TankScene.instantiate()
		tank.name = name_of
		tank.health = health
		units.add_child(tank)


func has_tanks(health: int) -> bool:
	return ["A", "B"].all(func(name_of: String) -> bool:
		return units.has_node(name_of) and units.get_node(name_of).health == health)


func gun(tank: String) -> Node:
	return units.get_node(tank + "/Gun")


func shots() -> Array:
	return [gun("A").shots, gun("B").shots]
