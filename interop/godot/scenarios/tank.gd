extends "res://scenario.gd"
## A spawned unit whose gun has a synchronizer of its own, which precedes both of the unit.

const TankScene := preload("res://scenes/tank.tscn")

var units: Node
var first: Array = []  ## client: the tank at `spawned`


func run() -> void:
	units = Node.new()
	units.name = "Units"
	add_child(units)
	var spawner := MultiplayerSpawner.new()
	spawner.name = "Spawner"
	spawner.add_spawnable_scene("res://scenes/tank.tscn")
	spawner.spawn_path = ^"../Units"
	add_child(spawner)
	spawner.spawned.connect(func(_tank: Node) -> void: first = state())
	if is_server():
		units.add_child(TankScene.instantiate())
		change(7, 2, 300)
	super()


func serve() -> void:
	await wait_for_all("spawned")
	change(8, 3, 400)
	desk.next.rpc("spawned")


func play() -> void:
	await until(func() -> bool: return not first.is_empty(), "the tank")
	check("the tank at first", first, [7, 2, 0])
	await until(func() -> bool: return state() == [7, 2, 300], "its aim")
	await step("spawned")
	await until(func() -> bool: return state() == [8, 3, 400], "the changes")


func change(health: int, armour: int, aim: int) -> void:
	var tank := units.get_node("Tank")
	tank.health = health
	tank.armour = armour
	tank.get_node("Gun").aim = aim


func state() -> Array:
	var tank := units.get_node("Tank")
	return [tank.health, tank.armour, tank.get_node("Gun").aim]
