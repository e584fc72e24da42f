extends MultiplayerSynchronizer
## A synchronizer of its own properties, which the owner of the ship sends.

var rudder := 0.0
var orders: Array = []
