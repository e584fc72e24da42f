extends Node2D
## The ground and the border of the arena.

## As HALF_SIZE in arena.rs.
const HALF_SIZE := Vector2(480, 270)
const GRID := 48

func _draw() -> void:
	var box := StyleBoxFlat.new()
	box.bg_color = Color(0.12, 0.14, 0.19)
	box.border_color = Color(0.32, 0.38, 0.5)
	box.set_border_width_all(3)
	box.set_corner_radius_all(14)
	box.shadow_color = Color(0, 0, 0, 0.35)
	box.shadow_size = 10
	draw_style_box(box, Rect2(-HALF_SIZE, 2.0 * HALF_SIZE).grow(3.0))
	var dot := Color(1, 1, 1, 0.08)
	for x in range(-432, 433, GRID):
		for y in range(-240, 241, GRID):
			draw_rect(Rect2(x - 1, y - 1, 2, 2), dot)
	# Players enter here.
	draw_arc(Vector2.ZERO, 26.0, 0.0, TAU, 48, Color(1, 1, 1, 0.12), 2.0, true)
