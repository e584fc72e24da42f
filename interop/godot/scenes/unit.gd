extends Node
## A unit: what carries a gun.

var health := 0
var armour := 0
