extends "derived.gd"

@rpc("any_peer")
func crlf():
    if true:
        pass
