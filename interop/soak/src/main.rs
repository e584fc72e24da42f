//! The server and the players of `cargo xtask soak` and `cargo xtask overload`.
//!
//! Both are processes that print a JSON object per line, so that the memory of the server is its
//! own. The server is mp-server with rooms on demand; its lines have statistics of the rooms. The
//! players join rooms over ENet and WebSocket, send messages to all others of their room, and check
//! those that they receive; their lines have counters of an interval.

mod connection;
mod message;
mod player;
mod population;
mod report;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Server and players of the soak and the overload test.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs mp-server with a configuration, and prints statistics of its rooms once per second
    Server(server::Args),
    /// Runs players on rooms of a server of this machine
    Players(population::Args),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Server(args) => server::run(&args),
        Command::Players(args) => match population::run(&args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("error: {why}");
                ExitCode::FAILURE
            }
        },
    }
}
