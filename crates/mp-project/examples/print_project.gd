extends SceneTree
## Prints what the example print_project prints, as Godot reads the project. The checksum, transfer
## mode and channel of an RPC are those of the packets that Godot sends for it.

const SIMPLIFY_PATH := 1

var _peer := Recorder.new()


func _initialize() -> void:
	await process_frame
	var scene_multiplayer: SceneMultiplayer = get_multiplayer()
	scene_multiplayer.multiplayer_peer = _peer
	_peer.peer_connected.emit(2)
	var paths := _find("res://")
	for path in paths:
		if path.ends_with(".gd"):
			_print_script(path)
	for path in paths:
		if path.ends_with(".tscn"):
			_print_scene(path)
	quit()


func _find(folder: String) -> PackedStringArray:
	var paths: PackedStringArray = []
	for file in DirAccess.get_files_at(folder):
		paths.append(folder.path_join(file))
	for child in DirAccess.get_directories_at(folder):
		var inner := folder.path_join(child)
		if not FileAccess.file_exists(inner.path_join("project.godot")):
			paths.append_array(_find(inner))
	paths.sort()
	return paths


func _print_script(path: String) -> void:
	var script: GDScript = load(path)
	if script == null or not (script.can_instantiate() or script.is_abstract()):
		print("script ", path, " error")
		return
	var config: Dictionary = script.get_rpc_config() if script.get_rpc_config() else {}
	var names: Array = config.keys()
	names.sort_custom(func(a: StringName, b: StringName) -> bool: return String(a) < String(b))
	var checksum := "".join(names).md5_text()
	var calls := {}
	var node := _node(script)
	if node:
		for method: StringName in names:
			_peer.packets.clear()
			node.rpc_id(2, method)
			var packet: PackedByteArray = _peer.packets[0]
			if packet[0] & 7 == SIMPLIFY_PATH:
				checksum = packet.slice(1, 33).get_string_from_ascii()
			calls[method] = [_peer.transfer, _peer.channel]
		node.free()
	print("script ", path, " ", checksum)
	for method: StringName in names:
		var rpc: Dictionary = config[method]
		var call: Array = calls.get(
			method, [rpc.get("transfer_mode", 2), rpc.get("channel", 0)]
		)
		var counts := _arguments(script, method)
		print("  %s %d %s %d %d %d %d" % [
			method, rpc.rpc_mode, rpc.get("call_local", false), call[0], call[1],
			counts[0], counts[1],
		])


## Returns a node of the tree with the script, which is not ready; null if it cannot be attached.
func _node(script: GDScript) -> Node:
	if script.is_abstract():
		return null
	if not ClassDB.is_parent_class(script.get_instance_base_type(), "Node"):
		return null
	var node: Node = ClassDB.instantiate(script.get_instance_base_type())
	root.add_child(node)
	node.set_script(script)
	return node


## Returns the number of arguments, and of those without a default.
func _arguments(script: GDScript, method: StringName) -> PackedInt32Array:
	for entry in script.get_script_method_list():
		if entry.name == method:
			var count: int = entry.args.size()
			return [count, count - entry.default_args.size()]
	return [-1, -1]


func _print_scene(path: String) -> void:
	var scene: PackedScene = load(path)
	if scene == null or not scene.can_instantiate():
		print("scene ", path, " error")
		return
	print("scene ", path)
	var top := scene.instantiate()
	var lines := {}
	_describe(top, top, lines)
	var paths: Array = lines.keys()
	paths.sort()
	for node: String in paths:
		print(lines[node])
	top.free()


func _describe(top: Node, node: Node, lines: Dictionary) -> void:
	# Nodes without an owner were added by scripts.
	if node != top and node.owner == null:
		return
	var path := String(top.get_path_to(node))
	var script: Script = node.get_script()
	var line := "  %s %s %s" % [path, node.get_class(), script.resource_path if script else "-"]
	if node is MultiplayerSynchronizer:
		line += _synchronizer(node)
	if node is MultiplayerSpawner:
		line += "\n    spawner %s %d" % [node.spawn_path, node.spawn_limit]
		for index in node.get_spawnable_scene_count():
			line += "\n    " + ResourceUID.ensure_path(node.get_spawnable_scene(index))
	lines[path] = line
	for child in node.get_children():
		_describe(top, child, lines)


func _synchronizer(node: MultiplayerSynchronizer) -> String:
	var text := "\n    synchronizer %s %.3f %.3f %d %s" % [
		node.root_path, node.replication_interval, node.delta_interval,
		node.visibility_update_mode, node.public_visibility,
	]
	var config := node.replication_config
	if config:
		for property in config.get_properties():
			text += "\n    %s %s %d" % [
				property, config.property_get_spawn(property),
				config.property_get_replication_mode(property),
			]
	return text


## A server with one client that records the packets for it.
class Recorder extends MultiplayerPeerExtension:
	var packets: Array[PackedByteArray] = []
	var transfer := MultiplayerPeer.TRANSFER_MODE_RELIABLE
	var channel := 0

	func _put_packet_script(buffer: PackedByteArray) -> Error:
		packets.append(buffer)
		return OK

	func _get_packet_script() -> PackedByteArray:
		return PackedByteArray()

	func _get_available_packet_count() -> int:
		return 0

	func _get_max_packet_size() -> int:
		return 1 << 24

	func _get_packet_peer() -> int:
		return 0

	func _get_packet_mode() -> MultiplayerPeer.TransferMode:
		return MultiplayerPeer.TRANSFER_MODE_RELIABLE

	func _get_packet_channel() -> int:
		return 0

	func _set_target_peer(_id: int) -> void:
		pass

	func _set_transfer_mode(mode: MultiplayerPeer.TransferMode) -> void:
		transfer = mode

	func _get_transfer_mode() -> MultiplayerPeer.TransferMode:
		return transfer

	func _set_transfer_channel(value: int) -> void:
		channel = value

	func _get_transfer_channel() -> int:
		return channel

	func _is_server() -> bool:
		return true

	func _poll() -> void:
		pass

	func _close() -> void:
		pass

	func _disconnect_peer(_id: int, _force: bool) -> void:
		pass

	func _get_unique_id() -> int:
		return 1

	func _is_refusing_new_connections() -> bool:
		return false

	func _set_refuse_new_connections(_refuse: bool) -> void:
		pass

	func _is_server_relay_supported() -> bool:
		return true

	func _get_connection_status() -> MultiplayerPeer.ConnectionStatus:
		return MultiplayerPeer.CONNECTION_CONNECTED
