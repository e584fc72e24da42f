extends Control
## The status line above the arena, and beside it the players with their coins, best first.

const SIZE := 15
const ROWS_MAX := 22
const DIM := Color(0.65, 0.7, 0.8)

## The state of the connection.
var status := ""

@onready var arena := $"../../Arena"
@onready var players := $"../../Players"

func _process(_delta: float) -> void:
	queue_redraw()

func _draw() -> void:
	text(Vector2(34, 30), status_line(), DIM)
	var sorted := players.get_children()
	sorted.sort_custom(func(a: Node, b: Node) -> bool: return a.score > b.score)
	for i in mini(sorted.size(), ROWS_MAX):
		var at := Vector2(1022, 66 + i * 24)
		draw_circle(at + Vector2(0, -5), 6.0, sorted[i].color, true, -1.0, true)
		text(at + Vector2(16, 0), sorted[i].title, Color.WHITE)
		text(at + Vector2(132, 0), str(sorted[i].score), Color(1.0, 0.82, 0.35))
	text(Vector2(34, size.y - 16.0), "Arrow keys: walk. Collect the coins.", DIM)

func status_line() -> String:
	var parts := [status]
	if arena.round_trip >= 0:
		parts.append("round trip %d ms" % arena.round_trip)
	if players.get_child_count() > 0:
		parts.append("%d players" % players.get_child_count())
	return "  ·  ".join(parts)

func text(at: Vector2, line: String, color: Color) -> void:
	draw_string(ThemeDB.fallback_font, at, line, HORIZONTAL_ALIGNMENT_LEFT, -1, SIZE, color)
