extends Node
## A unit that carries a gun.

var health := 0
var armour := 0
