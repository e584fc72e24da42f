extends "res://scenario.gd"
## Joining and leaving: signals on each side; all peers see the same ids.


func serve() -> void:
	check("two ids, not 1", ids.all(func(id: int) -> bool: return id > 1) and ids[0] != ids[1], true)
	check("the signals", sorted(seen), sorted(ids.map(func(id: int) -> String: return "peer_connected(%d)" % id)))
	await wait_for_all("met")
	may_leave = [ids[0]]
	desk.next.rpc_id(ids[0], "leave")
	await until(func() -> bool: return seen.size() == 3, "the leaving of client 0")
	check("the last signal", seen[2], "peer_disconnected(%d)" % ids[0])
	check("the peers left", Array(multiplayer.get_peers()), [ids[1]])
	ids = [ids[1]]


func play() -> void:
	await until(func() -> bool: return multiplayer.get_peers().size() == 2, "the other client")
	var expected := ["connected_to_server", "peer_connected(1)", "peer_connected(%d)" % other()]
	check("the signals", seen, expected)
	check("the peers", sorted(multiplayer.get_peers()), sorted([1, other()]))
	desk.done.rpc_id(1, "met")
	if main.options["index"] == 0:
		await wait_for_next("leave")
		main.finish()
		await _never
	await until(func() -> bool: return seen.size() == 4, "the leaving of client 0")
	check("the last signal", seen[3], "peer_disconnected(%d)" % other())
	check("the peers left", Array(multiplayer.get_peers()), [1])
