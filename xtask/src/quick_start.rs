//! Runs the quick start of the guide as a reader does: writes the files of the page to an empty
//! folder, builds the server, and plays with two real Godot processes.

mod mistakes;

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use crate::example::{log, read, write};
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{cargo, root, run, target};

/// Page with the files.
const PAGE: &str = "crates/mp/guide/quick-start.md";

/// Plays the quick start. Two players press different keys; each must see both move. Then plays it
/// with mistakes in the game, whose messages the guide explains.
///
/// # Errors
///
/// Returns an error if the page lacks a file, the server cannot be built, a player does not see
/// both players move, or Godot prints another message for a mistake.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    let folder = target().join("quick-start");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .map_err(|error| format!("cannot empty {}: {error}", folder.display()))?;
    }
    let port = free_port()?;
    for PageFile { name, text } in files(&read(&root().join(PAGE))?)? {
        write(&folder.join(&name), &adapted(&name, text, port)?)?;
    }
    let mut server = Command::new(build(&folder.join("server"))?);
    let mut server = Process::start("server", &mut server, &log("quick-start-server"))?;
    if !server.wait_until(now() + PROCESS_TIMEOUT, |it| it.output().contains("listening")) {
        return Err(format!("the server does not listen: {}", server.errors()));
    }
    let driver = root().join("xtask/src/quick_start/player.gd");
    let mut players = Vec::new();
    for key in ["ui_right", "ui_down"] {
        let mut command = godot.script(&folder.join("game"), &driver.to_string_lossy());
        command.arg(format!("--key={key}"));
        players.push(Process::start(key, &mut command, &log(&format!("quick-start-{key}")))?);
    }
    for player in &mut players {
        let limit = now() + PROCESS_TIMEOUT;
        if !player.wait_until(limit, |player| player.output().contains(BOTH_MOVE)) {
            let Process { who, .. } = &*player;
            let lines = player.output() + &player.errors();
            return Err(format!("the player with {who} does not see both move: {lines}"));
        }
    }
    let lines = server.errors() + &server.output();
    if let Some(warning) = lines.lines().find(|line| line.contains("WARN")) {
        return Err(format!("the server warns: {warning}"));
    }
    drop(players);
    let mistakes = mistakes::play(godot, &folder.join("game"))?;
    server.interrupt();
    server.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    match server.ended() {
        Some(status) if status.success() => {}
        status => return Err(format!("the server after Ctrl-C: {status:?}")),
    }
    Ok(format!(
        "two players from an empty folder see each other move; {mistakes} mistakes are explained"
    ))
}

/// Line of a player who sees that both players have moved, each in the direction of its key.
const BOTH_MOVE: &str = "both players move";

/// A file of the page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PageFile<'a> {
    pub(crate) name: PathBuf,
    pub(crate) text: &'a str,
}

/// Returns the code blocks below a line that consists of a path in backticks.
pub(crate) fn files(page: &str) -> Result<Vec<PageFile<'_>>, String> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("\n```") {
        let (code, next) = after
            .split_once('\n')
            .and_then(|(_language, code)| code.split_once("\n```"))
            .ok_or("the page has a code block without an end")?;
        let above = before.trim_end().lines().last().unwrap_or_default();
        let name = above.strip_prefix('`').and_then(|it| it.strip_suffix('`'));
        if let Some(name) = name.filter(|name| !name.contains('`')) {
            let name = PathBuf::from(name);
            if !name.components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(format!("{} is not a path within the folder", name.display()));
            }
            found.push(PageFile { name, text: code });
        }
        rest = next;
    }
    if found.is_empty() { Err("the page has no files".to_owned()) } else { Ok(found) }
}

/// Returns the text of a file, with a free port instead of 7777 and the path of this crate `mp`.
fn adapted(name: &Path, text: &str, port: u16) -> Result<String, String> {
    let mp = root().join("crates/mp");
    let mp = mp.to_string_lossy();
    let port = port.to_string();
    let changes: &[(&str, &str)] = match name.to_str() {
        Some("server/Cargo.toml") => &[("../../mp/crates/mp", &mp)],
        Some("server/src/main.rs" | "game/main.gd") => &[("7777", &port)],
        _ => &[],
    };
    let mut text = format!("{text}\n");
    if name.ends_with("Cargo.toml") {
        text += "\n[workspace]\n"; // target/ is below another workspace
    }
    for (from, to) in changes {
        if !text.contains(from) {
            return Err(format!("{} does not contain {from}", name.display()));
        }
        text = text.replace(from, to);
    }
    Ok(text)
}

/// Builds the server with the versions of this workspace's lock file. Returns its program.
fn build(server: &Path) -> Result<PathBuf, String> {
    write(&server.join("Cargo.lock"), &read(&root().join("Cargo.lock"))?)?;
    let mut command = cargo();
    command.current_dir(server).args(["build", "--quiet"]);
    // The profile of the workspace, whose build of C libraries is used.
    for setting in ["debug='line-tables-only'", "package.'*'.debug=false"] {
        command.arg("--config").arg(format!("profile.dev.{setting}"));
    }
    run(command.env("CARGO_TARGET_DIR", target()))?;
    Ok(target().join("debug/moving-server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_the_code_blocks_below_a_path() {
        let page =
            "Text.\n\n`a/b.txt`\n\n```ini\none\n\ntwo\n```\n\nNot `a file`:\n\n```sh\nrun\n```\n";
        let expected = PageFile { name: PathBuf::from("a/b.txt"), text: "one\n\ntwo" };
        assert_eq!(files(page).unwrap(), [expected]);
        assert!(files("`../x`\n\n```\na\n```\n").unwrap_err().contains("not a path within"));
        assert!(files("nothing").is_err());
    }

    #[test]
    fn the_page_has_all_files_and_the_texts_that_the_step_changes() {
        let page = read(&root().join(PAGE)).unwrap();
        let names: Vec<_> = files(&page)
            .unwrap()
            .into_iter()
            .map(|PageFile { name, text }| {
                adapted(&name, text, 1).unwrap();
                name.to_string_lossy().into_owned()
            })
            .collect();
        let expected = [
            "game/project.godot",
            "game/main.tscn",
            "game/main.gd",
            "game/player.tscn",
            "game/player.gd",
            "server/Cargo.toml",
            "server/src/main.rs",
        ];
        assert_eq!(names, expected);
    }
}
