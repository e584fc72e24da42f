extends Node
## `/root/Main/Desk`: how the two sides of a scenario keep in step.
## Methods by id: begin 0, done 1, end 2, join 3, next 4.

var joined := {}  ## server: index -> peer id
var finished := {}  ## server: step -> {peer id: true}
var begun: Array = []  ## client: the ids of `begin`
var told: Array = []  ## client: the steps of `next`, in order
var ended := false  ## client


## Forgets everything: before a client joins again.
func reset() -> void:
	joined = {}
	finished = {}
	begun = []
	told = []
	ended = false


func all_done(step: String, ids: Array) -> bool:
	return ids.all(func(id: int) -> bool: return finished.get(step, {}).has(id))


@rpc("authority", "call_remote", "reliable", 0)
func begin(ids: Array) -> void:
	begun = ids


@rpc("any_peer", "call_remote", "reliable", 0)
func done(step: String) -> void:
	finished.get_or_add(step, {})[multiplayer.get_remote_sender_id()] = true


@rpc("authority", "call_remote", "reliable", 0)
func end() -> void:
	ended = true


@rpc("any_peer", "call_remote", "reliable", 0)
func join(index: int) -> void:
	joined[index] = multiplayer.get_remote_sender_id()


@rpc("authority", "call_remote", "reliable", 0)
func next(step: String) -> void:
	told.append(step)
