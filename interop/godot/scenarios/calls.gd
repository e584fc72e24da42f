extends "res://scenario.gd"
## RPCs with every kind of argument, argument list, mode and channel; permissions; calls that the
## receiver cannot execute. Method ids: both 0, many 1, mode_o0 2, mode_o2 3, mode_r0 4, mode_r2 5,
## mode_u0 6, mode_u2 7, none 8, order 9, raw 10, typed 11, value 12.

const Part := preload("res://scenarios/part.gd")
const Values := preload("res://values.gd")

## Calls that are answered with the same call, in order: node, method, arguments.
var shapes := [
	["", "none", []],
	["", "raw", [PackedByteArray([1, 2, 3])]],
	["", "raw", [pattern(3000, 5)]],
	["", "many", [1, "two", 3.5, Vector2(4, 4), [5], {"six": 6}, null, PackedByteArray([8])]],
	["", "typed", [
		Array(["Ann", "Bob"], TYPE_STRING, &"", null),
		Dictionary({"Ann": 30, "Bob": 40}, TYPE_STRING, &"", null, TYPE_INT, &"", null),
	]],
	["Deep/Deeper", "touch", [1]],
	["Deep/Deeper", "touch", [2]],
	["Plain", "budge", [3]],
	["Plain", "nudge", [4]],
	["Plain", "touch", [5]],
]
const MODE_METHODS := ["mode_u0", "mode_o0", "mode_r0", "mode_u2", "mode_o2", "mode_r2"]

var values := Values.list()
var received: Array = []  ## what was executed here, in order: node, method, arguments
var values_received: Array = []
var modes_received := {}
var answering := true  ## server: calls are answered with the same call


func wants_tap() -> bool:
	return true


func run() -> void:
	for path: String in ["Plain", "Deep", "Deep/Deeper", "Mine", "Odd", "ServerOnly" if is_server() else "Ghost"]:
		var node := Part.new()
		node.name = path.get_file()
		node.on_call = _on_call
		(get_node(path.get_base_dir()) if "/" in path else self as Node).add_child(node)
	$Plain.rpc_config("budge", Part.CONFIG)
	$Plain.rpc_config("nudge", Part.CONFIG)
	if not is_server():
		$Odd.rpc_config("budge", Part.CONFIG)
	if main.options["plant-fault"]:
		values[3] = "a planted fault"
	super()


func serve() -> void:
	var client: int = ids[0]
	$Mine.set_multiplayer_authority(client)
	check("the values", values_received, [])
	await wait_for_all("values")
	check("the values", values_received, values)
	desk.next.rpc("values")

	await wait_for_all("shapes")
	# A single PackedByteArray is sent without a type, so an empty one is no argument, and the
	# default is used.
	check("the shapes", received, shapes + [["", "raw", [PackedByteArray([9])]]])
	desk.next.rpc("shapes")

	await wait_for_all("modes")
	check("the modes", sorted(modes_received.keys()), sorted(MODE_METHODS))
	answering = false
	received = []
	desk.next.rpc("modes")

	await until(func() -> bool: return not received.is_empty(), "both by the client")
	check("both by the client", received, [["", "both", ["C", client]]])
	both.rpc("S")
	check("both by the server", received.slice(1), [["", "both", ["S", 1]]])
	await wait_for_all("both")
	received = []
	desk.next.rpc("both")

	await wait_for_all("orders")
	check("the orders", received, [["Mine", "order", ["mine"]]])
	received = []
	order.rpc_id(client, "yours")
	$Mine.order.rpc_id(client, "not yours")
	desk.next.rpc("orders")

	await wait_for_all("refused")
	check("executed calls", received, [["Odd", "touch", [2]], ["", "none", []]])
	$ServerOnly.touch.rpc_id(client, 1)
	rpc_id(client, "many", 1, 2)
	rpc_id(client, "typed", "no array", {})
	$ServerOnly.touch.rpc_id(client, 2)
	none.rpc_id(client)
	desk.next.rpc("refused")


