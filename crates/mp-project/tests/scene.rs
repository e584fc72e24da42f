//! Nodes, synchronizers and spawners of scenes.
#![allow(missing_docs, reason = "a test")]

mod common;

use common::{Folder, table};
use mp_project::{ReplicationMode, Value, VisibilityUpdateMode};

const PLAYER: (&str, &str) = (
    "player.tscn",
    r#"[gd_scene load_steps=3 format=3 uid="uid://player"]

[ext_resource type="Script" uid="uid://script" path="res://player.gd" id="1_a"]

[sub_resource type="SceneReplicationConfig" id="SceneReplicationConfig_x"]
properties/0/path = NodePath(".:position")
properties/0/spawn = true
properties/0/replication_mode = 1
properties/1/path = NodePath("Sprite:frame")
properties/1/spawn = false
properties/1/replication_mode = 2
properties/2/path = NodePath(".:title")
properties/2/replication_mode = 0

[node name="Player" type="Node2D" groups=["a", "b"]]
script = ExtResource("1_a")
speed = 1.5

[node name="Sprite" type="Sprite2D" parent="."]

[node name="Sync" type="MultiplayerSynchronizer" parent="Sprite"]
root_path = NodePath("../..")
replication_interval = 0.1
delta_interval = 2
visibility_update_mode = 2
public_visibility = false
replication_config = SubResource("SceneReplicationConfig_x")
"#,
);

const SCRIPT: (&str, &str) = ("player.gd", "extends Node2D\n@rpc func hurt(by: int): pass\n");
const BOT: (&str, &str) = ("bot.gd", "extends \"player.gd\"\n@rpc func think(): pass\n");

fn header(text: &str) -> String {
    format!("[gd_scene format=3]\n{text}")
}

#[test]
fn a_node_has_path_type_script_and_properties() {
    let folder = Folder::new(&[PLAYER, SCRIPT]);
    let scene = folder.project.scene("res://player.tscn").unwrap();
    let nodes: Vec<_> =
        scene.nodes().iter().map(|it| (it.path(), it.type_name(), it.script_path())).collect();
    assert_eq!(
        nodes,
        [
            (".", "Node2D", Some("res://player.gd")),
            ("Sprite", "Sprite2D", None),
            ("Sprite/Sync", "MultiplayerSynchronizer", None),
        ]
    );
    let root = scene.node(".").unwrap();
    assert_eq!((root.name(), root.property("speed")), ("Player", Some(&Value::Float(1.5))));
    assert_eq!(table(root.script().unwrap()), ["@rpc hurt"]);
    assert_eq!(folder.read(), ["player.gd", "player.tscn", "project.godot"]);
}

#[test]
fn a_synchronizer_has_its_properties_in_order() {
    let folder = Folder::new(&[PLAYER, SCRIPT]);
    let scene = folder.project.scene("res://player.tscn").unwrap();
    let synchronizer = scene.node("Sprite/Sync").unwrap().synchronizer().unwrap();
    assert_eq!(synchronizer.root_path, "../..");
    assert_eq!((synchronizer.replication_interval, synchronizer.delta_interval), (0.1, 2.0));
    assert_eq!(synchronizer.visibility_update_mode, VisibilityUpdateMode::None);
    assert!(!synchronizer.public_visibility);
    let properties: Vec<_> =
        synchronizer.properties.iter().map(|it| (&*it.path, it.spawn, it.mode)).collect();
    assert_eq!(
        properties,
        [
            (".:position", true, ReplicationMode::Always),
            ("Sprite:frame", false, ReplicationMode::OnChange),
            (".:title", true, ReplicationMode::Never),
        ]
    );
}

#[test]
fn a_synchronizer_has_godots_defaults() {
    let text = header("[node name=\"A\" type=\"MultiplayerSynchronizer\"]\n");
    let folder = Folder::new(&[("a.tscn", &text)]);
    let scene = folder.project.scene("res://a.tscn").unwrap();
    let synchronizer = scene.nodes()[0].synchronizer().unwrap();
    assert_eq!((&*synchronizer.root_path, synchronizer.public_visibility), ("..", true));
    assert_eq!((synchronizer.replication_interval, synchronizer.delta_interval), (0.0, 0.0));
    assert_eq!(synchronizer.visibility_update_mode, VisibilityUpdateMode::Idle);
    assert_eq!(synchronizer.properties, []);
}

