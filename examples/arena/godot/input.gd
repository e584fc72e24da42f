extends MultiplayerSynchronizer
## Input of a player, validated by the server.

var direction := Vector2.ZERO