func play() -> void:
	$Mine.set_multiplayer_authority(me())
	for k in values.size():
		value.rpc_id(1, k, values[k])
	await until(func() -> bool: return values_received.size() == values.size(), "the values to be returned")
	check("the values", values_received, values)
	await step("values")

	for shape: Array in shapes:
		_part(shape[0]).callv("rpc_id", [1, shape[1]] + shape[2])
	raw.rpc_id(1, PackedByteArray())
	await until(func() -> bool: return received.size() > shapes.size(), "the shapes to be returned")
	check("the shapes", received, shapes + [["", "raw", [PackedByteArray([9])]]])
	await step("shapes")

	await repeat_until(
		func() -> bool: return modes_received.size() == MODE_METHODS.size(), "a returned call of every mode and channel",
		func() -> void:
			for method: String in MODE_METHODS:
				rpc_id(1, method, 7))
	await step("modes")

	received = []
	both.rpc("C")
	check("local `both`", received, [["", "both", ["C", me()]]])
	await until(func() -> bool: return received.size() == 2, "both by the server")
	check("both by the server", received[1], ["", "both", ["S", 1]])
	await step("both")

	received = []
	order.rpc_id(1, "not mine")
	$Mine.order.rpc_id(1, "mine")
	await step("orders")
	check("the orders", received, [["", "order", ["yours"]]])

	received = []
	$Ghost.touch.rpc_id(1, 1)
	$Odd.budge.rpc_id(1, 1)
	rpc_id(1, "many", 1, 2)
	rpc_id(1, "typed", "no array", {})
	$Ghost.touch.rpc_id(1, 2)
	$Odd.touch.rpc_id(1, 2)
	none.rpc_id(1)
	await step("refused")
	check("executed calls", received, [["", "none", []]])


@rpc("any_peer", "call_remote", "reliable", 0)
func value(k: int, v: Variant) -> void:
	check("the number of value %d" % k, k, values_received.size())
	check("value %d" % k, v, values[k])
	values_received.append(v)
	if is_server():
		value.rpc_id(sender(), k, v)


@rpc("any_peer", "call_remote", "reliable", 0)
func none() -> void:
	_on_call(self, "none", [])


@rpc("any_peer", "call_remote", "reliable", 0)
func raw(bytes: PackedByteArray = PackedByteArray([9])) -> void:
	_on_call(self, "raw", [bytes])


@rpc("any_peer", "call_remote", "reliable", 0)
func many(a: Variant, b: Variant, c: Variant, d: Variant, e: Variant, f: Variant, g: Variant, h: Variant) -> void:
	_on_call(self, "many", [a, b, c, d, e, f, g, h])


@rpc("any_peer", "call_remote", "reliable", 0)
func typed(names: Array[String], ages: Dictionary[String, int]) -> void:
	_on_call(self, "typed", [names, ages])


@rpc("any_peer", "call_remote", "unreliable", 0)
func mode_u0(n: int) -> void:
	_on_mode_call("mode_u0", n)


@rpc("any_peer", "call_remote", "unreliable_ordered", 0)
func mode_o0(n: int) -> void:
	_on_mode_call("mode_o0", n)


@rpc("any_peer", "call_remote", "reliable", 0)
func mode_r0(n: int) -> void:
	_on_mode_call("mode_r0", n)


@rpc("any_peer", "call_remote", "unreliable", 2)
func mode_u2(n: int) -> void:
	_on_mode_call("mode_u2", n)


@rpc("any_peer", "call_remote", "unreliable_ordered", 2)
func mode_o2(n: int) -> void:
	_on_mode_call("mode_o2", n)


@rpc("any_peer", "call_remote", "reliable", 2)
func mode_r2(n: int) -> void:
	_on_mode_call("mode_r2", n)


@rpc("any_peer", "call_local", "reliable", 0)
func both(tag: String) -> void:
	received.append(["", "both", [tag, sender()]])


@rpc("authority", "call_remote", "reliable", 0)
func order(tag: String) -> void:
	_on_call(self, "order", [tag])


func _on_call(node: Node, method: String, arguments: Array) -> void:
	received.append([str(get_path_to(node)).trim_prefix("."), method, arguments])
	if is_server() and answering:
		node.callv("rpc_id", [sender(), method] + arguments)


func _on_mode_call(method: String, n: int) -> void:
	check("the argument of " + method, n, 7)
	check_arrival(method, MODES[method[5]], int(method[6]))
	modes_received[method] = true
	if is_server():
		rpc_id(sender(), method, n)


func _part(path: String) -> Node:
	return self if path == "" else get_node(path)
