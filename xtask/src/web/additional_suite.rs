//! The additional suite in a browser, whose clients join over WebRTC.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{PROJECT, list};
use crate::workspace::{root, target};

/// Copies the scripts and scenes of the suite in `folder`, with a script of this project around the
/// one that creates the peers. Returns the folder of the copy.
///
/// # Errors
///
/// Returns an error if a file cannot be copied.
pub(crate) fn over_webrtc(folder: &Path) -> Result<PathBuf, String> {
    let copy = target().join("web/additional-suite");
    let io = |e: io::Error| format!("{}: {e}", copy.display());
    if copy.exists() {
        fs::remove_dir_all(&copy).map_err(io)?;
    }
    let mut files = Vec::new();
    list(folder, folder, &mut files)?;
    files.push((PROJECT.to_owned(), folder.join(PROJECT)));
    for (path, _) in files.iter_mut().filter(|(path, _)| path == SCENARIO) {
        ORIGINAL.clone_into(path);
    }
    files.extend(SCRIPTS.map(|(path, file)| (path.to_owned(), root().join(file))));
    for (path, file) in files {
        let to = copy.join(path);
        fs::create_dir_all(to.parent().unwrap_or(&copy)).map_err(io)?;
        fs::copy(&file, &to).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(copy)
}

/// The suite's script that creates peers, and its path in the copy.
const SCENARIO: &str = "lib/scenario.gd";
const ORIGINAL: &str = "lib/original_scenario.gd";

/// Paths in the copy, and files of this project.
const SCRIPTS: [(&str, &str); 3] = [
    (SCENARIO, "interop/web/conformance/scenario.gd"),
    ("room_peer.gd", "interop/web/conformance/room_peer.gd"),
    ("lobby.gd", "interop/godot/lobby.gd"),
];
