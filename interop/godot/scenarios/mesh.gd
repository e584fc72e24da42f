extends "res://scenario.gd"
## Three peers, each connected to both others over WebRTC: calls and bytes go directly, and each
## peer notices when one leaves. Method ids: hail 0, hail_o 1, hail_u 2.

var hailed := {}  ## calls and bytes: peer id -> {tag: true}


func is_mesh() -> bool:
	return true


func wants_tap() -> bool:
	return true


func run() -> void:
	multiplayer.peer_packet.connect(_on_peer_packet)
	super()


func serve() -> void:
	var expected := ids.map(func(id: int) -> String: return "peer_connected(%d)" % id)
	check("the signals", sorted(seen), sorted(expected))
	await meet(ids)
	await wait_for_all("met")
	desk.next.rpc("met")
	may_leave = [ids[0]]
	desk.next.rpc_id(ids[0], "leave")
	await until(no_longer.bind(ids[0]), "the leaving of client 0")
	check("the peers left", Array(multiplayer.get_peers()), [ids[1]])
	ids = [ids[1]]


func play() -> void:
	await until(func() -> bool: return multiplayer.get_peers().size() == 2, "the other client")
	check("the peers", sorted(multiplayer.get_peers()), sorted([1, other()]))
	check("connected_to_server before peer_connected(1)", seen.find("connected_to_server") + 1, seen.find("peer_connected(1)"))
	check("the number of signals", seen.size(), 3)
	await meet([1, other()])
	desk.done.rpc_id(1, "met")
	# The others may still wait for calls of this one.
	var has_next := func() -> bool: return "met" in desk.received_steps
	await repeat_until(has_next, "next met", hail_unreliably.bind([1, other()]))
	if main.options["index"] == 0:
		await wait_for_next("leave")
		main.finish()
		await _never
	await until(no_longer.bind(other()), "the leaving of client 0")
	check("the peers left", Array(multiplayer.get_peers()), [1])


## Sends each kind of packet to `others`, until each of them has sent all to this peer.
func meet(others: Array) -> void:
	hail.rpc("all")
	for id: int in others:
		hail.rpc_id(id, "one")
		multiplayer.send_bytes(PackedByteArray([9]), id, MultiplayerPeer.TRANSFER_MODE_RELIABLE, 2)
	var expected := ["all", "bytes", "o", "one", "u"]
	await repeat_until(func() -> bool:
		return others.all(func(id: int) -> bool: return hailed.get(id, {}).size() == expected.size()),
		"calls and bytes of the others", hail_unreliably.bind(others))
	for id: int in others:
		check("what %d has sent" % id, sorted(hailed[id].keys()), expected)
	check("the senders", sorted(hailed.keys()), sorted(others))


func hail_unreliably(others: Array) -> void:
	for id: int in others:
		hail_o.rpc_id(id, "o")
		hail_u.rpc_id(id, "u")


func no_longer(id: int) -> bool:
	return "peer_disconnected(%d)" % id in seen


@rpc("any_peer", "call_remote", "reliable", 0)
func hail(tag: String) -> void:
	_note_hail(sender(), tag)


@rpc("any_peer", "call_remote", "unreliable_ordered", 0)
func hail_o(tag: String) -> void:
	_note_hail(sender(), tag)


@rpc("any_peer", "call_remote", "unreliable", 0)
func hail_u(tag: String) -> void:
	_note_hail(sender(), tag)


func _on_peer_packet(from: int, bytes: PackedByteArray) -> void:
	check("the bytes", Array(bytes), [9])
	_note_hail(from, "bytes")


## Relayed packets would come from peer 1.
func _note_hail(from: int, tag: String) -> void:
	check("transport's sender of " + tag, tap.sender, from)
	hailed.get_or_add(from, {})[tag] = true
