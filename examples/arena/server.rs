//! Authoritative server with RPCs and replication for a Godot 4 game.
//!
//!     cargo run -p mp-examples --bin arena-server
//!
//! With a player (`godot --headless --path examples/arena/godot`) and Ctrl-C it prints
//!
//!     arena on UDP port 7780
//!     Ann enters
//!     Ann leaves
//!     closed

use std::process::ExitCode;

use mp_actor::StartError;
use mp_transport_enet::{EnetMultiplayerPeer, ServerOptions};

mod arena;

fn main() -> ExitCode {
    let port = std::env::args().nth(1).unwrap_or_else(|| "7780".to_owned());
    let Ok(port) = port.parse() else {
        eprintln!("invalid port {port:?}: use a number from 1 to 65535");
        return ExitCode::from(2);
    };
    match actix_rt::System::new().block_on(serve(port)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

async fn serve(port: u16) -> Result<(), StartError> {
    let address = (std::net::Ipv4Addr::UNSPECIFIED, port).into();
    let server = mp_actor::branch(|| arena::branch().build())
        .serve(move || EnetMultiplayerPeer::create_async_server(address, ServerOptions::default()))
        .await?;
    println!("arena on UDP port {port}");

    tokio::signal::ctrl_c().await.map_err(|error| StartError::Transport(error.into()))?;
    server.close().await;
    println!("closed");
    Ok(())
}
