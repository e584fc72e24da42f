//! Mistakes in the game of the quick start, and the messages that a real Godot prints for them. The
//! page "Troubleshooting" explains these messages.

use std::fs;
use std::path::Path;

use crate::example::{log, read, write};
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};

/// A change of a file of the game, and the message that follows.
struct Mistake {
    /// Description of the mistake.
    name: &'static str,
    file: &'static str,
    /// The text that is replaced, and its replacement.
    change: (&'static str, &'static str),
    /// Fixed part of the message, as the page quotes it.
    message: &'static str,
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "additional RPC",
        file: "player.gd",
        change: ("@rpc(", "@rpc func jump() -> void:\n\tpass\n\n@rpc("),
        message: "The rpc node checksum failed. Make sure to have the same methods on both nodes. Node path: ",
    },
    Mistake {
        name: "renamed root",
        file: "main.tscn",
        change: ("name=\"Main\"", "name=\"Game\""),
        message: " not found in cache of peer 1.",
    },
    Mistake {
        name: "renamed spawner",
        file: "main.tscn",
        change: ("name=\"Spawner\"", "name=\"Creator\""),
        message: "Parameter \"spawner\" is null.",
    },
    Mistake {
        name: "wrong spawn path",
        file: "main.tscn",
        change: ("../Players", "../Gamers"),
        message: "Parameter \"parent\" is null.",
    },
    Mistake {
        name: "no spawnable scene",
        file: "main.tscn",
        change: ("PackedStringArray(\"res://player.tscn\")", "PackedStringArray()"),
        message: " is out of bounds (spawnable_scenes.size() = ",
    },
    Mistake {
        name: "no synchronizer",
        file: "player.tscn",
        change: ("type=\"MultiplayerSynchronizer\"", "type=\"Node\""),
        message: "Method/function failed. Returning: ERR_INVALID_DATA",
    },
    Mistake {
        name: "additional property",
        file: "player.tscn",
        change: (
            "properties/0/replication_mode = 1",
            "properties/0/replication_mode = 1\nproperties/1/path = NodePath(\".:rotation\")\n\
             properties/1/spawn = true\nproperties/1/replication_mode = 1",
        ),
        message: "Invalid packet received. Size too small.",
    },
    Mistake {
        name: "no @rpc",
        file: "player.gd",
        change: ("steer.rpc_id(1", "rpc_id(1, \"fly\""),
        message: "Unable to get the RPC configuration for the function \"",
    },
];

/// Plays the game in `folder` once with each mistake, all at the same time.
///
/// # Errors
///
/// Returns an error if Godot does not print the message of a mistake.
pub(super) fn play(godot: &Godot, folder: &Path) -> Result<usize, String> {
    let mut players = Vec::new();
    for (number, mistake) in MISTAKES.iter().enumerate() {
        let project = folder.with_file_name(format!("mistake{number}"));
        for entry in fs::read_dir(folder).map_err(|error| error.to_string())? {
            let path = entry.map_err(|error| error.to_string())?.path();
            let name = path.file_name().unwrap_or_default();
            if path.is_file() {
                let text = read(&path)?;
                let is_changed = name == mistake.file;
                let text = if is_changed { mistake.apply(&text)? } else { text };
                write(&project.join(name), &text)?;
            }
        }
        let log = log(&format!("quick-start-mistake{number}"));
        players.push((mistake, Process::start(mistake.name, &mut godot.command(&project), &log)?));
    }
    for (mistake, player) in &mut players {
        let limit = now() + PROCESS_TIMEOUT;
        if !player.wait_until(limit, |player| player.errors().contains(mistake.message)) {
            let Mistake { name, message, .. } = mistake;
            return Err(format!("{name}: Godot does not print {message:?}: {}", player.errors()));
        }
    }
    Ok(MISTAKES.len())
}

impl Mistake {
    fn apply(&self, text: &str) -> Result<String, String> {
        let (from, to) = self.change;
        if !text.contains(from) {
            return Err(format!("{}: {} does not contain {from:?}", self.name, self.file));
        }
        Ok(text.replace(from, to))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::quick_start::{PAGE, files};
    use crate::workspace::root;

    #[test]
    fn troubleshooting_explains_the_message_of_each_mistake() {
        let page = read(&root().join("crates/mp/guide/troubleshooting.md")).unwrap();
        let messages: Vec<_> =
            page.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next()).collect();
        for Mistake { name, message, .. } in MISTAKES {
            let is_explained = messages.iter().any(|cell| cell.contains(message.trim()));
            assert!(is_explained, "{name}: {message}");
        }
    }

    #[test]
    fn each_mistake_changes_a_file_of_the_page() {
        let page = read(&root().join(PAGE)).unwrap();
        let files = files(&page).unwrap();
        for mistake in MISTAKES {
            let name = PathBuf::from("game").join(mistake.file);
            let file = files.iter().find(|file| file.name == name).unwrap();
            assert_ne!(mistake.apply(file.text).unwrap(), file.text);
        }
    }
}
