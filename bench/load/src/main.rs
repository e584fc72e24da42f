//! Load generator of the benchmarks. It is the same for all contenders, checks every delivery, and
//! never sleeps while there is traffic, so that servers spend no CPU time on waking it.
//! mp-bench-common describes its input and output.

mod admin_client;
mod calls;
mod clock;
mod control;
mod delivery_counter;
mod empty_rooms;
mod percentile;
mod room_creator;
mod stamp;
mod stream;
mod sync;
mod udp;

use std::error::Error;

use clap::{Parser, Subcommand};

/// Generate load for the benchmark of a server on a local port.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Subcommand)]
enum Kind {
    /// Clients of ENet, WebRTC or plain datagrams, with or without Godot's encoding
    Udp(udp::Args),
    /// Godot clients that receive replicated nodes
    Sync(sync::Args),
    /// Godot clients of a node with RPC methods
    Calls(calls::Args),
    /// TCP clients, with or without WebSocket
    Stream(stream::Args),
    /// Rooms of mp-server without clients
    EmptyRooms(empty_rooms::Args),
}

fn main() -> Result<(), Box<dyn Error>> {
    match Cli::parse().kind {
        Kind::Udp(args) => udp::run(&args),
        Kind::Sync(args) => sync::run(&args),
        Kind::Calls(args) => calls::run(&args),
        Kind::Stream(args) => stream::run(&args),
        Kind::EmptyRooms(args) => empty_rooms::run(&args),
    }
}
