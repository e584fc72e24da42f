extends "res://scenario.gd"
## Heavy traffic: ordered reliable calls on two channels, a packet of 300 KB, bursts of unreliable
## calls. First from the client, then from the server. Method ids: count 0, count2 1, lump 2,
## spray_o 3, spray_u 4.

const COUNT := 1000
const LUMP := 300_000
const WEBRTC_LUMP := 60_000  ## what a web client receives over WebRTC
const ENOUGH := 100
const PAD := 300

var next_count := 0
var next_count2 := 0
var lumps := 0
var ordered: Array = []
var unordered := {}


func serve() -> void:
	await wait_for_all("sent")
	await _check_reliable()
	_send_reliable(ids[0])
	await wait_for_all("received")

	desk.next.rpc("spray")
	await until(_sprayed_enough, "enough unreliable calls")
	desk.next.rpc("enough")
	await wait_for_all("spray")
	await _spray_until(ids[0], func() -> bool: return desk.all_done("enough", ids))


func play() -> void:
	_send_reliable(1)
	desk.done.rpc_id(1, "sent")
	await _check_reliable()
	desk.done.rpc_id(1, "received")

	await wait_for_next("spray")
	await _spray_until(1, func() -> bool: return "enough" in desk.received_steps)
	desk.done.rpc_id(1, "spray")
	await until(_sprayed_enough, "enough unreliable calls")
	desk.done.rpc_id(1, "enough")


@rpc("any_peer", "call_remote", "reliable", 0)
func count(n: int) -> void:
	check("count", n, next_count)
	next_count += 1


@rpc("any_peer", "call_remote", "reliable", 2)
func count2(n: int) -> void:
	check("count2", n, next_count2)
	next_count2 += 1


@rpc("any_peer", "call_remote", "reliable", 0)
func lump(data: PackedByteArray) -> void:
	check("calls of count before the lump", next_count, COUNT)
	check("the lump", data == pattern(_lump_size(), 1 if is_server() else 2), true)
	lumps += 1


@rpc("any_peer", "call_remote", "unreliable_ordered", 1)
func spray_o(n: int, pad: PackedByteArray) -> void:
	check("the padding", pad.size(), PAD)
	check("spray_o %d is newer than those before" % n, ordered.is_empty() or n > ordered.back(), true)
	ordered.append(n)


@rpc("any_peer", "call_remote", "unreliable", 1)
func spray_u(n: int, pad: PackedByteArray) -> void:
	check("the padding", pad.size(), PAD)
	check("spray_u %d was received before" % n, unordered.has(n), false)
	unordered[n] = true


func _send_reliable(to: int) -> void:
	for n in COUNT:
		count.rpc_id(to, n)
		count2.rpc_id(to, n)
	lump.rpc_id(to, pattern(_lump_size(), 2 if is_server() else 1))


func _lump_size() -> int:
	return WEBRTC_LUMP if main.options["transport"] == "webrtc" else LUMP


func _check_reliable() -> void:
	await until(
		func() -> bool: return next_count == COUNT and next_count2 == COUNT and lumps == 1, "all reliable calls")


## Sends unreliable calls until the receiver reports enough: ENet's throttle may drop most of a
## burst.
func _spray_until(to: int, condition: Callable) -> void:
	var pad := PackedByteArray()
	pad.resize(PAD)
	var n := [0]
	await until(func() -> bool:
		for i in 10:
			spray_o.rpc_id(to, n[0], pad)
			spray_u.rpc_id(to, n[0], pad)
			n[0] += 1
		return condition.call(), "the remote peer to have enough unreliable calls")


func _sprayed_enough() -> bool:
	return ordered.size() >= ENOUGH and unordered.size() >= ENOUGH
