extends "res://scenario.gd"
## A gun is dropped, and another one takes its place: the unit's synchronizer follows the path.

const Unit := preload("res://scenes/unit.gd")
const Gun := preload("res://scenes/gun.gd")

var unit: Node


func run() -> void:
	unit = Unit.new()
	unit.name = "Unit"
	add_child(unit)
	var hand := Node.new()
	hand.name = "Hand"
	unit.add_child(hand)
	take_gun()
	var sync := MultiplayerSynchronizer.new()
	sync.name = "Sync"
	sync.replication_config = SceneReplicationConfig.new()
	add_property(sync, ^"Hand/Gun:ammo", SceneReplicationConfig.REPLICATION_MODE_ON_CHANGE)
	add_property(sync, ^".:health", SceneReplicationConfig.REPLICATION_MODE_ON_CHANGE)
	add_property(sync, ^".:armour", SceneReplicationConfig.REPLICATION_MODE_ON_CHANGE)
	unit.add_child(sync)
	var aim_sync := MultiplayerSynchronizer.new()
	aim_sync.name = "AimSync"
	aim_sync.replication_config = SceneReplicationConfig.new()
	add_property(aim_sync, ^"Hand/Gun:aim", SceneReplicationConfig.REPLICATION_MODE_ALWAYS)
	unit.add_child(aim_sync)
	super()


func serve() -> void:
	change_gun(3, 30)
	await wait_for_all("armed")
	drop_gun()
	desk.next.rpc("armed")

	await wait_for_all("dropped")
	unit.health = 9
	unit.armour = 8
	desk.next.rpc("dropped")

	await wait_for_all("rearmed")
	take_gun()
	change_gun(4, 40)
	$Gun.ammo = 7
	$Gun.aim = 70
	desk.next.rpc("rearmed")


func play() -> void:
	await until(func() -> bool: return state("Unit/Hand/Gun") == [3, 30], "the gun")
	await step("armed")
	drop_gun()
	await step("dropped")
	await until(func() -> bool: return [unit.health, unit.armour] == [9, 8], "the unit without a gun")
	take_gun()
	await step("rearmed")
	await until(func() -> bool: return state("Unit/Hand/Gun") == [4, 40], "the other gun")
	check("the gun on the ground", state("Gun"), [3, 30])


func take_gun() -> void:
	var gun := Gun.new()
	gun.name = "Gun"
	unit.get_node("Hand").add_child(gun)


func drop_gun() -> void:
	unit.get_node("Hand/Gun").reparent(self)


func change_gun(ammo: int, aim: int) -> void:
	unit.get_node("Hand/Gun").ammo = ammo
	unit.get_node("Hand/Gun").aim = aim


func state(path: String) -> Array:
	return [get_node(path).ammo, get_node(path).aim]


func add_property(sync: MultiplayerSynchronizer, path: NodePath, mode: int) -> void:
	sync.replication_config.add_property(path)
	sync.replication_config.property_set_spawn(path, true)
	sync.replication_config.property_set_replication_mode(path, mode)
