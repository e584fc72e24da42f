extends Node
## Node below `calls`, which adds executed calls to the scenario's list. Method ids: order 0, touch
## 1; from the node's own `rpc_config`, if it has one: budge 0x8000, nudge 0x8001.

const CONFIG := {
	"rpc_mode": MultiplayerAPI.RPC_MODE_ANY_PEER,
	"transfer_mode": MultiplayerPeer.TRANSFER_MODE_RELIABLE,
	"call_local": false,
	"channel": 0,
}

var on_call: Callable


@rpc("authority", "call_remote", "reliable", 0)
func order(tag: String) -> void:
	on_call.call(self, "order", [tag])


@rpc("any_peer", "call_remote", "reliable", 0)
func touch(n: int) -> void:
	on_call.call(self, "touch", [n])


func budge(n: int) -> void:
	on_call.call(self, "budge", [n])


func nudge(n: int) -> void:
	on_call.call(self, "nudge", [n])
