extends Node
## Plays one side of one scenario: parses the command line, prints JSON lines, exits with 0 (pass)
## or 1 (fail).

const Values := preload("res://values.gd")

var options := {
	"role": "client",
	"transport": "enet",
	"host": "127.0.0.1",
	"port": 0,
	"scenario": "",
	"peers": 0,
	"index": 0,
	"timeout": 300.0,
	"compression": "none",
	"tls-cert": "",
	"tls-key": "",
	"expect-close": false,
	"plant-fault": false,
	"values": false,
}
var scenario: Node
var over := false


func _ready() -> void:
	var wrong := _read_command_line()
	if options["values"]:
		Values.print_all()
		get_tree().quit(0)
		return
	var path := "res://scenarios/%s.gd" % options["scenario"]
	if wrong == "" and not ResourceLoader.exists(path):
		wrong = "unknown scenario '%s'" % options["scenario"]
	if wrong != "":
		finish(wrong)
		return
	scenario = (load(path) as GDScript).new()
	scenario.name = str(options["scenario"]).capitalize()
	scenario.main = self
	scenario.desk = $Desk
	add_child(scenario)
	get_tree().create_timer(options["timeout"]).timeout.connect(_on_timeout)
	scenario.run()


## Prints `line` as JSON. Prints nothing after the result, which is the last line.
func say(line: Dictionary) -> void:
	if not over:
		print(JSON.stringify(line, "", false))


## Ends the process: passes if `wrong` is empty.
func finish(wrong := "") -> void:
	if over:
		return
	say({
		"result": "pass" if wrong == "" else "fail",
		"why": wrong,
		"scenario": options["scenario"],
		"role": options["role"],
		"index": options["index"],
		"transport": options["transport"],
	})
	over = true
	if scenario:
		scenario.leave()
	get_tree().quit(0 if wrong == "" else 1)


func _on_timeout() -> void:
	finish("time limit of %s s exceeded; waiting for %s" % [options["timeout"], scenario.waiting_for])


func _read_command_line() -> String:
	for argument in OS.get_cmdline_user_args():
		var pair := argument.trim_prefix("--").split("=", true, 1)
		var key := pair[0]
		if not options.has(key):
			return "unknown option " + argument
		match typeof(options[key]):
			TYPE_BOOL:
				options[key] = pair.size() == 1 or pair[1] == "true"
			TYPE_INT:
				options[key] = int(pair[1])
			TYPE_FLOAT:
				options[key] = float(pair[1])
			_:
				options[key] = pair[1]
	return ""
