//! The players of the benchmarks. They are the same for all contenders, check every delivery, and never sleep while there is
//! traffic, so that a server is not charged for waking them. What they hear and say is in mp-bench-common.

mod clock;
mod control;
mod enet;
mod stamp;
mod stream;
mod sync;
mod tally;

use std::error::Error;

use clap::{Parser, Subcommand};

/// Players for a benchmark of the server on a port of this machine.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Subcommand)]
enum Kind {
    /// ENet clients, bare or as Godot's
    Enet(enet::Args),
    /// Godot's clients that watch replicated nodes
    Sync(sync::Args),
    /// TCP clients, bare or WebSocket's
    Stream(stream::Args),
}

fn main() -> Result<(), Box<dyn Error>> {
    match Cli::parse().kind {
        Kind::Enet(args) => enet::run(&args),
        Kind::Sync(args) => sync::run(&args),
        Kind::Stream(args) => stream::run(&args),
    }
}
