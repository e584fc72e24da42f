//! A picture of the example `arena`: its Godot project in a browser, with bots.

use std::fs;
use std::process::Command;

use crate::example::start_arena;
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::web::{self, browser};
use crate::web_page::node;
use crate::workspace::{binary, root, target};

/// Runs the server, bots and Godot's web build; moves the player by arrow keys, and takes a
/// picture. With `save` it replaces the one of the example's README.
///
/// # Errors
///
/// Returns an error if the player does not move where the keys lead, or the picture is too large.
pub(crate) fn take(godot: &Godot, save: bool) -> Result<String, String> {
    let folder = target().join("arena-picture");
    drop(fs::remove_dir_all(&folder)); // fails if there was no run before
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let log = |who: &str| folder.join(format!("{who}.log"));
    let port = free_port()?;
    let mut server = start_arena(port, &["--view"], &log("server"))?;
    let mut command = Command::new(binary("arena"));
    command.args(["bots", "--count", BOTS, &format!("127.0.0.1:{port}")]);
    let mut bots = Process::start("bots", &mut command, &log("bots"))?;

    let address = web::serve(godot, &root().join("examples/arena/godot"), "")?;
    let signaling = format!("ws://127.0.0.1:{port}/webrtc");
    let url = format!("http://{address}/game.html?arg=--name={NAME}&arg=--url={signaling}");
    let picture = folder.join("arena.png");
    let mut command = Command::new(node()?);
    command.arg(root().join("interop/web/picture.js")).arg(browser()?);
    command.arg(folder.join("profile")).arg(url).arg(SIZE).arg(&picture);
    let mut player = Process::start("player", &mut command, &log("player"))?;
    player.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    if !player.ended().is_some_and(|status| status.success()) {
        return Err(format!("the player: {}{}", player.errors(), bots.errors()));
    }
    for process in [&mut bots, &mut server] {
        process.interrupt();
        process.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    }
    let (x, y) = farthest(&server.output()).ok_or("the server saw no player")?;
    if x < MOVED || y < MOVED {
        return Err(format!("the arrow keys moved the player only to ({x}, {y})"));
    }
    let bytes = fs::read(&picture).map_err(|e| format!("{}: {e}", picture.display()))?.len();
    if bytes > PICTURE_BYTES_MAX {
        return Err(format!("{}: {bytes} bytes, more than {PICTURE_BYTES_MAX}", picture.display()));
    }
    if save {
        let kept = root().join("examples/arena/arena.png");
        fs::copy(&picture, &kept).map_err(|e| format!("{}: {e}", kept.display()))?;
    }
    Ok(format!("the arrow keys move the player; {} has {bytes} bytes", picture.display()))
}

/// Returns the largest coordinates of the player in the lines of the server's view.
fn farthest(output: &str) -> Option<(f64, f64)> {
    let place = |line: &str| -> Option<(f64, f64)> {
        let (_, rest) = line.split_once(&format!("{NAME} is at ("))?;
        let (x, y) = rest.split_once(')')?.0.split_once(", ")?;
        Some((x.parse().ok()?, y.parse().ok()?))
    };
    output.lines().filter_map(place).reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)))
}

const NAME: &str = "Ann";
const BOTS: &str = "7";
/// Size of the project's window.
const SIZE: &str = "1200x640";
const PICTURE_BYTES_MAX: usize = 60_000;
/// Pixels that the player moves at least in each direction: a third of what the keys allow.
const MOVED: f64 = 60.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn farthest_reads_the_lines_of_the_view() {
        let output = "2 players, 8 coins\nAnn is at (9, -2) with 3 coins\nBob is at (99, 99) with\nAnn is at (7, 4) with\n";
        assert_eq!(farthest(output), Some((9.0, 4.0)));
        assert_eq!(farthest("closed\n"), None);
    }
}
