class_name Base
extends Node
## The base of other scripts.

signal hit(by: int)

enum { FIRST, SECOND = 7, THIRD }
enum Channel { CHAT = 0x10, STATE }

const WHO := "any_" + PEER
const PEER = "peer"

var text := """
@rpc func not_declared(): pass
"quoted" \""""
var lambda := func(value: int) -> int: # not "closed
	return value
var list := [func(a: int, b: int) -> int:
	var sum := a + b
	return sum
,
1]
var property: int = 1:
	set(value):
		property = value
	get:
		return property


@rpc("any_peer")
func kept() -> void:
	pass


@rpc("any_peer", "unreliable") func overridden(_a: int, _b := 2) -> void: pass


@rpc("any_peer") @warning_ignore("unused_parameter")
# comment

func annotated(x: Array[int], y: Dictionary = {")": [1, 2]}) -> void:
	pass


@rpc(
	WHO, # any_peer
	"call_local",

	"unreliable_ordered",
	THIRD,
)
func constants() -> void: pass


@rpc("reliable", "call_local", "any_peer", Channel.STATE + 1) func summed() -> void: pass
@rpc static func statically(...rest: Array) -> void: print(rest)
@rpc func \
	continued() -> void: pass
@rpc func Upper() -> void: pass
@rpc func _private() -> void: pass
@rpc func ümlaut() -> void: pass


class Inner extends Node2D:
	@rpc("any_peer") func of_inner() -> void:
		pass

	class Deep:
		@rpc func of_deep() -> void: pass


class OneLine: var x = 1; @rpc func behind_one_line() -> void: pass
class Empty: @rpc func behind_annotation() -> void: pass
