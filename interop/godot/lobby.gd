extends Node
## A member of a lobby of Godot's WebRTC signaling demo: its server, a client of it, or a peer of a
## mesh. Others may end their signaling once they are connected.

## Emitted when signaling has assigned an id. Assign `peer` to the multiplayer API.
signal entered(peer: WebRTCMultiplayerPeer)
signal failed(reason: String)

## Reason with which the server closes a session that has not sent JOIN after a second.
const NO_JOIN := "Have not joined lobby yet"

enum { JOIN, ID, PEER_CONNECT, PEER_DISCONNECT, OFFER, ANSWER, CANDIDATE, SEAL }

var channels_config: Array = []
var _url := ""
var _creates_mesh := false
var _socket := WebSocketPeer.new()
var _has_joined := false
var _is_over := false
var _peer: WebRTCMultiplayerPeer


## Joins the lobby whose signaling is at `url`; creates it if there is none.
func join(url: String, creates_mesh := false) -> void:
	_url = url
	_creates_mesh = creates_mesh
	_socket.connect_to_url(url)


## Ends the signaling. Connections stay.
func leave() -> void:
	_is_over = true
	_socket.close()


func _process(_delta: float) -> void:
	poll()


## Exchanges messages. In a tree, the node does so itself.
func poll() -> void:
	if _is_over:
		return
	_socket.poll()
	match _socket.get_ready_state():
		WebSocketPeer.STATE_OPEN:
			if not _has_joined:
				_has_joined = true
				_send(JOIN, 0 if _creates_mesh else 1, "")
			while _socket.get_available_packet_count() > 0:
				_receive(JSON.parse_string(_socket.get_packet().get_string_from_utf8()))
		WebSocketPeer.STATE_CLOSED:
			if _peer == null and _socket.get_close_reason() == NO_JOIN:
				# The frame took so long that the server no longer waited for JOIN.
				_socket = WebSocketPeer.new()
				_has_joined = false
				_socket.connect_to_url(_url)
				return
			_is_over = true
			if _peer == null or _peer.get_connection_status() != MultiplayerPeer.CONNECTION_CONNECTED:
				failed.emit("signaling: %d %s" % [_socket.get_close_code(), _socket.get_close_reason()])


func _receive(message: Dictionary) -> void:
	var id := int(message["id"])
	var data := str(message["data"])
	match int(message["type"]):
		ID:
			_enter(id, data == "true")
		PEER_CONNECT:
			_connect_to(id)
		OFFER:
			_connection(id).set_remote_description("offer", data)
		ANSWER:
			_connection(id).set_remote_description("answer", data)
		CANDIDATE:
			var parts := data.split("\n", false)
			_connection(id).add_ice_candidate(parts[0], int(parts[1]), parts[2])


func _enter(id: int, is_mesh: bool) -> void:
	_peer = WebRTCMultiplayerPeer.new()
	if is_mesh:
		_peer.create_mesh(id, channels_config)
	elif id == 1:
		_peer.create_server(channels_config)
	else:
		_peer.create_client(id, channels_config)
	entered.emit(_peer)


## The member with the larger id offers, so the creator never does.
func _connect_to(id: int) -> void:
	var connection := WebRTCPeerConnection.new()
	connection.initialize({"iceServers": []})
	connection.session_description_created.connect(func(type: String, sdp: String) -> void:
		connection.set_local_description(type, sdp)
		_send(OFFER if type == "offer" else ANSWER, id, sdp))
	connection.ice_candidate_created.connect(func(media: String, index: int, its_name: String) -> void:
		_send(CANDIDATE, id, "\n%s\n%d\n%s" % [media, index, its_name]))
	_peer.add_peer(connection, id)
	if id < _peer.get_unique_id():
		connection.create_offer()


func _connection(id: int) -> WebRTCPeerConnection:
	return _peer.get_peer(id)["connection"]


func _send(type: int, id: int, data: String) -> void:
	_socket.send_text(JSON.stringify({"type": type, "id": id, "data": data}))
