//! A game that one of its players hosts, through a room of mp-server: real Godot clients, one of
//! them with authority over the nodes of the server.

mod lossy;
mod migration;
pub(crate) mod parts;
mod recorded;
mod restart;

use std::thread;
use std::time::Duration;

use self::parts::{Parts, Way, check_errors, expect, id};
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::workspace::program;

/// Runs a server, a host and its guests.
///
/// # Errors
///
/// Returns the first client that does not see what it should, with its output.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    let recordings = recorded::folder()?;
    let settings = format!("host = \"first\"\nrecord = {recordings:?}\n");
    let room = Parts::new(godot, FOLDER, "server", &settings)?;
    program("mp-server", "MP_SERVER_BIN")?; // so that its start takes no time
    let began = now();
    let mut server = room.server("server")?;
    let mut host = room.player("host", Way::Enet, &["--host"])?;
    let host_id = id(&mut host)?;
    let mut guests =
        [room.player("enet", Way::Enet, &[])?, room.player("ws", Way::WebSocket, &[])?];
    let ids = [id(&mut guests[0])?, id(&mut guests[1])?];
    guests_see_a_server(&mut host, &mut guests, &ids)?;

    // The state that a late guest receives differs from that of a new player.
    expect(&mut host, "hp 1 50")?;
    guests.iter_mut().try_for_each(|guest| expect(guest, "hp 1 50"))?;
    let first = began.elapsed();
    thread::sleep(HOLD);
    let mut late = room.player("late", Way::Enet, &[])?;
    let late_id = id(&mut late)?;
    for line in ["hp 1 50", "player 1", "moved 1", "says 1 even", "says 1 odd"] {
        expect(&mut late, line)?;
    }
    expect(&mut late, &format!("player {}", ids[1]))?;

    let [enet, mut ws] = guests;
    check_errors(&enet)?;
    enet.terminate();
    expect(&mut host, &format!("gone {}", ids[0]))?;
    for guest in [&mut ws, &mut late] {
        expect(guest, &format!("gone {}", ids[0]))?;
        expect(guest, &format!("removed {}", ids[0]))?;
    }
    for player in [&host, &ws, &late] {
        check_errors(player)?;
        if player.output().contains(&format!("peer {host_id}")) {
            return Err(format!("{} sees the host as a client", player.who));
        }
    }
    expect(&mut ws, &format!("peer {late_id}"))?;

    let last = began.elapsed();
    thread::sleep(HOLD);
    drop(host); // SIGKILL
    for guest in [&mut ws, &mut late] {
        expect(guest, "disconnected")?;
    }
    server.terminate();
    server.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    if server.ended().is_none() {
        return Err(format!("mp-server does not end: {}", server.errors()));
    }
    let [early, watched] = ids;
    let session = recorded::Session { watched, early, late: late_id, first, last };
    recorded::check(godot, &recordings, &session)?;
    migration::play(godot)?;
    restart::play(godot)?;
    Ok("spawns, properties, calls and late guests, over ENet and WebSocket; the recording replays, \
        and a client watches it; the host is killed, and a guest goes on, with 5 % of the datagrams \
        lost; the game goes on after a restart of the server"
        .to_owned())
}

/// Checks what the guests and the host receive.
fn guests_see_a_server(
    host: &mut Process,
    guests: &mut [Process; 2],
    ids: &[String; 2],
) -> Result<(), String> {
    for (guest, [own, other]) in guests.iter_mut().zip([[&ids[0], &ids[1]], [&ids[1], &ids[0]]]) {
        for line in ["says 1 odd", "says 1 even", "player 1", "hp 1 ", "moved 1"] {
            expect(guest, line)?;
        }
        for line in [
            format!("peer {other}"),
            format!("player {own}"),
            format!("player {other}"),
            format!("moved {own}"),
            format!("moved {other}"),
            format!("greets {other} odd"),
            format!("greets {other} even"),
        ] {
            expect(guest, &line)?;
        }
        for line in [
            format!("peer {own}"),
            format!("moves {own}"),
            format!("asked {own} odd"),
            format!("asked {own} even"),
        ] {
            expect(host, &line)?;
        }
    }
    Ok(())
}

/// Folder of the logs.
const FOLDER: &str = "hosted";

/// Time for which the two states stay that the watcher of the recording seeks. A recording begins
/// after the server was started, so that its times are earlier than those of this program.
const HOLD: Duration = Duration::from_secs(2);
