extends MultiplayerPeerExtension
## A WebRTC client for scripts that create their peer at once: it is connecting until signaling has
## assigned an id, and passes everything on to a WebRTCMultiplayerPeer from then on.

const Lobby := preload("res://lobby.gd")
## Modes of the transfer channels 1 to 4, on both sides.
const CHANNELS := [
	MultiplayerPeer.TRANSFER_MODE_RELIABLE, MultiplayerPeer.TRANSFER_MODE_RELIABLE,
	MultiplayerPeer.TRANSFER_MODE_RELIABLE, MultiplayerPeer.TRANSFER_MODE_RELIABLE,
]

var _lobby: Node = Lobby.new()
var _inner: MultiplayerPeer = OfflineMultiplayerPeer.new()
var _has_entered := false
var _has_failed := false


func _init(url: String) -> void:
	_lobby.channels_config = CHANNELS
	_lobby.entered.connect(_on_entered)
	_lobby.failed.connect(func(_why: String) -> void: _has_failed = true)
	_lobby.join(url)


func _notification(what: int) -> void:
	if what == NOTIFICATION_PREDELETE and is_instance_valid(_lobby):
		_lobby.free()


func _on_entered(peer: MultiplayerPeer) -> void:
	_inner = peer
	_has_entered = true
	_inner.peer_connected.connect(func(id: int) -> void: peer_connected.emit(id))
	_inner.peer_disconnected.connect(func(id: int) -> void: peer_disconnected.emit(id))


func _poll() -> void:
	_lobby.poll()
	_inner.poll()


func _close() -> void:
	_has_failed = true
	_inner.close()
	_lobby.leave()


func _disconnect_peer(peer: int, force: bool) -> void:
	_inner.disconnect_peer(peer, force)


func _get_connection_status() -> MultiplayerPeer.ConnectionStatus:
	if _has_failed:
		return MultiplayerPeer.CONNECTION_DISCONNECTED
	if not _has_entered:
		return MultiplayerPeer.CONNECTION_CONNECTING
	return _inner.get_connection_status()


func _get_available_packet_count() -> int:
	return _inner.get_available_packet_count()


func _get_max_packet_size() -> int:
	return 1 << 24


func _get_packet_script() -> PackedByteArray:
	return _inner.get_packet()


func _put_packet_script(buffer: PackedByteArray) -> Error:
	return _inner.put_packet(buffer)


func _get_packet_channel() -> int:
	return _inner.get_packet_channel()


func _get_packet_mode() -> MultiplayerPeer.TransferMode:
	return _inner.get_packet_mode()


func _get_packet_peer() -> int:
	return _inner.get_packet_peer()


func _set_target_peer(peer: int) -> void:
	_inner.set_target_peer(peer)


func _set_transfer_channel(channel: int) -> void:
	_inner.transfer_channel = channel


func _get_transfer_channel() -> int:
	return _inner.transfer_channel


func _set_transfer_mode(mode: MultiplayerPeer.TransferMode) -> void:
	_inner.transfer_mode = mode


func _get_transfer_mode() -> MultiplayerPeer.TransferMode:
	return _inner.transfer_mode


func _get_unique_id() -> int:
	# Not that of the offline peer, which is 1.
	return _inner.get_unique_id() if _has_entered else 2


func _is_server() -> bool:
	return false


func _is_server_relay_supported() -> bool:
	return true


func _set_refuse_new_connections(refuse: bool) -> void:
	_inner.refuse_new_connections = refuse


func _is_refusing_new_connections() -> bool:
	return _inner.refuse_new_connections
