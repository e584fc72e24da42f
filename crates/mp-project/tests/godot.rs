//! The project in `tests/project`, compared with what Godot 4.6.3 prints for it (`project.txt`).
//! `cargo xtask projects` compares it with the installed Godot.
#![allow(missing_docs, reason = "a test")]

use std::path::Path;

use mp_project::{Autoload, Project};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/project");

#[allow(dead_code, reason = "main")]
#[path = "../examples/print_project.rs"]
mod print_project;

#[test]
fn scripts_and_scenes_are_read_as_godot_reads_them() {
    let found = print_project::describe(&Project::open(FOLDER).unwrap()).unwrap();
    let expected = include_str!("project.txt");
    for (line, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {}", line + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
}

#[test]
fn settings_have_autoloads_and_the_main_scene() {
    let project = Project::open(FOLDER).unwrap();
    let settings = project.settings().unwrap();
    assert_eq!(settings.main_scene(), Some("res://scenes/main.tscn"));
    let autoloads = settings.autoloads().iter();
    let autoloads: Vec<_> = autoloads
        .map(|Autoload { name, path, is_singleton, .. }| (&**name, &**path, *is_singleton))
        .collect();
    let expected = [("Global", "res://global.gd", true), ("Plain", "res://scripts/base.gd", false)];
    assert_eq!(autoloads, expected);
    let name = settings.get("application/config/name").and_then(|name| name.as_str());
    assert_eq!(name, Some("mp-project"));
    assert_eq!(settings.get("application/config/icon"), None);
}

#[test]
fn paths_uids_and_class_names_are_resolved() {
    let project = Project::open(FOLDER).unwrap();
    assert_eq!(project.class_path("Base").unwrap(), Some("res://scripts/base.gd"));
    assert_eq!(project.class_path("Node").unwrap(), None);
    assert_eq!(project.uid_path("uid://bmpproject1aa").unwrap(), Some("res://scripts/uid_base.gd"));
    assert_eq!(project.uid_path("uid://bmpproject2bb").unwrap(), Some("res://scenes/player.tscn"));
    assert_eq!(project.uid_path("uid://unknown").unwrap(), None);
    assert_eq!(project.script("uid://bmpproject1aa").unwrap().path(), "res://scripts/uid_base.gd");
    let scenes = ["res://scenes/bot.tscn", "res://scenes/main.tscn", "res://scenes/player.tscn"];
    assert_eq!(project.find(&["tscn"]).unwrap(), scenes);
    assert!(Project::open(Path::new(FOLDER).join("scenes")).is_err());
}
