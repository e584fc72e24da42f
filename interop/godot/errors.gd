extends Logger
## Collects the errors that Godot prints.

var _lines: Array = []
var _mutex := Mutex.new()


func _log_error(
	_function: String, _file: String, _line: int, code: String, rationale: String, _notify: bool,
	_type: int, _backtraces: Array[ScriptBacktrace]
) -> void:
	_mutex.lock()
	_lines.append(rationale if rationale != "" else code)
	_mutex.unlock()


## Returns the lines that contain `part`.
func lines(part: String) -> Array:
	return _filter(func(line: String) -> bool: return line.contains(part))


## Returns the lines that do not contain `part`.
func others(part: String) -> Array:
	return _filter(func(line: String) -> bool: return not line.contains(part))


func _filter(wanted: Callable) -> Array:
	_mutex.lock()
	var found := _lines.filter(wanted)
	_mutex.unlock()
	return found
