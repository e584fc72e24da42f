extends "res://scenario.gd"
## ENet without SceneMultiplayer and desk: packet flags, statistics, every kind of disconnect with a
## number.

const CHANNELS := 4
const HOWS := 3  ## peer_disconnect, peer_disconnect_now, peer_disconnect_later
const THROTTLE := [2000, 3, 4]
const ECHO := 2  ## the channel of packets that come back

var host: ENetConnection
var peer: ENetPacketPeer
var is_exchanging := false
var events: Array = []  ## what was not looked at: [type, data], or [type, channel, flags, bytes]


func run_server() -> void:
	host = ENetConnection.new()
	var port: int = main.options["port"]
	var error := host.create_host_bound("127.0.0.1", port, 2, CHANNELS)
	if error != OK:
		main.say({"event": "listen_failed", "port": port, "error": error_string(error)})
		main.finish("cannot listen on port %d: %s" % [port, error_string(error)])
		return
	_compress()
	main.say({"event": "listening", "transport": "enet", "port": port, "scenario": main.options["scenario"]})
	for number in 2 * HOWS:
		check("the greeting", await _next(ENetConnection.EVENT_CONNECT), 100 + number)
		await _echo_until_ready()
		if number % 2 == 0:
			await _end(number)
		else:
			_send(0, 1, PackedByteArray([98]))
			await _ended(number)
	main.finish()


func run_client() -> void:
	for number in 2 * HOWS:
		await _meet(100 + number)
		if number == 0:
			await _compare_statistics()
		await _exchange(number)
		_send(0, 1, PackedByteArray([99]))
		if number % 2 == 0:
			await _ended(number)
		else:
			check("the answer", (await _next(ENetConnection.EVENT_RECEIVE))[2], PackedByteArray([98]))
			await _end(number)
		host.destroy()
		host = null
	main.finish()


## Client: connects with a number. Retries until the server listens.
func _meet(data: int) -> void:
	host = ENetConnection.new()
	check("create_host", host.create_host(1, CHANNELS), OK)
	_compress()
	peer = host.connect_to_host(main.options["host"], main.options["port"], CHANNELS, data)
	check("the server's greeting", await _next(ENetConnection.EVENT_CONNECT), 0)
	check("the state", peer.get_state(), ENetPacketPeer.STATE_CONNECTED)
	check("the channels", peer.get_channels(), CHANNELS)


## Client: checks that packets of every kind are echoed unchanged.
func _exchange(number: int) -> void:
	is_exchanging = true
	for flags: int in [1, 0, 2, 8]:
		for size: int in [5, 5000]:
			await _echoed(flags, pattern(size, number + flags))
	is_exchanging = false


## Client: sends a packet, and waits for its echo. Repeats an unreliable one.
func _echoed(flags: int, bytes: PackedByteArray) -> void:
	var is_large := bytes.size() > 1364
	# Fragmented packets are reliable unless flagged otherwise.
	var is_reliable := flags == 1 or (is_large and flags != 8)
	var arrives := flags
	if is_reliable:
		arrives = 1
	elif flags == 8 and not is_large:
		arrives = 0
	var state := {"sent": false, "came": false}
	await repeat_until(
		func() -> bool:
			_service()
			for event: Array in events:
				check("an event", event[0], ENetConnection.EVENT_RECEIVE)
				if event[3] == bytes:
					check("channel and flags", [event[1], event[2]], [ECHO, arrives])
					state["came"] = true
			events.clear()
			return state["came"],
		"the echo of %d bytes with flags %d" % [bytes.size(), flags],
		func() -> void:
			if not (is_reliable and state["sent"]):
				_send(ECHO, flags, bytes)
				state["sent"] = true)


## Server: echoes packets, except control messages.
func _echo_until_ready() -> void:
	while true:
		var event: Array = await _next(ENetConnection.EVENT_RECEIVE)
		if event[2] == PackedByteArray([99]):
			return
		if event[2] == PackedByteArray([97]):
			_check_throttle()
			_send(0, 1, PackedByteArray([96]))
		else:
			_send(event[0], event[1], event[2])


