extends Node
## A gun that can be aimed and fired. Method ids: fire 0.

var aim := 0
var ammo := 0
var shots: Array = []  ## the arguments of `fire`, in order


@rpc("any_peer", "call_remote", "reliable", 0)
func fire(n: int) -> void:
	shots.append(n)
