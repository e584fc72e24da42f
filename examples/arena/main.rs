//! A game with an authoritative server, for Godot 4, for browsers and for bots. Players collect
//! coins; the server decides who moves where and who gets a coin.
//!
//!     cargo run -p mp-examples --bin arena -- serve
//!
//! With a player (`godot --headless --path examples/arena/godot`) and Ctrl-C it prints
//!
//!     arena on port 7780: UDP for ENet, TCP for WebSocket and WebRTC signaling (/webrtc)
//!     Ann enters
//!     Ann leaves
//!     closed
//!
//! README.md has a picture of the game, and the commands for players and bots.
//!
//! Read next: arena.rs (the rules), player.rs (replication), bots.rs (a client in Rust), view.rs
//! (statistics of a running server), tests.rs (the game over a lossy network in virtual time).

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mp::core::ErrorChain;

mod arena;
mod bots;
mod coin;
mod player;
mod snapshot;
#[cfg(test)]
mod tests;
mod view;

use bots::BotArgs;

/// A game with an authoritative server.
#[derive(Parser)]
#[command(name = "arena")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server until Ctrl-C.
    Serve {
        /// Port of ENet (UDP), and of WebSocket and WebRTC signaling (TCP)
        #[arg(long, default_value_t = 7780)]
        port: u16,
        /// Draws the arena in the terminal; prints lines if the output is no terminal
        #[arg(long)]
        view: bool,
    },
    /// Adds players that collect coins, over ENet, until Ctrl-C.
    Bots(BotArgs),
}

fn main() -> ExitCode {
    let done = mp::actor::block_on(async {
        match Cli::parse().command {
            Command::Serve { port, view } => serve(port, view).await,
            Command::Bots(args) => bots::run(&args).await,
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", ErrorChain::new(&*error));
            ExitCode::from(2)
        }
    }
}

async fn serve(port: u16, with_view: bool) -> Result<(), Box<dyn Error>> {
    // WebRTC uses any free port, which signaling announces. Behind a firewall, choose a fixed one.
    let game = mp::serve(|| arena::branch().build());
    let server = game.enet(port).websocket(port).webrtc(0).await?;
    println!(
        "arena on port {port}: UDP for ENet, TCP for WebSocket and WebRTC signaling (/webrtc)"
    );
    tokio::select! {
        _ = server.close_on_ctrl_c() => {}
        // Ends when the server does.
        _ = view::run(&server), if with_view => {}
    }
    println!("closed");
    Ok(())
}