func _check_throttle() -> void:
	var known := [
		int(peer.get_statistic(ENetPacketPeer.PEER_PACKET_THROTTLE_INTERVAL)),
		int(peer.get_statistic(ENetPacketPeer.PEER_PACKET_THROTTLE_ACCELERATION)),
		int(peer.get_statistic(ENetPacketPeer.PEER_PACKET_THROTTLE_DECELERATION)),
	]
	check("the throttle's parameters", known, THROTTLE)


## Client: compares statistics, and throttle parameters on both sides.
func _compare_statistics() -> void:
	peer.throttle_configure(THROTTLE[0], THROTTLE[1], THROTTLE[2])
	peer.ping()
	await until(
		func() -> bool:
			_service()
			return peer.get_statistic(ENetPacketPeer.PEER_ROUND_TRIP_TIME) != 500,
		"a round trip")
	check("a round trip", peer.get_statistic(ENetPacketPeer.PEER_ROUND_TRIP_TIME) < 500, true)
	check("the throttle", peer.get_statistic(ENetPacketPeer.PEER_PACKET_THROTTLE), 32.0)
	check("the loss", peer.get_statistic(ENetPacketPeer.PEER_PACKET_LOSS), 0.0)
	check("datagrams", host.pop_statistic(ENetConnection.HOST_TOTAL_SENT_PACKETS) > 0, true)
	check("datagrams since", host.pop_statistic(ENetConnection.HOST_TOTAL_SENT_PACKETS), 0.0)
	_check_throttle()
	_send(0, 1, PackedByteArray([97]))
	check("the answer", (await _next(ENetConnection.EVENT_RECEIVE))[2], PackedByteArray([96]))


## Ends the connection with the disconnect of this round.
func _end(number: int) -> void:
	match number / 2:
		0:
			peer.peer_disconnect(40 + number)
		1:
			peer.peer_disconnect_now(40 + number)
			host.flush()
			await pause(0.1)
			return
		2:
			_send(0, 1, pattern(100_000, number))
			peer.peer_disconnect_later(40 + number)
	check("the local disconnect", await _next(ENetConnection.EVENT_DISCONNECT), 0)


## Waits for the remote peer's disconnect of this round.
func _ended(number: int) -> void:
	if number / 2 == 2:
		check("the last packet", (await _next(ENetConnection.EVENT_RECEIVE))[2], pattern(100_000, number))
	check("the number of the disconnect", await _next(ENetConnection.EVENT_DISCONNECT), 40 + number)


func leave() -> void:
	if host:
		host.destroy()
		host = null
	super.leave()


func _compress() -> void:
	host.compress(["none", "range", "fastlz", "zlib", "zstd"].find(main.options["compression"]))


func _send(channel: int, flags: int, bytes: PackedByteArray) -> void:
	check("send", peer.send(channel, bytes, flags), OK)


## Waits for the next event, which must have this type. Returns its number, or [channel, flags,
## bytes] of a packet.
func _next(type: int) -> Variant:
	await until(func() -> bool:
		_service()
		return not events.is_empty(), "an event of type %d" % type, JOIN_SECONDS)
	var event: Array = events.pop_front()
	check("the type of event", event[0], type)
	return event[1] if event.size() == 2 else event.slice(1)


func _service() -> void:
	while true:
		var event := host.service()
		match event[0]:
			ENetConnection.EVENT_NONE:
				return
			ENetConnection.EVENT_RECEIVE:
				var flags: int = event[1].get_packet_flags()
				var bytes: PackedByteArray = event[1].get_packet()
				# Echoes of repeated packets may be received late.
				if is_server() or is_exchanging or event[3] != ECHO:
					events.append([event[0], event[3], flags, bytes])
			ENetConnection.EVENT_ERROR:
				fail("ENet's service returned an error")
				return
			_:
				if event[0] == ENetConnection.EVENT_CONNECT:
					peer = event[1]
				events.append([event[0], event[2]])
