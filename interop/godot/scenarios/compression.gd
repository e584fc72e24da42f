extends "res://scenario.gd"
## Payloads of high, low and no compressibility, to the server and back; runs in every compression
## mode. Method ids: echo 0, echo_loose 1.

var echoes: Array = []
var loose := {}


func serve() -> void:
	# Otherwise Godot's throttle drops nearly all loose echoes when its frames are slow.
	for id: int in ids:
		multiplayer.multiplayer_peer.get_peer(id).throttle_configure(5000, 32, 0)
	await wait_for_all("echoed")


func play() -> void:
	for n in 6:
		echo.rpc_id(1, n, payload(n))
	await until(func() -> bool: return echoes.size() == 6, "the echoes")
	check("the echoes", echoes, range(6).map(func(n: int) -> Array: return [n, payload(n)]))
	for n in 6:
		await repeat_until(
			func() -> bool: return n in loose,
			"the loose echo %d" % n,
			func() -> void: echo_loose.rpc_id(1, n, payload(n)))
		check("the loose echo %d" % n, loose[n], payload(n))
	desk.done.rpc_id(1, "echoed")


static func payload(n: int) -> PackedByteArray:
	match n:
		0:
			return PackedByteArray([7])
		1:
			return "The quick brown fox jumps over the lazy dog. ".repeat(20).to_utf8_buffer()
		2:
			var zeros := PackedByteArray()
			zeros.resize(20_000)
			return zeros
		3:
			return pattern(1200, 3)
		4:
			return noise(1200)
	return noise(20_000)


## Returns incompressible bytes.
static func noise(size: int) -> PackedByteArray:
	var bytes := PackedByteArray()
	bytes.resize(size)
	var x := 1
	for i in size:
		x = (x * 1103515245 + 12345) & 0x7fffffff
		bytes[i] = (x >> 16) & 255
	return bytes


@rpc("any_peer", "call_remote", "reliable", 0)
func echo(n: int, data: PackedByteArray) -> void:
	if is_server():
		check("payload %d" % n, data, payload(n))
		echo.rpc_id(sender(), n, data)
	else:
		echoes.append([n, data])


@rpc("any_peer", "call_remote", "unreliable", 1)
func echo_loose(n: int, data: PackedByteArray) -> void:
	if is_server():
		check("loose payload %d" % n, data, payload(n))
		echo_loose.rpc_id(sender(), n, data)
	else:
		loose[n] = data
