//! A game that is kept when the server ends, and goes on after its restart.

use std::fs;

use super::FOLDER;
use super::parts::{Parts, Way, check_errors, expect, id};
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, now};

/// Runs a server with a host and a guest, ends it, and runs another one: the first player hosts the
/// game with the nodes that were kept, and the second one sees them.
///
/// # Errors
///
/// Returns the first client that does not see what it should, with its output.
pub(super) fn play(godot: &Godot) -> Result<(), String> {
    let states = crate::workspace::target().join("interop").join(FOLDER).join("states");
    let _ = fs::remove_dir_all(&states);
    let settings = format!(
        "host = \"first\"\nnext_host = \"oldest\"\nkeep = true\n[snapshots]\nfolder = {states:?}\n"
    );
    let room = Parts::new(godot, FOLDER, "kept-server", &settings)?;
    let mut server = room.server("kept-server")?;
    let mut host = room.player("kept-host", Way::Enet, &["--host"])?;
    id(&mut host)?;
    let mut guest = room.player("kept-guest", Way::WebSocket, &[])?;
    for line in ["player 1", "hp 1 50", "box red", "item apple 3"] {
        expect(&mut guest, line)?;
    }
    [&host, &guest].into_iter().try_for_each(check_errors)?;
    server.terminate();
    server.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    if server.ended().is_none() {
        return Err(format!("mp-server does not end: {}", server.errors()));
    }
    // Without a connection the game reports that it has none.
    expect(&mut guest, "disconnected")?;

    let _server = room.server("restarted-server")?;
    let mut next = room.player("restarted-host", Way::WebSocket, &[])?;
    id(&mut next)?;
    for line in ["player 1", "hp 1 50", "box red", "item apple 3", "hosts"] {
        expect(&mut next, line)?;
    }
    let mut guest = room.player("restarted-guest", Way::Enet, &[])?;
    let guest_id = id(&mut guest)?;
    for line in ["player 1", "box red", "item apple 4", "says 1 odd again", "hp 1 10"] {
        expect(&mut guest, line)?;
    }
    expect(&mut next, &format!("asked {guest_id} even"))?;
    [&next, &guest].into_iter().try_for_each(check_errors)
}
