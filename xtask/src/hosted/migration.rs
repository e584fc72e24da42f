//! A game whose host is killed, after which a guest hosts it.

use std::fs;

use super::FOLDER;
use super::lossy::LossyProxy;
use super::parts::{Parts, Way, check_errors, expect, id};
use crate::godot::Godot;
use crate::process::Process;

/// The settings of the template. The guest that joins without a host needs a part of the grace.
const SETTINGS: &str = "host = \"first\"\nnext_host = \"oldest\"\nhost_grace = 8\n";

/// Runs a server, a host that is killed, and guests: one joins without a host, one of the others
/// becomes the host, and the first host returns as a guest. Of the datagrams over ENet, also of
/// those that are in flight then, 5 % are lost.
///
/// # Errors
///
/// Returns the first client that does not see what it should, with its output.
pub(super) fn play(godot: &Godot) -> Result<(), String> {
    let mut room = Parts::new(godot, FOLDER, "lasting-server", SETTINGS)?;
    let _server = room.server("lasting-server")?;
    let path = LossyProxy::start(room.enet).map_err(|error| format!("proxy: {error}"))?;
    room.enet = path.port();
    // The room notices at once that a WebSocket connection is closed.
    let mut host = room.player("first-host", Way::WebSocket, &["--host"])?;
    id(&mut host)?;
    let mut next = room.player("next-host", Way::Enet, &[])?;
    let next_id = id(&mut next)?;
    let mut guests =
        [room.player("guest-enet", Way::Enet, &[])?, room.player("guest-ws", Way::WebSocket, &[])?];
    let ids = [id(&mut guests[0])?, id(&mut guests[1])?];
    let signal = room.log("first-host-is-gone");
    let _ = fs::remove_file(&signal);
    let after = format!("--after={}", signal.display());
    let mut late = room.player("guest-late", Way::Enet, &[&after])?;
    for guest in guests.iter_mut().chain([&mut next]) {
        let players = ids.iter().chain([&next_id]).map(|id| format!("player {id}"));
        let lines = ["hp 1 50", "moved 1", "box red", "item apple 3", "says 1 odd"];
        for line in players.chain(lines.map(str::to_owned)) {
            expect(guest, &line)?;
        }
    }
    expect(&mut next, &format!("greets {} even", ids[0]))?;
    drop(host); // SIGKILL
    fs::write(&signal, "").map_err(|error| format!("{}: {error}", signal.display()))?;

    let late_id = id(&mut late)?;
    for line in ["player 1", "box red", "item apple 3"] {
        expect(&mut late, line)?;
    }
    expect(&mut late, &format!("player {}", ids[1]))?;
    expect(&mut next, "hosts")?;
    joined_before(&late, "item apple 3", &format!("gone {next_id}"))?;
    for guest in guests.iter_mut().chain([&mut late]) {
        // The next host goes on as the player 1, whom the guests know.
        for line in [&format!("gone {next_id}"), &format!("removed {next_id}"), "ran 1", "hp 1 10"]
        {
            expect(guest, line)?;
        }
        for line in ["item apple 4", "says 1 odd again", "says 1 even again"] {
            expect(guest, line)?;
        }
        expect(guest, &format!("player {late_id}"))?;
        appears_once(guest, "player 1")?;
        appears_once(guest, "box red")?;
    }
    for id in ids.iter().chain([&late_id]) {
        expect(&mut next, &format!("asked {id} even"))?;
    }

    let mut returned = room.player("returned-host", Way::WebSocket, &[])?;
    let returned_id = id(&mut returned)?;
    for line in ["player 1", "hp 1 10", "box red", "item apple 4", "says 1 odd again"] {
        expect(&mut returned, line)?;
    }
    expect(&mut next, &format!("asked {returned_id} odd"))?;
    if path.lost() == 0 {
        return Err("no datagram was lost".to_owned());
    }
    let [enet, ws] = guests;
    [&enet, &ws, &late, &next, &returned].into_iter().try_for_each(check_errors)
}

/// Checks that a client has printed `line` before `other`.
fn joined_before(player: &Process, line: &str, other: &str) -> Result<(), String> {
    let output = player.output();
    let position = |text: &str| output.lines().position(|it| it == text);
    match (position(line), position(other)) {
        (Some(first), Some(second)) if first > second => {
            Err(format!("{} joins too late, after the next host: {output}", player.who))
        }
        _ => Ok(()),
    }
}

/// Checks that a client has printed a line once: the node was not spawned again.
fn appears_once(player: &Process, line: &str) -> Result<(), String> {
    let output = player.output();
    match output.lines().filter(|it| *it == line).count() {
        1 => Ok(()),
        times => Err(format!("{} prints {line:?} {times} times: {output}", player.who)),
    }
}
