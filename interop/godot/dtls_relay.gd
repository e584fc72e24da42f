extends SceneTree
## Carries ENet datagrams over Godot's own DTLS, for Godot builds whose ENet has none.
##
##     --mode=client --listen=P --connect=Q --tls-cert=FILE          plain ENet clients, a DTLS server
##     --mode=server --listen=P --connect=Q --tls-cert=F --tls-key=F  DTLS clients, a plain ENet server
##
## Prints {"event":"listening"} when it can be used, and runs until it is killed.

var options := {}
var certificate := X509Certificate.new()
var listener := UDPServer.new()
var dtls := DTLSServer.new()
var pairs: Array = []  ## plain PacketPeerUDP, PacketPeerDTLS


func _initialize() -> void:
	for argument in OS.get_cmdline_user_args():
		var pair := argument.trim_prefix("--").split("=", true, 1)
		options[pair[0]] = pair[1]
	var error := certificate.load(options["tls-cert"])
	if options["mode"] == "server" and error == OK:
		var key := CryptoKey.new()
		error = key.load(options["tls-key"])
		if error == OK:
			error = dtls.setup(TLSOptions.server(key, certificate))
	if error == OK:
		error = listener.listen(int(options["listen"]), "127.0.0.1")
	if error != OK:
		print(JSON.stringify({"event": "listen_failed", "error": error_string(error)}))
		quit(1)
		return
	print(JSON.stringify({"event": "listening"}))


func _process(_delta: float) -> bool:
	listener.poll()
	while listener.is_connection_available():
		_accept(listener.take_connection())
	for pair: Array in pairs:
		var plain: PacketPeerUDP = pair[0]
		var encrypted: PacketPeerDTLS = pair[1]
		encrypted.poll()
		if encrypted.get_status() != PacketPeerDTLS.STATUS_CONNECTED:
			continue
		if not pair[2]:
			pair[2] = true
			print(JSON.stringify({"event": "encrypted"}))
		while plain.get_available_packet_count() > 0:
			encrypted.put_packet(plain.get_packet())
		while encrypted.get_available_packet_count() > 0:
			plain.put_packet(encrypted.get_packet())
	return false


func _accept(accepted: PacketPeerUDP) -> void:
	var other := PacketPeerUDP.new()
	other.connect_to_host("127.0.0.1", int(options["connect"]))
	if options["mode"] == "client":
		var encrypted := PacketPeerDTLS.new()
		encrypted.connect_to_peer(other, "localhost", TLSOptions.client(certificate))
		pairs.append([accepted, encrypted, false])
		return
	var encrypted := dtls.take_connection(accepted)
	# The first datagram of a client is answered with a cookie; the second brings the connection.
	if encrypted.get_status() == PacketPeerDTLS.STATUS_HANDSHAKING:
		pairs.append([other, encrypted, false])
