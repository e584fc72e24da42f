//! RPC tables of single scripts. Godot 4.6.3 has the same tables.
#![allow(missing_docs, reason = "a test")]

mod common;

use common::{script, table};

/// Returns the table of a script that extends Node.
fn rpcs(text: &str) -> Vec<String> {
    table(&script(&format!("extends Node\n{text}\n")).unwrap())
}

/// Returns the error of a script that extends Node; its lines count from 1 after that.
fn error(text: &str) -> String {
    script(&format!("extends Node; {text}")).unwrap_err()
}

#[test]
fn a_bare_annotation_has_godots_defaults() {
    assert_eq!(rpcs("@rpc func a(): pass"), ["@rpc a"]);
    assert_eq!(rpcs("@rpc() func a(): pass"), ["@rpc a"]);
    assert_eq!(
        rpcs("@rpc(\"authority\", \"call_remote\", \"reliable\") func a(): pass"),
        ["@rpc a"]
    );
}

#[test]
fn words_come_in_any_order_and_the_channel_is_the_fourth_argument() {
    let text = r#"@rpc("reliable", "call_local", "any_peer", 3) func a(): pass"#;
    assert_eq!(rpcs(text), [r#"@rpc("any_peer", "call_local", "reliable", 3) a"#]);
    let text = r#"@rpc("unreliable_ordered") func a(): pass"#;
    assert_eq!(rpcs(text), [r#"@rpc("unreliable_ordered") a"#]);
    let text = r#"@rpc("any_peer", 3) func a(): pass"#;
    assert_eq!(
        error(text),
        "a.gd:1:32: argument 2 of @rpc is a string, not 3; the channel is argument 4"
    );
}

#[test]
fn methods_are_sorted_by_code_point() {
    let text =
        "@rpc func b(): pass\n@rpc func Z(): pass\n@rpc func ü(): pass\n@rpc func _a(): pass";
    assert_eq!(rpcs(text), ["@rpc Z", "@rpc _a", "@rpc b", "@rpc ü"]);
}

#[test]
fn an_annotation_may_have_several_lines_and_comments() {
    let text = "@rpc(\n\t\"any_peer\", # \")\n\n\"call_local\",\n)\n\n# comment\n\nfunc a(x: int,\n\ty): pass";
    assert_eq!(rpcs(text), [r#"@rpc("any_peer", "call_local") a"#]);
    assert_eq!(rpcs("@rpc(\"any_peer\") \\\n\tfunc a(): pass"), [r#"@rpc("any_peer") a"#]);
    assert_eq!(rpcs("@rpc func\\\n a(): pass"), ["@rpc a"]);
}

#[test]
fn other_annotations_may_surround_an_rpc() {
    let text = "@warning_ignore(\"x\") @rpc(\"any_peer\") @warning_ignore(\"y\")\n@warning_ignore(\"z\")\nfunc a(): pass";
    assert_eq!(rpcs(text), [r#"@rpc("any_peer") a"#]);
}

#[test]
fn arguments_of_an_annotation_may_be_constants() {
    let text = "const WHO = \"any_\" + PEER\nconst PEER := \"peer\"\nenum { A, B = 7, C }\nenum Channel { X = 0x10 }
@rpc(WHO, \"call_local\", \"reliable\", C) func a(): pass
@rpc(WHO, \"call_local\", \"reliable\", Channel.X + 1) func b(): pass
@rpc(&\"any_peer\", \"call_local\", \"reliable\", -1) func c(): pass
@rpc('any\\u005fpeer', \"\"\"call_local\"\"\", r\"reliable\", 1.5) func d(): pass";
    assert_eq!(
        rpcs(text),
        [
            r#"@rpc("any_peer", "call_local", "reliable", 8) a"#,
            r#"@rpc("any_peer", "call_local", "reliable", 17) b"#,
            r#"@rpc("any_peer", "call_local", "reliable", -1) c"#,
            r#"@rpc("any_peer", "call_local", "reliable", 1) d"#,
        ]
    );
}

#[test]
fn other_expressions_in_an_annotation_are_an_error() {
    let line = |text: &str| error(text).split_once(": ").unwrap().1.to_owned();
    assert_eq!(
        line("@rpc(\"any_%s\" % \"peer\") func a(): pass"),
        "only literals, constants of the script and sums of them are evaluated"
    );
    assert_eq!(
        line("const A = B + B; const B = A + A; @rpc(A) func a(): pass"),
        "more than 256 terms, or constants in a circle"
    );
    assert_eq!(
        line("@rpc(NAME) func a(): pass"),
        "argument 1 of @rpc is a string, not NAME; the channel is argument 4"
    );
}

#[test]
fn methods_of_inner_classes_do_not_count() {
    let text = "class A:\n\tclass B:\n\t\t@rpc func b(): pass\n\n\t@rpc\n\tfunc c(): pass\n\tfunc d():\n\t\tpass\n@rpc func a(): pass\nclass E: func e(): pass";
    assert_eq!(rpcs(text), ["@rpc a"]);
}

/// Godot ends such a class before the annotation's function.
#[test]
fn an_annotation_behind_the_colon_of_a_class_is_outside_it() {
    assert_eq!(rpcs("class A: @rpc func a(): pass"), ["@rpc a"]);
    assert_eq!(rpcs("class A: var x = 1; @rpc func a(): pass"), ["@rpc a"]);
}

#[test]
fn text_in_strings_and_comments_and_bodies_is_no_declaration() {
    let text = r#"var s = """
@rpc func no(): pass
"quoted" \"""" # @rpc func no(): pass
var t = '''
@rpc func no(): "'''
var multi = "two
lines @rpc func no()"
var f = func(): # a lambda
	pass
var g = [func(x):
	var y = x
	return y
,
1]
var p: int = 1:
	set(v):
		p = v
	get: return p
"""
@rpc func no(): a string as comment
"""
func body(): return func(): pass ; var z
func more(x = "(", y = [")"], z = {"}": 1}):
	if x: pass
	else:
		pass
#region x
@rpc func a(): pass
#endregion"#;
    assert_eq!(rpcs(text), ["@rpc a"]);
}

#[test]
fn byte_order_mark_crlf_and_spaces_are_accepted() {
    let text = "\u{feff}extends Node\r\n@rpc(\"any_peer\")\r\nfunc a():\r\n  pass\r\n\r\n@rpc func b() -> void:\r\n  pass";
    let script = script(text).unwrap();
    assert_eq!(table(&script), [r#"@rpc("any_peer") a"#, "@rpc b"]);
    assert_eq!(script.rpc_method("b").unwrap().position.line, 6);
}

#[test]
fn arguments_have_names_types_and_defaults() {
    let text = "extends Node\n@rpc static func a(x: Array[int], y := [1, 2], z: Dictionary[int, String] = {1: \"a\"},\n\tw = func(a, b): return a, ...rest: Array) -> void: pass";
    let script = script(text).unwrap();
    let method = script.rpc_method("a").unwrap();
    let arguments: Vec<_> = method
        .arguments
        .iter()
        .map(|it| (&*it.name, it.type_name.as_deref(), it.has_default, it.is_rest))
        .collect();
    assert_eq!(
        arguments,
        [
            ("x", Some("Array[int]"), false, false),
            ("y", None, true, false),
            ("z", Some("Dictionary[int, String]"), true, false),
            ("w", None, true, false),
            ("rest", Some("Array"), false, true),
        ]
    );
    assert_eq!(method.required_arguments(), 1);
    assert_eq!((method.position.line, method.position.column), (2, 18));
}

#[test]
fn abstract_functions_have_no_body() {
    let script = script(
        "@abstract\nextends Node\n@rpc @abstract func a()\n@rpc @abstract func b() -> int\n",
    )
    .unwrap();
    assert_eq!(table(&script), ["@rpc a", "@rpc b"]);
}

#[test]
fn class_name_and_base_may_share_a_line() {
    let one = script("@tool @icon(\"res://x.svg\") class_name Foo extends Node2D\n").unwrap();
    assert_eq!((one.class_name(), one.native_base()), (Some("Foo"), "Node2D"));
    let two = script("extends Node; class_name Foo; @rpc func a(): pass\n").unwrap();
    assert_eq!((two.class_name(), two.native_base()), (Some("Foo"), "Node"));
    let none = script("@rpc func a(): pass").unwrap();
    assert_eq!((none.class_name(), none.native_base()), (None, "RefCounted"));
    assert_eq!(script("").unwrap().rpc_methods(), []);
}

#[test]
fn checksum_is_that_of_mp_scene() {
    let script = script(
        "extends Node\n@rpc func say(): pass\n@rpc func ünder(): pass\n@rpc func Shout(): pass",
    )
    .unwrap();
    let names: Vec<_> = script.rpc_methods().iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["Shout", "say", "ünder"]);
    assert_eq!(script.rpc_checksum(), common::mp_scene_checksum(&script));
}

#[test]
fn syntax_errors_have_a_line_and_a_column() {
    let error = |text: &str| script(text).unwrap_err();
    for (text, expected) in [
        ("func a(:\n\tpass", "1:8: expected the name of an argument, found :"),
        ("func a(x: ): pass", "1:11: expected a type, found )"),
        ("func a(x = , y): pass", "1:12: expected a default value, found ,"),
        ("func (): pass", "1:6: expected the name of a function, found ("),
        (
            "func a()\n\tpass",
            "1:9: expected : after the arguments of a function, found the end of the line",
        ),
        ("func a():\npass", "2:1: expected an indented block"),
        ("func a():", "1:10: expected an indented block"),
        ("var a = 1\n\tvar b", "2:1: unexpected indentation"),
        ("\tvar b", "1:1: unexpected indentation"),
        ("func a():\n\t\tpass\n\tpass", "3:1: unindent does not match an earlier line"),
        (
            "func a():\n\tpass\nfunc b():\n    pass",
            "4:1: indented with spaces; earlier lines use tabs",
        ),
        ("# é\nvar é = \"x", "2:9: string is not closed"),
        ("@rpc(\"any_peer\"\n\nfunc a(): pass", "1:5: ( is not closed"),
        ("func a(x = [): pass", "1:13: [ is closed by )"),
        ("func a(): pass)", "1:15: ) closes no bracket"),
        ("@rpc\nvar x", "1:1: @rpc applies to functions only, not to var"),
        ("@rpc", "1:1: @rpc precedes no function"),
        ("class A:\n\t@rpc\nfunc a(): pass", "2:2: @rpc precedes no function"),
        ("@rpc @rpc func a(): pass", "1:6: @rpc is given twice"),
        ("@rpc; func a(): pass", "1:5: unexpected ; after an annotation"),
        ("@ rpc func a(): pass", "1:3: expected the name of an annotation directly after @"),
        (
            "@rpc(\"remote\") func a(): pass",
            "1:6: @rpc has no \"remote\"; use any_peer or authority, call_local or call_remote, reliable, unreliable or unreliable_ordered",
        ),
        (
            "@rpc(\"any_peer\", \"authority\") func a(): pass",
            "1:18: @rpc has more than one any_peer or authority",
        ),
        (
            "@rpc(\"any_peer\", \"call_local\", \"reliable\", \"0\") func a(): pass",
            "1:44: argument 4 of @rpc is a channel, not \"0\"",
        ),
        (
            "@rpc(\"any_peer\", \"call_local\", \"reliable\", 0, 1) func a(): pass",
            "1:47: @rpc has at most four arguments",
        ),
        ("func a(): pass\nfunc a(): pass", "2:6: function a is already declared in line 1"),
        (
            "remote func a(): pass",
            "1:1: unexpected remote in a class; GDScript 2 has func, var, const, signal, enum and class",
        ),
        ("extends A\nextends B", "2:9: the base class is given twice"),
        ("extends preload(\"a.gd\")", "1:16: expected the end of the line, found ("),
        ("var a\rvar b", "1:6: carriage return within a line"),
        ("var a = \u{0}", "1:9: unexpected character '\\0'"),
    ] {
        assert_eq!(error(text), format!("a.gd:{expected}"), "{text:?}");
    }
}

#[test]
fn nesting_is_bounded() {
    let brackets = script(&format!("var a = {}", "(".repeat(100_000))).unwrap_err();
    assert_eq!(brackets, "a.gd:1:137: more than 128 open brackets");
    let classes: String =
        (0..200).map(|depth| format!("{}class A:\n", "\t".repeat(depth))).collect();
    assert_eq!(script(&classes).unwrap_err(), "a.gd:128:134: more than 128 nested classes");
    let classes = "class A: ".repeat(200);
    assert_eq!(script(&classes).unwrap_err(), "a.gd:1:1150: more than 128 nested classes");
}
