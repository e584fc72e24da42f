//! A client in a game's own main loop, without actors and async runtime. The server runs in another
//! thread, in a loop of the same kind.
//!
//!     cargo run -p mp-examples --bin game-loop
//!
//! prints
//!
//!     server: a driver connected
//!     client: the car is past 25
//!     client: the car is past 50
//!     client: the car is past 75
//!     client: the car is past 100
//!     server: the driver disconnected

use std::error::Error;
use std::thread::{sleep, spawn};
use std::time::Duration;

use mp::core::host::SystemClock;
use mp::core::{CloseMode, DisconnectReason};
use mp::enet::{ClientOptions, ServerOptions};
use mp::prelude::*;

mod car;

use car::{Car, garage, road};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let any_port = ([127, 0, 0, 1], 0).into();
    let server = EnetMultiplayerPeer::create_server(any_port, ServerOptions::default())?;
    let address = server.local_addr()?;
    let client = EnetMultiplayerPeer::create_client(address, ClientOptions::default())?;
    // A branch must stay on the thread that built it.
    let server = spawn(|| serve(server));
    play(client)?;
    server.join().map_err(|_| "the server panicked")?
}

/// Runs the game until the car is past 100.
fn play(mut peer: EnetMultiplayerPeer) -> Result<(), Failure> {
    let mut branch = road().build()?;
    let car = NodeRef::<Car>::new(branch.scene().find("Car")?);
    let clock = SystemClock::new();
    let mut drawn = 0;
    while drawn < 100 {
        // Runs RPCs from the server.
        branch.poll(&mut peer, clock.now());
        while let Some(signal) = branch.next_signal() {
            if matches!(signal, Signal::ConnectionFailed | Signal::ServerDisconnected) {
                return Err("cannot connect to the server".into());
            }
        }
        let scene = branch.scene();
        if scene.multiplayer().has_peer(PeerId::SERVER) {
            // Input of the player; sent by the next poll.
            scene.rpc_id(PeerId::SERVER, car, "steer", (Vector2::new(1.0, 0.0),))?;
        }
        let x = scene.get(car)?.position.x;
        while drawn < 100 && x >= (drawn + 25) as f32 {
            drawn += 25;
            println!("client: the car is past {drawn}");
        }
        sleep(FRAME);
    }
    // The disconnect is sent by the last poll.
    branch.close(DisconnectReason::Closed, CloseMode::Drain);
    branch.poll(&mut peer, clock.now());
    Ok(())
}

/// Runs the server until the driver has left.
fn serve(mut peer: EnetMultiplayerPeer) -> Result<(), Failure> {
    let mut branch = garage().build()?;
    let clock = SystemClock::new();
    loop {
        branch.poll(&mut peer, clock.now());
        while let Some(signal) = branch.next_signal() {
            match signal {
                Signal::PeerConnected(_) => println!("server: a driver connected"),
                Signal::PeerDisconnected(_) => {
                    println!("server: the driver disconnected");
                    return Ok(());
                }
                _ => {}
            }
        }
        sleep(FRAME / 4);
    }
}

const FRAME: Duration = Duration::from_millis(16);