#[test]
fn configs_of_godot_4_0_have_sync_and_watch() {
    let config = "[gd_resource type=\"SceneReplicationConfig\" format=3]\n[resource]
properties/0/path = NodePath(\".:a\")\nproperties/0/spawn = true\nproperties/0/sync = false
properties/1/path = NodePath(\".:b\")\nproperties/1/sync = true\nproperties/1/watch = false
properties/2/path = NodePath(\".:c\")\nproperties/2/sync = false\nproperties/2/watch = true\n";
    let text = header(
        "[ext_resource type=\"SceneReplicationConfig\" path=\"config.tres\" id=\"1\"]
[node name=\"A\" type=\"MultiplayerSynchronizer\"]\nreplication_config = ExtResource(\"1\")\n",
    );
    let folder = Folder::new(&[("a.tscn", &text), ("config.tres", config)]);
    let scene = folder.project.scene("res://a.tscn").unwrap();
    let properties = &scene.nodes()[0].synchronizer().unwrap().properties;
    let modes: Vec<_> = properties.iter().map(|it| it.mode).collect();
    use ReplicationMode::{Always, Never, OnChange};
    assert_eq!(modes, [Never, Always, OnChange]);
    assert_eq!(folder.read(), ["a.tscn", "config.tres"]);
}

#[test]
fn a_spawner_has_its_path_limit_and_scenes() {
    let text = header(
        "[node name=\"A\" type=\"Node\"]\n[node name=\"S\" type=\"MultiplayerSpawner\" parent=\".\"]
_spawnable_scenes = PackedStringArray(\"res://player.tscn\", \"uid://player\", \"uid://unknown\")
spawn_path = NodePath(\"../Players\")\nspawn_limit = 4\n",
    );
    let folder = Folder::new(&[PLAYER, ("a.tscn", &text)]);
    let scene = folder.project.scene("res://a.tscn").unwrap();
    let spawner = scene.node("S").unwrap().spawner().unwrap();
    assert_eq!((&*spawner.spawn_path, spawner.spawn_limit), ("../Players", 4));
    assert_eq!(spawner.scenes, ["res://player.tscn", "res://player.tscn", "uid://unknown"]);
}

#[test]
fn instanced_scenes_are_part_of_the_scene_with_overrides() {
    let text = header(
        "[ext_resource type=\"PackedScene\" path=\"res://player.tscn\" id=\"1\"]
[ext_resource type=\"Script\" path=\"res://bot.gd\" id=\"1_a\"]
[node name=\"Main\" type=\"Node\"]
[node name=\"Bot\" parent=\".\" instance=ExtResource(\"1\")]\nscript = ExtResource(\"1_a\")
[node name=\"Sync\" parent=\"Bot/Sprite\" index=\"0\"]\npublic_visibility = true
[node name=\"Extra\" type=\"Node\" parent=\"Bot/Sprite\"]
[node name=\"Vanished\" parent=\"Bot\" index=\"0\"]\nx = 1
[editable path=\"Bot\"]\n",
    );
    let folder = Folder::new(&[PLAYER, SCRIPT, BOT, ("main.tscn", &text)]);
    let scene = folder.project.scene("res://main.tscn").unwrap();
    let paths: Vec<_> = scene.nodes().iter().map(|it| it.path()).collect();
    assert_eq!(paths, [".", "Bot", "Bot/Sprite", "Bot/Sprite/Sync", "Bot/Sprite/Extra"]);
    let bot = scene.node("Bot").unwrap();
    assert_eq!((bot.type_name(), bot.instance()), ("Node2D", Some("res://player.tscn")));
    assert_eq!(table(bot.script().unwrap()), ["@rpc hurt", "@rpc think"]);
    assert_eq!(bot.property("speed"), Some(&Value::Float(1.5)));
    let synchronizer = scene.node("Bot/Sprite/Sync").unwrap().synchronizer().unwrap();
    assert_eq!((synchronizer.public_visibility, synchronizer.properties.len()), (true, 3));
}

#[test]
fn an_inherited_scene_has_the_nodes_of_its_base() {
    let text = header(
        "[ext_resource type=\"PackedScene\" uid=\"uid://player\" path=\"res://old.tscn\" id=\"1\"]
[node name=\"Other\" instance=ExtResource(\"1\")]\nscript = null
[node name=\"Sprite\" parent=\".\" index=\"0\"]\nframe = 2
[node name=\"New\" type=\"Node\" parent=\"Sprite\" index=\"1\"]\n",
    );
    let folder = Folder::new(&[PLAYER, SCRIPT, ("other.tscn", &text)]);
    let scene = folder.project.scene("res://other.tscn").unwrap();
    let paths: Vec<_> = scene.nodes().iter().map(|it| it.path()).collect();
    assert_eq!(paths, [".", "Sprite", "Sprite/Sync", "Sprite/New"]);
    let root = scene.node(".").unwrap();
    assert_eq!((root.name(), root.type_name(), root.script_path()), ("Other", "Node2D", None));
    assert_eq!(scene.node("Sprite").unwrap().property("frame"), Some(&Value::Int(2)));
}

#[test]
fn a_script_in_a_scene_has_positions_in_the_scene_file() {
    let text = header(
        "[sub_resource type=\"GDScript\" id=\"G_1\"]\nscript/source = \"extends Node
@rpc(\\\"any_peer\\\") func a(): pass\n\"\n[node name=\"A\" type=\"Node\"]\nscript = SubResource(\"G_1\")\n",
    );
    let folder = Folder::new(&[("a.tscn", &text)]);
    let scene = folder.project.scene("res://a.tscn").unwrap();
    let node = &scene.nodes()[0];
    assert_eq!(node.script_path(), Some("res://a.tscn::G_1"));
    let method = &node.script().unwrap().rpc_methods()[0];
    assert_eq!((&*method.name, method.position.line), ("a", 4));
    let folder = Folder::new(&[("a.tscn", &text.replace("func a()", "func a("))]);
    let error = folder.scene_error("res://a.tscn");
    assert!(error.starts_with("a.tscn:4:"), "{error}");
}

#[test]
fn a_script_in_another_language_has_a_path_only() {
    let text = header(
        "[ext_resource type=\"Script\" path=\"res://a.cs\" id=\"1\"]\n[node name=\"A\" type=\"Node\"]\nscript = ExtResource(\"1\")\n",
    );
    let folder = Folder::new(&[("a.tscn", &text), ("a.cs", "")]);
    let scene = folder.project.scene("res://a.tscn").unwrap();
    assert_eq!(scene.nodes()[0].script_path(), Some("res://a.cs"));
    assert!(scene.nodes()[0].script().is_none());
}

#[test]
fn ids_of_format_2_are_numbers() {
    let text = "[gd_scene load_steps=2 format=2]\n[ext_resource path=\"res://player.gd\" type=\"Script\" id=1]
[node name=\"A\" type=\"Node2D\"]\nscript = ExtResource( 1 )\n";
    let folder = Folder::new(&[SCRIPT, ("a.tscn", text)]);
    let scene = folder.project.scene("res://a.tscn").unwrap();
    assert_eq!(scene.nodes()[0].script_path(), Some("res://player.gd"));
}

#[test]
fn a_circle_of_scenes_is_an_error_that_names_it() {
    let scene = |other: &str| {
        header(&format!(
            "[ext_resource type=\"PackedScene\" path=\"res://{other}.tscn\" id=\"1\"]
[node name=\"A\" type=\"Node\"]\n[node name=\"B\" parent=\".\" instance=ExtResource(\"1\")]\n"
        ))
    };
    let folder = Folder::new(&[
        ("start.tscn", &scene("a")),
        ("a.tscn", &scene("b")),
        ("b.tscn", &scene("a")),
    ]);
    assert_eq!(
        folder.scene_error("res://start.tscn"),
        "b.tscn:4:1: scenes instance each other: res://a.tscn instances res://b.tscn instances res://a.tscn"
    );
}

#[test]
fn the_number_of_nodes_is_bounded() {
    let folder = Folder::new(&[]);
    folder.write("0.tscn", header("[node name=\"A\" type=\"Node\"]\n"));
    for depth in 1..6 {
        let inner = depth - 1;
        let mut text = header(&format!(
            "[ext_resource type=\"PackedScene\" path=\"res://{inner}.tscn\" id=\"1\"]\n[node name=\"A\" type=\"Node\"]\n"
        ));
        for child in 0..20 {
            text += &format!("[node name=\"{child}\" parent=\".\" instance=ExtResource(\"1\")]\n");
        }
        folder.write(&format!("{depth}.tscn"), text);
    }
    assert!(folder.project.scene("res://3.tscn").is_ok());
    let error = folder.scene_error("res://5.tscn");
    assert!(error.contains("more than 100000 nodes with instanced scenes"), "{error}");
}

#[test]
fn malformed_scenes_are_errors_with_a_position() {
    let node = "[node name=\"A\" type=\"Node\"]\n";
    let error = |text: &str| {
        let folder = Folder::new(&[("a.tscn", text)]);
        folder.scene_error("res://a.tscn").strip_prefix("a.tscn:").unwrap().to_owned()
    };
    let in_scene = |text: &str| error(&header(text));
    let with_root = |text: &str| in_scene(&format!("{node}{text}"));
    assert_eq!(error(""), "1:1: expected [gd_scene] or [gd_resource]");
    assert_eq!(error(node), "1:1: expected [gd_scene] or [gd_resource] first");
    assert_eq!(error("[gd_scene format=1]\n"), "1:1: format 1 is unknown; formats 2 to 4 are read");
    assert_eq!(error("RSRC\0\0"), " a binary resource; save it in a text format (.tscn, .tres)");
    assert_eq!(in_scene(""), "1:1: the scene has no node");
    assert_eq!(in_scene("[node type=\"Node\"]"), "2:1: the node has no name");
    assert_eq!(
        in_scene("[node name=\"A\" parent=\".\" type=\"Node\"]"),
        "2:1: the root has a parent"
    );
    assert_eq!(with_root(node), "3:1: a second node without a parent");
    let child = "[node name=\"B\" type=\"Node\" parent=\"X\"]\n";
    assert_eq!(with_root(child), "3:1: the parent \"X\" does not exist");
    let child = "[node name=\"B\" type=\"Node\" parent=\".\"]\n";
    assert_eq!(with_root(&child.repeat(2)), "4:1: a second node \"B\"");
    assert_eq!(with_root("script = ExtResource(\"9\")"), "3:10: no ext_resource has id \"9\"");
    assert_eq!(with_root("script = SubResource(\"9\")"), "3:10: no sub_resource has id \"9\"");
    assert_eq!(in_scene("[ext_resource path=\"x\"]"), "2:1: the resource has no id");
    let missing = "[ext_resource path=\"res://x.gd\" id=\"1\"]\n[node name=\"A\" type=\"Node\"]\nscript = ExtResource(\"1\")";
    assert_eq!(in_scene(missing), "4:10: res://x.gd does not exist");
    let sync = |text: &str| {
        in_scene(&format!("[node name=\"A\" type=\"MultiplayerSynchronizer\"]\n{text}"))
    };
    assert_eq!(
        sync("root_path = 1"),
        "3:13: MultiplayerSynchronizer cannot have this value of root_path"
    );
    assert_eq!(
        sync("visibility_update_mode = 3"),
        "3:26: MultiplayerSynchronizer cannot have this value of visibility_update_mode"
    );
    let config = |text: &str| {
        in_scene(&format!(
            "[sub_resource type=\"SceneReplicationConfig\" id=\"1\"]\n{text}\n[node name=\"A\" type=\"MultiplayerSynchronizer\"]\nreplication_config = SubResource(\"1\")"
        ))
    };
    assert_eq!(
        config("properties/1/path = NodePath(\".:a\")"),
        "3:21: properties/1/path: the property has no path before it"
    );
    assert_eq!(
        config("properties/0/path = NodePath(\".:a\")\nproperties/1/path = NodePath(\".:a\")"),
        "4:21: properties/1/path: the path is given twice"
    );
    assert_eq!(
        config("properties/0/path = NodePath(\".:a\")\nproperties/0/replication_mode = 3"),
        "4:33: properties/0/replication_mode: expected 0, 1 or 2"
    );
}

#[test]
fn a_placeholder_has_no_scene() {
    let text = header(
        "[node name=\"A\" type=\"Node\"]\n[node name=\"B\" parent=\".\" instance_placeholder=\"res://no.tscn\"]\n",
    );
    let folder = Folder::new(&[("a.tscn", &text)]);
    let scene = folder.project.scene("res://a.tscn").unwrap();
    assert_eq!(scene.node("B").unwrap().type_name(), "InstancePlaceholder");
}

#[test]
fn unreadable_scenes_are_errors() {
    let text = header(
        "[ext_resource type=\"PackedScene\" path=\"res://large.tscn\" id=\"1\"]\n[node name=\"A\" instance=ExtResource(\"1\")]\n",
    );
    let folder = Folder::new(&[("a.tscn", &text)]);
    assert_eq!(folder.scene_error("res://a.tscn"), "a.tscn:3:1: res://large.tscn does not exist");
    folder.write("large.tscn", vec![b'\n'; 10 << 20]);
    assert_eq!(folder.scene_error("res://a.tscn"), "large.tscn: larger than 8 MiB");
    folder.write("bytes.tscn", b"[gd_scene format=3]\n\xff");
    assert_eq!(folder.scene_error("res://bytes.tscn"), "bytes.tscn:2:1: not UTF-8 text");
    assert!(folder.scene_error("res://no.tscn").starts_with("no.tscn: cannot read the file: "));
}

#[test]
fn malformed_settings_are_errors_with_a_position() {
    let error = |text: &str| {
        let folder = Folder::new(&[("project.godot", text)]);
        folder.describe(&folder.project.settings().unwrap_err())
    };
    assert_eq!(error("[autoload]\nA=1\n"), "project.godot:2:3: expected the path of an autoload");
    assert_eq!(error("config_version"), "project.godot:1:1: expected = after config_version");
}
