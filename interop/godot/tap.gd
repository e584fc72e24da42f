extends MultiplayerPeerExtension
## Wraps the transport, and records mode and channel of the packet being handled, which RPC methods
## cannot query in Godot.

var mode := -1
var channel := -1
var sender := 0  ## peer that has sent or relayed the packet
var _inner: MultiplayerPeer


func _init(inner: MultiplayerPeer) -> void:
	_inner = inner
	_inner.peer_connected.connect(peer_connected.emit)
	_inner.peer_disconnected.connect(peer_disconnected.emit)


func _get_packet_script() -> PackedByteArray:
	mode = _inner.get_packet_mode()
	channel = _inner.get_packet_channel()
	sender = _inner.get_packet_peer()
	return _inner.get_packet()


func _put_packet_script(buffer: PackedByteArray) -> Error:
	return _inner.put_packet(buffer)


func _get_available_packet_count() -> int:
	return _inner.get_available_packet_count()


func _get_max_packet_size() -> int:
	return 1 << 24


func _get_packet_peer() -> int:
	return _inner.get_packet_peer()


func _get_packet_mode() -> MultiplayerPeer.TransferMode:
	return _inner.get_packet_mode()


func _get_packet_channel() -> int:
	return _inner.get_packet_channel()


func _set_target_peer(peer: int) -> void:
	_inner.set_target_peer(peer)


func _set_transfer_mode(value: MultiplayerPeer.TransferMode) -> void:
	_inner.transfer_mode = value


func _get_transfer_mode() -> MultiplayerPeer.TransferMode:
	return _inner.transfer_mode


func _set_transfer_channel(value: int) -> void:
	_inner.transfer_channel = value


func _get_transfer_channel() -> int:
	return _inner.transfer_channel


func _poll() -> void:
	_inner.poll()


func _close() -> void:
	_inner.close()


func _disconnect_peer(peer: int, force: bool) -> void:
	_inner.disconnect_peer(peer, force)


func _is_server() -> bool:
	return _inner.get_unique_id() == 1


func _is_server_relay_supported() -> bool:
	return _inner.is_server_relay_supported()


func _get_unique_id() -> int:
	return _inner.get_unique_id()


func _get_connection_status() -> MultiplayerPeer.ConnectionStatus:
	return _inner.get_connection_status()


func _set_refuse_new_connections(enable: bool) -> void:
	_inner.refuse_new_connections = enable


func _is_refusing_new_connections() -> bool:
	return _inner.refuse_new_connections
