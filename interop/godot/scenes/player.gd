extends Node
## A player whose setter gives its input to the peer that plays it.

var player_id := 1:
	set(id):
		player_id = id
		$Input.set_multiplayer_authority(id)
