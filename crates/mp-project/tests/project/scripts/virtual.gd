@abstract
class_name Virtual
extends Base

@rpc @abstract func must() -> void
