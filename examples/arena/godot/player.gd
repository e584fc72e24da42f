extends Node2D
## A player, named after the peer that is the authority of its input. The server sends its position
## 20 times per second; the drawn one follows smoothly.

const RADIUS := 14.0
const SMOOTHING := 0.06 # seconds
const TRAIL := 1.2 # seconds

## Number of players that this peer has seen, for their colors.
static var count := 0

var title := ""
var score := 0

var is_own := false
var color := Color.WHITE
var shown := Vector2.ZERO
var heading := Vector2.DOWN
## Drawn positions of the last time, with their times in seconds.
var trail: Array[Vector3] = []

func _enter_tree() -> void:
	$Input.set_multiplayer_authority(peer_id())

func _ready() -> void:
	shown = position
	is_own = peer_id() == multiplayer.get_unique_id()
	# Far from the color of the player before.
	color = Color.from_hsv(fposmod(0.55 + count * 0.618034, 1.0), 0.55, 0.95)
	count += 1

func peer_id() -> int:
	return str(name).to_int()

func _process(delta: float) -> void:
	var before := shown
	shown = shown.lerp(position, 1.0 - exp(-delta / SMOOTHING))
	if shown.distance_to(before) > 0.1:
		heading = heading.lerp((shown - before).normalized(), 1.0 - exp(-delta / SMOOTHING))
	var now := Time.get_ticks_msec() / 1000.0
	trail.append(Vector3(shown.x, shown.y, now))
	while trail[0].z < now - TRAIL:
		trail.pop_front()
	queue_redraw()

func _draw() -> void:
	draw_set_transform(shown - position)
	draw_trail()
	if is_own:
		draw_arc(Vector2.ZERO, RADIUS + 5.0, 0.0, TAU, 48, color, 2.0, true)
	draw_circle(Vector2.ZERO, RADIUS, color, true, -1.0, true)
	draw_eyes()
	draw_name()

func draw_trail() -> void:
	for i in range(1, trail.size()):
		var from := Vector2(trail[i - 1].x, trail[i - 1].y) - shown
		var to := Vector2(trail[i].x, trail[i].y) - shown
		var youth := 1.0 - (trail[-1].z - trail[i].z) / TRAIL
		draw_line(from, to, Color(color, 0.25 * youth), RADIUS * youth)

func draw_eyes() -> void:
	var ahead := heading.normalized()
	for side: float in [-1.0, 1.0]:
		var eye := ahead * 5.0 + ahead.orthogonal() * side * 5.5
		draw_circle(eye, 4.0, Color.WHITE, true, -1.0, true)
		draw_circle(eye + ahead * 1.5, 2.0, Color(0.1, 0.1, 0.15), true, -1.0, true)

func draw_name() -> void:
	var font := ThemeDB.fallback_font
	var width := font.get_string_size(title, HORIZONTAL_ALIGNMENT_LEFT, -1, 14).x
	var at := Vector2(-width / 2.0, -RADIUS - 10.0)
	draw_string_outline(font, at, title, HORIZONTAL_ALIGNMENT_LEFT, -1, 14, 4, Color(0, 0, 0, 0.6))
	draw_string(font, at, title, HORIZONTAL_ALIGNMENT_LEFT, -1, 14, Color.WHITE)
