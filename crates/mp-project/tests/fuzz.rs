//! The fuzz targets of this crate, on their seed inputs and mutations of them, and on any text.
#![allow(missing_docs, reason = "a test")]

use mp_core::fuzz::{Seeds, check};
use mp_project::fuzz;
use proptest::prelude::*;

const SCRIPTS: &[&str] = &[
    "class_name A extends \"a.gd\".B.C\n@tool\n@rpc(\"any_peer\", X, Y.Z + 1) static func a(x: Array[int] = [1], ...y) -> int:\n\tpass\nconst X = preload(\"a.gd\").B\nenum Y { Z = 0x1_0, W }\n",
    "extends B\nclass B extends C:\n\tclass C: var x = 1; @rpc func a(): pass\n\tconst D = B\n@rpc func b(): return func(): pass\n",
    "var s = r\"\\\" '''\" + &'x' + \"\"\"\n\"\"\"; var t := $\"a\" % 3\nvar p: int:\n  set(v): # c\n    p = v \\\n + 1\n",
];

const SCENES: &[&str] = &[
    "[gd_scene load_steps=2 format=3 uid=\"uid://a\"]\n[ext_resource type=\"PackedScene\" path=\"res://a.tscn\" id=\"1\"]\n[node name=\"A\" type=\"Node\"]\n[node name=\"B\" parent=\".\" instance=ExtResource(\"1\")]\nx = Vector2(1, -2.5)\n",
    "[gd_scene format=3]\n[sub_resource type=\"GDScript\" id=\"1\"]\nscript/source = \"@rpc func a(): pass\n\"\n[sub_resource type=\"SceneReplicationConfig\" id=\"2\"]\nproperties/0/path = NodePath(\".:a\")\nproperties/0/watch = true\n[node name=\"A\" type=\"MultiplayerSynchronizer\"]\nscript = SubResource(\"1\")\nreplication_config = SubResource(\"2\")\n[node name=\"B\" type=\"MultiplayerSpawner\" parent=\".\"]\n_spawnable_scenes = PackedStringArray(\"uid://a\")\nspawn_path = ^\"..\"\n",
    "[gd_scene format=4]\n[node name=\"A\" type=\"Node\"]\na = Array[int]([1, inf, nan, -1e5])\nb = Dictionary[String, ExtResource(\"1\")]({\"a\": &\"b\", 1: null})\nc = Object(Node, \"x\": [true, {}])\n\"odd key\" = \"\\u00e9\\\"\"\n",
];

#[test]
fn scripts_are_parsed_or_are_errors_with_a_position() {
    let seeds = Seeds::texts(SCRIPTS).and(Seeds::texts(&[include_str!("project/scripts/base.gd")]));
    check("gdscript", seeds, 20_000, fuzz::gdscript);
}

#[test]
fn scenes_are_parsed_or_are_errors_with_a_position() {
    let seeds =
        Seeds::texts(SCENES).and(Seeds::texts(&[include_str!("project/scenes/player.tscn")]));
    check("scene_file", seeds, 20_000, fuzz::scene_file);
}

/// Text with the characters that the parsers distinguish.
fn text() -> impl Strategy<Value = String> {
    let tokens = prop::sample::select(vec![
        "\n",
        "\n\t",
        "\n\t\t",
        "\r\n",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        ";",
        "=",
        ".",
        "-",
        "@",
        "@rpc",
        "func a",
        "func",
        "class A",
        "class",
        "extends ",
        "const X",
        "enum",
        "static ",
        "var x",
        "\"",
        "'",
        "\"\"\"",
        "\\",
        "#",
        "r\"",
        "A",
        "1",
        "é",
        " ",
        "pass",
        "preload",
        "[node name=\"A\"",
        " type=\"Node\"",
        " parent=\".\"",
        "script=",
        "SubResource(\"1\")",
        "[gd_scene format=3]",
        "&\"a\"",
        "^\"a\"",
        "Array[int]",
    ]);
    prop::collection::vec(tokens, 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn any_sequence_of_tokens_is_accepted(text in text()) {
        fuzz::gdscript(text.as_bytes());
        fuzz::scene_file(text.as_bytes());
        fuzz::scene_file(format!("[gd_scene format=3]{text}").as_bytes());
    }

    #[test]
    fn any_bytes_are_accepted(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz::gdscript(&bytes);
        fuzz::scene_file(&bytes);
    }
}
