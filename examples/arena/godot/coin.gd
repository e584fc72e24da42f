extends Node2D
## A coin, which stays where the server has placed it.

const RADIUS := 9.0

func _process(_delta: float) -> void:
	queue_redraw()

func _draw() -> void:
	# Turns about its vertical axis. Coins turn at different times.
	var turn := cos(Time.get_ticks_msec() / 500.0 + position.x)
	draw_set_transform(Vector2.ZERO, 0.0, Vector2(maxf(absf(turn), 0.25), 1.0))
	draw_circle(Vector2.ZERO, RADIUS, Color(0.85, 0.6, 0.15), true, -1.0, true)
	draw_circle(Vector2.ZERO, RADIUS - 2.5, Color(1.0, 0.82, 0.35), true, -1.0, true)
