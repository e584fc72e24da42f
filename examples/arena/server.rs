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

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use mp_actor::{BranchRef, StartError};
use mp_core::Rng;
use mp_signaling::{LobbyHost, SignalingOptions};
use mp_transport_enet::{EnetMultiplayerPeer, ServerOptions};
use mp_transport_webrtc::{Signaling, WebRtcMultiplayerPeer, WebRtcOptions};
use mp_transport_ws::{ServerOptions as WsServerOptions, TextOptions, WebSocketMultiplayerPeer};
use tokio::sync::oneshot;

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
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let server = mp_actor::branch(|| arena::branch().build())
        .serve(move || EnetMultiplayerPeer::create_async_server(address, ServerOptions::default()))
        .await?;
    let signaling = add_webrtc(&server).await?;
    server
        .add_endpoint(move || {
            let options = WsServerOptions::default();
            let mut peer = WebSocketMultiplayerPeer::create_async_server(address, options)?;
            peer.serve_text(TextOptions::new("/webrtc"), Box::new(signaling));
            Ok::<_, mp_transport_ws::CreateError>(peer)
        })
        .await?;
    println!(
        "arena on port {port}: UDP for ENet, TCP for WebSocket and WebRTC signaling (/webrtc)"
    );

    tokio::signal::ctrl_c().await.map_err(|error| StartError::Transport(error.into()))?;
    server.close().await;
    println!("closed");
    Ok(())
}

/// Serves the branch over WebRTC. Returns the signaling through which browsers join.
async fn add_webrtc(server: &BranchRef) -> Result<LobbyHost, StartError> {
    let (sender, receiver) = oneshot::channel::<Signaling>();
    server
        .add_endpoint(move || {
            // Any free port, which signaling announces. Behind a firewall, choose a fixed one.
            let address = (Ipv4Addr::UNSPECIFIED, 0).into();
            let options = WebRtcOptions::default().ice_lite(true);
            let mut peer = WebRtcMultiplayerPeer::create_async_server(address, options)?;
            // Fails only if the start was cancelled.
            sender.send(peer.signaling()).ok();
            Ok::<_, mp_transport_webrtc::CreateError>(peer)
        })
        .await?;
    let transport = receiver.await.map_err(|error| StartError::Transport(error.into()))?;
    let seed = mp_core::host::os_seed().map_err(|error| StartError::Transport(error.into()))?;
    let mut options = SignalingOptions::default();
    options.creates_lobbies = false;
    Ok(LobbyHost::new("arena", options, transport, Rng::from_seed(seed)))
}
