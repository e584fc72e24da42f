extends "res://scenario.gd"
## Much at once: reliable in order on two channels, a packet of 300 KB, bursts of unreliable ones. First the
## client sends, then the server sends the same.
## Methods by id: count 0, count2 1, lump 2, spray_o 3, spray_u 4.

const COUNT := 1000
const LUMP := 300_000
const SPRAY := 200
const PAD := 300

var next_count := 0
var next_count2 := 0
var lumps := 0
var ordered: Array = []
var unordered: Array = []


func serve() -> void:
	await everyone("sent")
	await _check_reliable()
	_send_reliable(ids[0])
	await everyone("received")

	desk.next.rpc("spray")
	await everyone("sprayed")
	await pause(0.3)
	_check_spray()
	await _send_spray(ids[0])
	desk.next.rpc("sprayed")


func play() -> void:
	_send_reliable(1)
	desk.done.rpc_id(1, "sent")
	await _check_reliable()
	desk.done.rpc_id(1, "received")

	await told("spray")
	await _send_spray(1)
	desk.done.rpc_id(1, "sprayed")
	await told("sprayed")
	await pause(0.3)
	_check_spray()


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
	check("the lump", data == pattern(LUMP, 1 if is_server() else 2), true)
	lumps += 1


@rpc("any_peer", "call_remote", "unreliable_ordered", 1)
func spray_o(n: int, pad: PackedByteArray) -> void:
	check("the padding", pad.size(), PAD)
	check("spray_o %d is newer than those before" % n, ordered.is_empty() or n > ordered.back(), true)
	ordered.append(n)


@rpc("any_peer", "call_remote", "unreliable", 1)
func spray_u(n: int, pad: PackedByteArray) -> void:
	check("the padding", pad.size(), PAD)
	check("spray_u %d came once" % n, n in unordered, false)
	unordered.append(n)


func _send_reliable(to: int) -> void:
	for n in COUNT:
		count.rpc_id(to, n)
		count2.rpc_id(to, n)
	lump.rpc_id(to, pattern(LUMP, 2 if is_server() else 1))


func _check_reliable() -> void:
	await until(
		func() -> bool: return next_count == COUNT and next_count2 == COUNT and lumps == 1, "all of the reliable ones")


func _send_spray(to: int) -> void:
	var pad := PackedByteArray()
	pad.resize(PAD)
	for n in SPRAY:
		spray_o.rpc_id(to, n, pad)
		spray_u.rpc_id(to, n, pad)
		if n % 10 == 9:
			await get_tree().process_frame


## ENet may throttle unreliable packets, so a tenth is enough.
func _check_spray() -> void:
	for list: Array in [ordered, unordered]:
		check("enough unreliable ones: %d of %d" % [list.size(), SPRAY], list.size() * 10 >= SPRAY, true)
