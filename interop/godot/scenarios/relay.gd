extends "res://scenario.gd"
## Clients communicate through the server with RPCs and send_bytes, with every kind of target.
## Method ids: say 0, say_o 1, say_u 2.

const BIG := 60_000

var received: Array = []  ## calls of `say`: sender, tag, size
var bytes_received: Array = []  ## reliable `peer_packet`: from, bytes
var loose := {}  ## what has arrived of the unreliable ones: kind -> true


func wants_tap() -> bool:
	return true


func run() -> void:
	multiplayer.peer_packet.connect(_on_peer_packet)
	super()


func serve() -> void:
	await wait_for_all("said")
	for id: int in ids:
		check("calls of client %d on the server" % id, _from(received, id), [["all", 0], ["not you", 0]])
	desk.next.rpc("said")

	await wait_for_all("sent")
	for index in 2:
		check("the bytes of client %d" % index, _from(bytes_received, ids[index]), [[[1, index]], [[2, index]]])
	multiplayer.send_bytes(PackedByteArray([6]), 0, MultiplayerPeer.TRANSFER_MODE_RELIABLE, 0)
	multiplayer.send_bytes(PackedByteArray([7]), -ids[0], MultiplayerPeer.TRANSFER_MODE_RELIABLE, 0)
	multiplayer.send_bytes(PackedByteArray([8]), ids[0], MultiplayerPeer.TRANSFER_MODE_RELIABLE, 0)
	desk.next.rpc("sent")

	await wait_for_all("loose")
	check("unreliable packets at the server", loose, {})
	desk.next.rpc("loose")


func play() -> void:
	var reliable := MultiplayerPeer.TRANSFER_MODE_RELIABLE
	var index: int = main.options["index"]
	await until(func() -> bool: return other() in multiplayer.get_peers(), "the other client")
	say.rpc_id(other(), "one", PackedByteArray([1, 2, 3]))
	say.rpc_id(other(), "big", pattern(BIG, me() & 255))
	say.rpc("all", PackedByteArray())
	say.rpc_id(-other(), "not you", PackedByteArray())
	say.rpc_id(-1, "not server", PackedByteArray())
	await until(func() -> bool: return received.size() >= 4, "calls of the other")
	check("calls of the other", _from(received, other()), [["one", 3], ["big", BIG], ["all", 0], ["not server", 0]])
	await step("said")

	multiplayer.send_bytes(PackedByteArray([1, index]), 0, reliable, 2)
	multiplayer.send_bytes(PackedByteArray([2, index]), -other(), reliable, 2)
	multiplayer.send_bytes(PackedByteArray([3, index]), -1, reliable, 2)
	multiplayer.send_bytes(PackedByteArray([4, index]), other(), reliable, 2)
	await until(func() -> bool: return bytes_received.size() >= 3, "the bytes of the other")
	check("the bytes of the other", _from(bytes_received, other()), [[[1, 1 - index]], [[3, 1 - index]], [[4, 1 - index]]])
	# On the channel of `next`, so that the server's bytes are received before its call.
	desk.done.rpc_id(1, "sent")
	await wait_for_next("sent")
	check("the bytes of the server", _from(bytes_received, 1), [[[6]], [[8]]] if index == 0 else [[[6]], [[7]]])

	var send_loose := func() -> void:
		say_u.rpc_id(other(), "u")
		say_o.rpc_id(other(), "o")
		for letter: String in ["u", "o"]:
			multiplayer.send_bytes(PackedByteArray([5, MODES[letter]]), other(), MODES[letter], 3)
	await repeat_until(func() -> bool: return loose.size() == 4, "the other's unreliable packets", send_loose)
	desk.done.rpc_id(1, "loose")
	# The other client may still wait for packets of this one.
	await repeat_until(func() -> bool: return "loose" in desk.received_steps, "next loose", send_loose)


@rpc("any_peer", "call_remote", "reliable", 0)
func say(tag: String, data: PackedByteArray) -> void:
	check_arrival("say", MultiplayerPeer.TRANSFER_MODE_RELIABLE, 0)
	if tag == "big":
		check("the bytes of big", data == pattern(BIG, sender() & 255), true)
	received.append([sender(), tag, data.size()])


@rpc("any_peer", "call_remote", "unreliable_ordered", 2)
func say_o(tag: String) -> void:
	check("sender of " + tag, sender(), other())
	check_arrival("say_o", MODES["o"], 2)
	loose["say_" + tag] = true


@rpc("any_peer", "call_remote", "unreliable", 1)
func say_u(tag: String) -> void:
	check("sender of " + tag, sender(), other())
	check_arrival("say_u", MODES["u"], 1)
	loose["say_" + tag] = true


func _on_peer_packet(from: int, bytes: PackedByteArray) -> void:
	if bytes[0] == 5:
		check_arrival("unreliable bytes", bytes[1], 3)
		loose["bytes_%d" % bytes[1]] = true
	else:
		check_arrival("reliable bytes", MODES["r"], 2 if from != 1 else 0)
		bytes_received.append([from, Array(bytes)])


## Returns the entries of one peer, without its id.
func _from(list: Array, id: int) -> Array:
	return list.filter(func(entry: Array) -> bool: return entry[0] == id).map(
		func(entry: Array) -> Array: return entry.slice(1))
