extends "res://scenario.gd"
## A plain relay room: the server only forwards, without nodes and desk. Each client calls all
## others. Method ids: agreed 0, hail 1, hail_u 2.

const BIG := 50_000

var hailed := {}  ## peer -> received calls, in order: tag, size
var hailed_u := {}  ## peer -> true
var bytes_received := {}  ## peer -> true
var content := {}  ## peer -> true: it has got all of mine
var ready_peers := {}  ## server


func run() -> void:
	multiplayer.peer_packet.connect(_on_peer_packet)
	super()


func run_client() -> void:
	var count: int = main.options["peers"] - 1
	await connect_to_server()
	await until(func() -> bool: return _others().size() == count, "the other clients", JOIN_SECONDS)
	check("the first signals", seen.slice(0, 2), ["connected_to_server", "peer_connected(1)"])
	for id: int in _others():
		hail.rpc_id(id, "small", PackedByteArray([1, 2, 3]))
		hail.rpc_id(id, "big", pattern(BIG, me() & 255))
	hail.rpc("all", PackedByteArray())
	multiplayer.send_bytes(PackedByteArray([42]), 0, MultiplayerPeer.TRANSFER_MODE_RELIABLE, 0)
	await repeat_until(
		func() -> bool: return _others().all(_has_all_of), "all calls of the others",
		func() -> void: hail_u.rpc("unreliable"))
	for id: int in _others():
		check("calls of %d" % id, hailed[id], [["small", 3], ["big", BIG], ["all", 0]])
	agreed.rpc()
	await repeat_until(
		func() -> bool: return content.size() == count, "the others to have received all calls",
		func() -> void: hail_u.rpc("unreliable"))
	if main.options["expect-close"]:
		may_lose_server = true
		# For a Godot server, which then closes. A relay room drops packets for itself.
		multiplayer.send_bytes(PackedByteArray([0]), 1, MultiplayerPeer.TRANSFER_MODE_RELIABLE, 0)
		main.say({"event": "ready_for_close"})
		await until(func() -> bool: return "server_disconnected" in seen, "server_disconnected", JOIN_SECONDS)
		check("peer_disconnected(1) before server_disconnected", "peer_disconnected(1)" in seen, true)
	else:
		# Leaving at once could drop packets in flight.
		await pause(0.5)
	main.finish()


## Plays a Godot server, to test the clients without mp. It closes when all clients are ready.
func run_server() -> void:
	if not await listen():
		return
	await until(func() -> bool: return ready_peers.size() == main.options["peers"], "the clients to be ready", JOIN_SECONDS)
	main.finish()


@rpc("any_peer", "call_remote", "reliable", 0)
func agreed() -> void:
	content[sender()] = true


@rpc("any_peer", "call_remote", "reliable", 0)
func hail(tag: String, data: PackedByteArray) -> void:
	if tag == "big":
		check("the bytes of big", data == pattern(BIG, sender() & 255), true)
	hailed.get_or_add(sender(), []).append([tag, data.size()])


@rpc("any_peer", "call_remote", "unreliable", 1)
func hail_u(_tag: String) -> void:
	hailed_u[sender()] = true


func _others() -> Array:
	return Array(multiplayer.get_peers()).filter(func(id: int) -> bool: return id != 1)


func _has_all_of(id: int) -> bool:
	return hailed.get(id, []).size() >= 3 and hailed_u.has(id) and bytes_received.has(id)


func _on_peer_packet(from: int, bytes: PackedByteArray) -> void:
	if bytes == PackedByteArray([0]):
		ready_peers[from] = true
	else:
		check("the bytes of %d" % from, bytes, PackedByteArray([42]))
		bytes_received[from] = true
