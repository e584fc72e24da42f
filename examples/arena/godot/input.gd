extends MultiplayerSynchronizer
## What its player wants, for the server to consider.

var direction := Vector2.ZERO
