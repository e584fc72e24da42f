//! The recording of a game that real Godot clients have played: it is replayed, and watched by
//! another Godot client.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::FOLDER;
use super::parts::{Parts, Way, check_errors, expect, id};
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::workspace::{program, target};

/// The players of the recorded game, and two times at which it is known who is in it.
pub(super) struct Session {
    /// Player who is in the game at both times.
    pub(super) watched: String,
    /// Player who has left before the last time.
    pub(super) early: String,
    /// Player who has joined after the first time.
    pub(super) late: String,
    pub(super) first: Duration,
    pub(super) last: Duration,
}

/// Returns an empty folder for recordings.
///
/// # Errors
///
/// Returns an error if it cannot be emptied.
pub(super) fn folder() -> Result<PathBuf, String> {
    let folder = target().join("interop").join(FOLDER).join("recordings");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// Replays the only recording of `folder` twice, then watches it: a seek back and forth shows the
/// players of that time.
///
/// # Errors
///
/// Returns what differs.
pub(super) fn check(godot: &Godot, folder: &Path, session: &Session) -> Result<(), String> {
    let files = fs::read_dir(folder).map_err(|error| error.to_string())?;
    let files: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    let [file] = &files[..] else { return Err(format!("recordings: {files:?}")) };
    for _ in 0..2 {
        let mut command = Command::new(program("mp-server", "MP_SERVER_BIN")?);
        let done = command.arg("replay").arg(file).output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&done.stdout);
        if !done.status.success() || !text.contains("the room sends the same bytes") {
            let errors = String::from_utf8_lossy(&done.stderr);
            return Err(format!("the recorded game does not replay: {text}{errors}"));
        }
    }
    watch(godot, file, session)
}

fn watch(godot: &Godot, file: &Path, session: &Session) -> Result<(), String> {
    let room = Parts::new(godot, FOLDER, "watch", "")?;
    let commands = room.log("watch").with_extension("commands");
    let mut lines = File::create(&commands).map_err(|error| error.to_string())?;
    let mut send = |line: String| writeln!(lines, "{line}").map_err(|error| error.to_string());
    let mut command = Command::new("sh");
    // Its standard input goes on as long as the server runs.
    command.arg("-c").arg(format!(
        "tail -n +1 -f '{}' | '{}' watch '{}' --as {} --enet 127.0.0.1:{} --ws off --webrtc off",
        commands.display(),
        program("mp-server", "MP_SERVER_BIN")?.display(),
        file.display(),
        session.watched,
        room.enet,
    ));
    command.env("MP_ADMIN__ADDRESS", "off");
    let mut server = Process::start("watch", &mut command, &room.log("watch"))?;
    expect(&mut server, "watching ")?;
    let mut watcher = room.player("watcher", Way::Enet, &[])?;
    id(&mut watcher)?;
    let Session { watched, early, late, first, last } = session;
    send("pause".to_owned())?;
    for (time, other) in [(last, late), (first, early), (last, late), (first, early)] {
        send(format!("seek {}", time.as_secs_f64()))?;
        expect_players(&mut watcher, &["1", watched, other])?;
        expect(&mut watcher, "hp 1 50")?;
    }
    send("play".to_owned())?;
    // The server of the game calls all players five times a second.
    expect(&mut watcher, "says 1 even")?;
    expect_players(&mut watcher, &["1", watched, late])?;
    check_errors(&watcher)
}

/// Waits until the nodes of these players are in the tree, and no others.
fn expect_players(watcher: &mut Process, players: &[&str]) -> Result<(), String> {
    let shows = |watcher: &Process| {
        let mut present: BTreeMap<String, i32> = BTreeMap::new();
        for line in watcher.output().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["player", name] => *present.entry(name.to_owned()).or_default() += 1,
                ["removed", name] => {
                    // Other nodes are removed, too.
                    present.entry(name.to_owned()).and_modify(|count| *count -= 1);
                }
                _ => {}
            }
        }
        present.retain(|_, count| *count != 0);
        present.len() == players.len() && players.iter().all(|it| present.get(*it) == Some(&1))
    };
    match watcher.wait_until(now() + PROCESS_TIMEOUT, shows) {
        true => Ok(()),
        false => Err(format!("the watcher does not show {players:?}: {}", watcher.output())),
    }
}
