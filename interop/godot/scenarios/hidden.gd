extends "res://scenario.gd"
## A soldier that is hidden from one client. Calls and synchronizers of the gun below it must not be
## sent to this client until the soldier is visible again.

const SoldierScene := preload("res://scenes/soldier.tscn")

var units: Node
var went := false  ## client


func run() -> void:
	units = Node.new()
	units.name = "Units"
	add_child(units)
	var spawner := MultiplayerSpawner.new()
	spawner.name = "Spawner"
	spawner.add_spawnable_scene("res://scenes/soldier.tscn")
	spawner.spawn_path = ^"../Units"
	add_child(spawner)
	spawner.despawned.connect(func(_soldier: Node) -> void: went = true)
	super()


func serve() -> void:
	var soldier := SoldierScene.instantiate()
	soldier.health = 7
	soldier.get_node("Sync").set_visibility_for(ids[0], true)
	soldier.get_node("Sync").set_visibility_for(ids[1], true)
	units.add_child(soldier)
	change_gun(1)
	await wait_for_all("seen")
	soldier.get_node("Sync").set_visibility_for(ids[1], false)
	desk.next.rpc("seen")

	await wait_for_all("hidden")
	for n in range(2, 12):
		change_gun(n)
		gun().fire.rpc(n)
		await pause(0.05)
	desk.next.rpc("hidden")

	await wait_for_all("fought")
	soldier.health = 8
	soldier.get_node("Sync").set_visibility_for(ids[1], true)
	desk.next.rpc("fought")
	await wait_for_all("shown")
	gun().fire.rpc(12)
	desk.next.rpc("shown")


func play() -> void:
	var is_hidden_from: bool = main.options["index"] == 1
	await until(func() -> bool: return has_soldier() and [gun().aim, gun().ammo] == [1, 1], "the soldier")
	await step("seen")
	if is_hidden_from:
		await until(func() -> bool: return went, "the despawn of the soldier")
	await step("hidden")
	if not is_hidden_from:
		await until(func() -> bool: return [gun().aim, gun().ammo] == [11, 11], "the aim of its gun")
		check("its shots", gun().shots, range(2, 12))
	await step("fought")
	await until(func() -> bool: return has_soldier() and units.get_node("Soldier").health == 8, "the soldier to respawn")
	await until(func() -> bool: return gun().aim == 11, "the aim of its gun")
	await step("shown")
	await until(func() -> bool: return 12 in gun().shots, "the last shot")
	check("all shots", gun().shots, [12] if is_hidden_from else range(2, 13))


func change_gun(n: int) -> void:
	gun().aim = n
	gun().ammo = n


func gun() -> Node:
	return units.get_node("Soldier/Gun")


func has_soldier() -> bool:
	return units.has_node("Soldier")
