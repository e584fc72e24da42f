@tool
class_name Concrete extends Virtual

func must() -> void: pass
