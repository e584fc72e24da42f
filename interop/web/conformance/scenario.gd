extends "res://lib/original_scenario.gd"
## In the pack of the browser, in place of the suite's own script: clients join over WebRTC.

const RoomPeer := preload("res://room_peer.gd")


func new_client_peer() -> MultiplayerPeer:
	return RoomPeer.new("ws://%s:%d/webrtc" % [opt.host, opt.port])
