extends Node
## Node `/root/Main/Desk`, which synchronizes the steps of a scenario between its sides.
## Method ids: begin 0, done 1, end 2, join 3, next 4.

var joined := {}  ## server: index -> peer id
var done_steps := {}  ## server: step -> {peer id: true}
var begin_ids: Array = []  ## client: the ids of `begin`
var received_steps: Array = []  ## client: steps of `next`, in order
var ended := false  ## client


## Resets the desk before a client rejoins.
func reset() -> void:
	joined = {}
	done_steps = {}
	begin_ids = []
	received_steps = []
	ended = false


func all_done(step: String, ids: Array) -> bool:
	return ids.all(func(id: int) -> bool: return done_steps.get(step, {}).has(id))


@rpc("authority", "call_remote", "reliable", 0)
func begin(ids: Array) -> void:
	begin_ids = ids


@rpc("any_peer", "call_remote", "reliable", 0)
func done(step: String) -> void:
	done_steps.get_or_add(step, {})[multiplayer.get_remote_sender_id()] = true


@rpc("authority", "call_remote", "reliable", 0)
func end() -> void:
	ended = true


@rpc("any_peer", "call_remote", "reliable", 0)
func join(index: int) -> void:
	joined[index] = multiplayer.get_remote_sender_id()


@rpc("authority", "call_remote", "reliable", 0)
func next(step: String) -> void:
	received_steps.append(step)
