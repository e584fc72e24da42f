extends MultiplayerSynchronizer
## What a player does, which the peer that plays it sends. It has the player as root, and comes after the player's own
## synchronizer.

var direction := Vector2.ZERO
var jumps := 0
