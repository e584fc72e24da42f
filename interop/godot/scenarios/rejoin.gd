extends "res://scenario.gd"
## A client leaves and rejoins in the same process with a new id; then the server closes.

const TIMEOUT_MSEC := 300_000


func serve() -> void:
	await wait_for_all("settled")
	var before := ids
	may_leave = [before[1]]
	desk.reset()
	desk.joined[0] = before[0]
	desk.next.rpc_id(before[1], "leave")
	await until(func() -> bool: return "peer_disconnected(%d)" % before[1] in seen, "the leaving of client 1")
	await gather()
	check("client 0 has kept its id", ids[0], before[0])
	check("client 1 has a new id", ids[1] == before[1], false)
	await wait_for_all("settled again")
	var connected := [before[0], before[1]].map(func(id: int) -> String: return "peer_connected(%d)" % id)
	check("the signals", sorted(seen.slice(0, 2)), sorted(connected))
	check("the signals afterwards", seen.slice(2),
		["peer_disconnected(%d)" % before[1], "peer_connected(%d)" % ids[1]])
	desk.next.rpc("closing")
	await pause(0.3)
	main.finish()
	await _never


func play() -> void:
	await _settle()
	var before := ids
	desk.begin_ids = []
	desk.done.rpc_id(1, "settled")
	if main.options["index"] == 1:
		await wait_for_next("leave")
		var old_id := me()
		leave()
		desk.reset()
		await get_tree().process_frame
		await enter()
		check("a new id", me() == old_id, false)
	else:
		await until(func() -> bool: return not desk.begin_ids.is_empty(), "begin again", JOIN_SECONDS)
		ids = desk.begin_ids
		await until(func() -> bool: return seen.size() == 5, "the return of client 1")
		check("the signals", seen.slice(2), [
			"peer_connected(%d)" % before[1],
			"peer_disconnected(%d)" % before[1],
			"peer_connected(%d)" % ids[1],
		])
	await _settle()
	var signals := seen.size()
	desk.done.rpc_id(1, "settled again")
	await wait_for_next("closing")
	may_lose_server = true
	if multiplayer.multiplayer_peer is ENetMultiplayerPeer:
		# The disconnect itself must be received: the timeout is longer than the wait for it.
		multiplayer.multiplayer_peer.get_peer(1).set_timeout(0, TIMEOUT_MSEC, TIMEOUT_MSEC)
	await until(func() -> bool: return "server_disconnected" in seen, "server_disconnected")
	# Godot may report the disconnect of the other client, too.
	var last := seen.slice(signals).filter(
		func(what: String) -> bool: return what != "peer_disconnected(%d)" % other())
	check("the last signals", last, ["peer_disconnected(1)", "server_disconnected"])
	check("the peers left", Array(multiplayer.get_peers()), [])
	main.finish()
	await _never


func _settle() -> void:
	await until(
		func() -> bool: return sorted(multiplayer.get_peers()) == sorted([1, other()]), "the server and the other client")
