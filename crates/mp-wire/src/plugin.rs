//! The plugin for Wireshark.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::names::{ProjectNames, SceneNames, ScriptNames};

/// Returns a plugin for Wireshark 4.4 and newer, in Lua, which decodes ENet datagrams, and packets
/// of `SceneMultiplayer` in them and in a [`Capture`](crate::Capture) of WebSocket messages. With
/// `names` it contains the methods and replicated properties of the game's project.
pub fn wireshark_plugin(names: Option<&ProjectNames>) -> String {
    let project = names.map(project).unwrap_or_default();
    [VALUES, NAMES, SCENE, &project, ENET].concat()
}

/// Returns statements that fill the tables of `names.lua`.
fn project(names: &ProjectNames) -> String {
    let mut text = String::new();
    // Writing to a String succeeds.
    for (checksum, script) in names.scripts() {
        let _ = writeln!(text, "SCRIPTS[{}] = {}", quoted(checksum), script_table(script));
    }
    for (path, scene) in names.scenes() {
        let _ = writeln!(text, "SCENES[{}] = {}", quoted(path.as_bytes()), scene_table(scene));
    }
    let mut roots: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, path) in names.root_names() {
        let paths = roots.entry(name).or_default();
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    for (name, paths) in roots {
        let paths = list(paths.into_iter());
        let _ = writeln!(text, "ROOTS[{}] = {paths}", quoted(name.as_bytes()));
    }
    text
}

fn script_table(script: &ScriptNames) -> String {
    let methods = script.methods().iter().map(|method| {
        let arguments = method.arguments.iter().map(|argument| &**argument);
        list([&*method.name].into_iter().chain(arguments))
    });
    table([quoted(script.path.as_bytes())].into_iter().chain(methods))
}

fn scene_table(scene: &SceneNames) -> String {
    let spawners = scene.spawners().iter().map(|spawner| {
        let scenes = spawner.scenes.iter().map(String::as_str);
        let value = list([spawner.spawn_path.as_str()].into_iter().chain(scenes));
        format!("[{}] = {value}", quoted(spawner.path.as_bytes()))
    });
    let synchronizers = scene.synchronizers().iter().map(|synchronizer| {
        let properties = [
            ("spawn", &synchronizer.spawn),
            ("sync", &synchronizer.sync),
            ("delta", &synchronizer.delta),
        ];
        let properties = properties.into_iter().map(|(name, properties)| {
            format!("{name} = {}", list(properties.iter().map(|property| &**property)))
        });
        table([quoted(synchronizer.path.as_bytes())].into_iter().chain(properties))
    });
    let (spawners, synchronizers) = (table(spawners), table(synchronizers));
    format!("{{spawners = {spawners}, synchronizers = {synchronizers}}}")
}

/// Returns a table of Lua with a list of strings.
fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    table(texts.map(|text| quoted(text.as_bytes())))
}

/// Returns a table of Lua.
fn table(elements: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", elements.collect::<Vec<_>>().join(", "))
}

/// Returns a string of Lua. Names in a project are not trusted.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b'_' | b'/' | b'.' | b':' | b'-' => text.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            byte => drop(write!(text, "\\{byte:03}")),
        }
    }
    text + "\""
}

const VALUES: &str = include_str!("../wireshark/variant.lua");
const NAMES: &str = include_str!("../wireshark/names.lua");
const SCENE: &str = include_str!("../wireshark/scene.lua");
const ENET: &str = include_str!("../wireshark/enet.lua");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugin_contains_spawners_and_properties_of_the_project() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../interop/bots");
        let names = ProjectNames::load(folder).unwrap();
        let plugin = wireshark_plugin(Some(&names));
        for line in [
            r#"SCENES["res://main.tscn"] = {spawners = {["Spawner"] = {"Players", "res://player.tscn"}}, synchronizers = {}}"#,
            r#"SCENES["res://player.tscn"] = {spawners = {}, synchronizers = {{"Sync", spawn = {"position", "steps"}, sync = {"position"}, delta = {"steps"}}}}"#,
            r#"ROOTS["Main"] = {"res://main.tscn"}"#,
        ] {
            assert!(plugin.lines().any(|it| it == line), "{line}: {}", project(&names));
        }
    }

    #[test]
    fn names_of_a_project_are_strings_and_not_code() {
        assert_eq!(quoted(b"res://a_1.gd"), "\"res://a_1.gd\"");
        assert_eq!(
            quoted("\"]os.exit()--\n\\é".as_bytes()),
            r#""\034\093os.exit\040\041--\010\092\195\169""#
        );
    }
}
