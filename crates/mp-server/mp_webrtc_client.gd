## Joins a room of mp-server over WebRTC, in a web export or with Godot's WebRTC plug-in.
##
##     var client := MpWebRtcClient.new()
##     add_child(client)
##     client.join("ws://127.0.0.1:7778/webrtc")
##
## Connect to multiplayer.connected_to_server and multiplayer.connection_failed before, as with
## other peers. The node frees itself after either.
class_name MpWebRtcClient
extends Node

## Emitted when the room cannot be joined. connection_failed follows if multiplayer already has
## the peer.
signal failed(reason: String)

## Room to join, if the server's WebRTC listener selects rooms by path: ROOM, or TEMPLATE/ROOM, and
## ?code=CODE after it for a private room. ?token=TICKET for a seat from the server's matchmaking,
## ?resume=TICKET to resume a session.
var room := ""
## Time in seconds until the attempt times out. Godot itself has no timeout.
var timeout := 20.0
## Modes of the transfer channels 1, 2, ..., as WebRTCMultiplayerPeer.create_client takes them. The
## room must have the same: mp-server --webrtc-channels.
var channels_config: Array = []
## STUN and TURN servers, as WebRTCPeerConnection.initialize takes them, beside those that the room
## sends (mp-server --ice-servers). A room at a public address needs none.
var ice_servers: Array = []

## Reason with which the room closes a session that has not sent JOIN after a second.
const NO_JOIN := "Have not joined lobby yet"

enum { JOIN, ID, PEER_CONNECT, PEER_DISCONNECT, OFFER, ANSWER, CANDIDATE, SEAL }

var _socket := WebSocketPeer.new()
var _url := ""
var _tls: TLSOptions
var _peer: WebRTCMultiplayerPeer
var _connection: WebRTCPeerConnection
var _has_joined := false
var _is_over := false


## Starts to join the room whose signaling is at `url`, which ends in /webrtc.
func join(url: String, tls: TLSOptions = null) -> Error:
	_url = url
	_tls = tls
	return _socket.connect_to_url(url, tls)


func _process(delta: float) -> void:
	if _is_over:
		return
	_socket.poll()
	match _socket.get_ready_state():
		WebSocketPeer.STATE_OPEN:
			if not _has_joined:
				_has_joined = true
				_send(JOIN, 1, room)
			while not _is_over and _socket.get_available_packet_count() > 0:
				_receive(_socket.get_packet().get_string_from_utf8())
		WebSocketPeer.STATE_CLOSED:
			if _connection == null and _socket.get_close_reason() == NO_JOIN:
				# The frame took so long that the room no longer waited for JOIN.
				_has_joined = false
				_socket = WebSocketPeer.new()
				_socket.connect_to_url(_url, _tls)
				return
			return _end("signaling: %d %s" % [_socket.get_close_code(), _socket.get_close_reason()])
	timeout -= delta
	if timeout <= 0.0:
		return _end("no answer")
	if _connection == null:
		return
	match _connection.get_connection_state():
		WebRTCPeerConnection.STATE_DISCONNECTED, WebRTCPeerConnection.STATE_FAILED, \
		WebRTCPeerConnection.STATE_CLOSED:
			_end("no connection")
	if _peer.get_connection_status() == MultiplayerPeer.CONNECTION_CONNECTED:
		# The connection needs no signaling any more.
		_is_over = true
		_socket.close()
		queue_free()


func _receive(text: String) -> void:
	var message: Variant = JSON.parse_string(text)
	if not message is Dictionary:
		return
	var id := int(message.get("id", 0))
	var data := str(message.get("data", ""))
	match int(message.get("type", -1)):
		ID:
			ice_servers += message.get("ice_servers", [])
			_connect_as(id)
		ANSWER:
			if _connection != null:
				_connection.set_remote_description("answer", data)
		CANDIDATE:
			var parts := data.split("\n", false)
			if _connection != null and parts.size() == 3:
				_connection.add_ice_candidate(parts[0], int(parts[1]), parts[2])


func _connect_as(id: int) -> void:
	_connection = WebRTCPeerConnection.new()
	_connection.initialize({"iceServers": ice_servers})
	_connection.session_description_created.connect(_on_description)
	_connection.ice_candidate_created.connect(_on_candidate)
	_peer = WebRTCMultiplayerPeer.new()
	_peer.create_client(id, channels_config)
	_peer.add_peer(_connection, 1)
	multiplayer.multiplayer_peer = _peer
	_connection.create_offer()


func _on_description(type: String, sdp: String) -> void:
	_connection.set_local_description(type, sdp)
	_send(OFFER, 1, sdp)


func _on_candidate(media: String, index: int, name: String) -> void:
	_send(CANDIDATE, 1, "\n%s\n%d\n%s" % [media, index, name])


func _send(type: int, id: int, data: String) -> void:
	_socket.send_text(JSON.stringify({"type": type, "id": id, "data": data}))


func _end(reason: String) -> void:
	_is_over = true
	_socket.close()
	if _peer != null:
		_peer.close()
	failed.emit(reason)
	queue_free()
