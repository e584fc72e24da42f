//! The server of `cargo xtask moves`: mp-server with the room type `game`, whose players are the
//! Godot project beside this program. An operator moves them between rooms. The players of the room
//! type `tally` are those of `cargo xtask rooms`, who resume their sessions.
//!
//! A room of the type `game` prints `misrouted PEER TEXT` for a call that its player made in
//! another room, and when a player has left `left ROOM PEER` with statistics of the visit.

mod nodes;
mod room;
mod tally;

use std::process::ExitCode;

use mp_server::ServerBuilder;

fn main() -> ExitCode {
    let server = ServerBuilder::new().room_type("game", room::room);
    server.room_type("tally", tally::room).run(std::env::args_os())
}
