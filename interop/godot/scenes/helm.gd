extends MultiplayerSynchronizer
## Synchronizer of its own properties; its authority is the owner of the ship.

var rudder := 0.0
var orders: Array = []
