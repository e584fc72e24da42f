//! A client in a game's own loop: no actors, no runtime, a plain socket. Its server runs in another thread, in a loop of the
//! same kind.
//!
//!     cargo run -p mp-examples --bin game-loop
//!
//! prints
//!
//!     server: a driver has come
//!     client: the car is past 25
//!     client: the car is past 50
//!     client: the car is past 75
//!     client: the car is past 100
//!     server: the driver has left

use std::error::Error;
use std::thread::{sleep, spawn};
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_core::variant::Vector2;
use mp_core::{DisconnectReason, Farewell};
use mp_scene::prelude::*;
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer, ServerOptions};

mod car;

use car::{Car, garage, road};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let any_port = ([127, 0, 0, 1], 0).into();
    let server = EnetMultiplayerPeer::create_server(any_port, ServerOptions::default())?;
    let address = server.local_addr()?;
    let client = EnetMultiplayerPeer::create_client(address, ClientOptions::default())?;
    // A branch stays on the thread on which it is built.
    let server = spawn(|| serve(server));
    play(client)?;
    server.join().map_err(|_| "the server panicked")?
}

/// The game. It is over when the car is past 100.
fn play(mut peer: EnetMultiplayerPeer) -> Result<(), Failure> {
    let mut branch = road().build()?;
    let car = NodeRef::<Car>::new(branch.scene().find("Car")?);
    let clock = SystemClock::new();
    let mut drawn = 0;
    while drawn < 100 {
        // Calls from the server run in here.
        branch.poll(&mut peer, clock.now());
        while let Some(signal) = branch.next_signal() {
            if matches!(signal, Signal::ConnectionFailed | Signal::ServerDisconnected) {
                return Err("there is no server".into());
            }
        }
        let scene = branch.scene();
        if scene.multiplayer().has_peer(PeerId::SERVER) {
            // What the player's hands do; it leaves with the next poll.
            scene.rpc_id(PeerId::SERVER, car, "steer", (Vector2::new(1.0, 0.0),))?;
        }
        let x = scene.get(car)?.position.x;
        while drawn < 100 && x >= (drawn + 25) as f32 {
            drawn += 25;
            println!("client: the car is past {drawn}");
        }
        sleep(FRAME);
    }
    // The goodbye leaves with the last poll.
    branch.close(DisconnectReason::Closed, Farewell::Drain);
    branch.poll(&mut peer, clock.now());
    Ok(())
}

/// The server, until its driver has left.
fn serve(mut peer: EnetMultiplayerPeer) -> Result<(), Failure> {
    let mut branch = garage().build()?;
    let clock = SystemClock::new();
    loop {
        branch.poll(&mut peer, clock.now());
        while let Some(signal) = branch.next_signal() {
            match signal {
                Signal::PeerConnected(_) => println!("server: a driver has come"),
                Signal::PeerDisconnected(_) => {
                    println!("server: the driver has left");
                    return Ok(());
                }
                _ => {}
            }
        }
        sleep(FRAME / 4);
    }
}

const FRAME: Duration = Duration::from_millis(16);
