//! Authoritative server with RPCs and replication, for a Godot 4 game and for browsers.
//!
//!     cargo run -p mp-examples --bin arena-server
//!
//! With a player (`godot --headless --path examples/arena/godot`) and Ctrl-C it prints
//!
//!     arena on port 7780: UDP for ENet, TCP for WebSocket and WebRTC signaling (/webrtc)
//!     Ann enters
//!     Ann leaves
//!     closed
//!
//! The web page in `examples/web` joins over WebRTC.

use std::process::ExitCode;

use mp::ServeError;
use mp::core::ErrorChain;

mod arena;

fn main() -> ExitCode {
    let port = std::env::args().nth(1).unwrap_or_else(|| "7780".to_owned());
    let Ok(port) = port.parse() else {
        eprintln!("invalid port {port:?}: use a number from 1 to 65535");
        return ExitCode::from(2);
    };
    match mp::actor::block_on(serve(port)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", ErrorChain::new(&error));
            ExitCode::from(2)
        }
    }
}

async fn serve(port: u16) -> Result<(), ServeError> {
    // WebRTC uses any free port, which signaling announces. Behind a firewall, choose a fixed one.
    let game = mp::serve(|| arena::branch().build());
    let server = game.enet(port).websocket(port).webrtc(0).await?;
    println!(
        "arena on port {port}: UDP for ENet, TCP for WebSocket and WebRTC signaling (/webrtc)"
    );
    server.close_on_ctrl_c().await;
    println!("closed");
    Ok(())
}
