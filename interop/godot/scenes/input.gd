extends MultiplayerSynchronizer
## Input of a player, replicated by the peer that plays it. Has the player as root, and follows the
## player's own synchronizer.

var direction := Vector2.ZERO
var jumps := 0
