extends "res://scenario.gd"
## A client that creates its level seconds after joining: earlier announcements and state for the
## level must not be lost.

const TankScene := preload("res://scenes/tank.tscn")
const Gun := preload("res://scenes/gun.gd")
const Errors := preload("res://errors.gd")
const LOADING_SECONDS := 4.5

var cannon: Node
var errors := Errors.new()


func run() -> void:
	OS.add_logger(errors)
	if is_server():
		add_level()
		cannon.aim = 5
		for index in 3:
			add_tank(index)
	super()


func serve() -> void:
	cannon.fire.rpc(1)
	await wait_for_all("loaded")
	add_tank(3)
	cannon.fire.rpc(2)
	desk.next.rpc("loaded")


func play() -> void:
	await pause(LOADING_SECONDS)
	add_level()
	await until(func() -> bool: return cannon.aim == 5, "the aim of the cannon")
	await until(func() -> bool: return range(3).all(has_tank), "the tanks")
	await step("loaded")
	await until(has_tank.bind(3), "the last tank")
	check("shots of the cannon", cannon.shots, [2])
	check("paths announced twice", errors.lines("Duplicate"), [])


func add_level() -> void:
	var level := Node.new()
	level.name = "Field"
	var units := Node.new()
	units.name = "Units"
	level.add_child(units)
	var spawner := MultiplayerSpawner.new()
	spawner.name = "Spawner"
	spawner.add_spawnable_scene("res://scenes/tank.tscn")
	spawner.spawn_path = ^"../Units"
	level.add_child(spawner)
	cannon = Gun.new()
	cannon.name = "Cannon"
	var sync := MultiplayerSynchronizer.new()
	sync.name = "Sync"
	sync.replication_config = SceneReplicationConfig.new()
	sync.replication_config.add_property(^".:aim")
	cannon.add_child(sync)
	level.add_child(cannon)
	add_child(level)


func add_tank(index: int) -> void:
	var tank := TankScene.instantiate()
	tank.name = "T%d" % index
	tank.health = 10 + index
	$Field/Units.add_child(tank)


func has_tank(index: int) -> bool:
	var tank := $Field/Units.get_node_or_null("T%d" % index)
	return tank != null and tank.health == 10 + index
