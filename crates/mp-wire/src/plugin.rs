//! The plugin for Wireshark.

use std::fmt::Write;

use crate::names::ProjectNames;

/// Returns a plugin for Wireshark 4.4 and newer, in Lua, which decodes ENet datagrams, and packets
/// of `SceneMultiplayer` in them and in a [`Capture`](crate::Capture) of WebSocket messages. With
/// `names` it contains the methods of the game's project.
pub fn wireshark_plugin(names: Option<&ProjectNames>) -> String {
    let mut scripts = String::new();
    // Writing to a String succeeds.
    for (checksum, script) in names.into_iter().flat_map(ProjectNames::scripts) {
        let (checksum, path) = (quoted(checksum), quoted(script.path.as_bytes()));
        let _ = write!(scripts, "SCRIPTS[{checksum}] = {{ {path}");
        for method in script.methods() {
            let _ = write!(scripts, ", {{ {}", quoted(method.name.as_bytes()));
            for argument in &method.arguments {
                let _ = write!(scripts, ", {}", quoted(argument.as_bytes()));
            }
            scripts.push_str(" }");
        }
        scripts.push_str(" }\n");
    }
    [VALUES, SCENE, &scripts, ENET].concat()
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
const SCENE: &str = include_str!("../wireshark/scene.lua");
const ENET: &str = include_str!("../wireshark/enet.lua");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_project_are_strings_and_not_code() {
        assert_eq!(quoted(b"res://a_1.gd"), "\"res://a_1.gd\"");
        assert_eq!(
            quoted("\"]os.exit()--\n\\é".as_bytes()),
            r#""\034\093os.exit\040\041--\010\092\195\169""#
        );
    }
}
