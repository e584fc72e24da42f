//! The relay room: a branch without nodes.
//!
//! Several rooms, a configuration file, WebSocket players and a dashboard have their place here: rooms as more branches
//! behind a door, transports as more endpoints of one branch.

use std::cell::Cell;
use std::net::SocketAddr;
use std::process;
use std::rc::Rc;

use mp_actor::{BranchRef, StartError};
use mp_scene::{Branch, Signal, TreeError};
use mp_transport_enet::{CreateError, EnetMultiplayerPeer};
use tokio::sync::oneshot;

use crate::args::Args;
use crate::shutdown::Shutdown;
use crate::{Failure, banner};

/// Runs the room until a signal ends it.
pub(crate) async fn run(address: SocketAddr, args: &Args) -> Result<(), Failure> {
    // Before anybody can know that the program runs.
    let mut shutdown = Shutdown::new().map_err(|e| Failure::Refused(format!("no signals: {e}")))?;
    let (room, address) = open(address, args).await?;
    tracing::info!(%address, max_clients = args.max_clients(), "the room is open");
    if let Err(error) = banner::print(address, args.max_clients()) {
        tracing::warn!(%error, "standard output takes nothing");
    }

    let signal = tokio::select! {
        signal = shutdown.next() => signal,
        ended = room.closed() => return Err(Failure::Ended(ended.to_string())),
    };
    tracing::info!(signal, "closing");
    tokio::select! {
        ended = room.close() => tracing::info!(%ended, "closed"),
        signal = shutdown.next() => {
            tracing::warn!(signal, "ending without a goodbye");
            process::exit(EXIT_AT_ONCE);
        }
    }
    Ok(())
}

/// Opens the room; returns where it listens.
async fn open(address: SocketAddr, args: &Args) -> Result<(BranchRef, SocketAddr), Failure> {
    let options = args.enet_options().map_err(Failure::Refused)?;
    let (tell, told) = oneshot::channel();
    let room = mp_actor::branch(build).serve(move || -> Result<_, CreateError> {
        let server = EnetMultiplayerPeer::create_async_server(address, options)?;
        let _ = tell.send(server.local_addr().unwrap_or(address));
        Ok(server)
    });
    let room = room.await.map_err(|error| match error {
        StartError::Transport(error) => Failure::Refused(format!("cannot listen: {error}")),
        error => Failure::Ended(error.to_string()),
    })?;
    Ok((room, told.await.unwrap_or(address)))
}

/// A branch that relays, and says now and then how many came and went.
fn build() -> Result<Branch, TreeError> {
    let traffic = Rc::new(Cell::new(Traffic::default()));
    let counted = Rc::clone(&traffic);
    Branch::builder("/root")
        .on_signal(move |_, signal| {
            let mut now = counted.get();
            match signal {
                Signal::PeerConnected(_) => now.joined += 1,
                Signal::PeerDisconnected(_) => now.left += 1,
                _ => return,
            }
            counted.set(now);
        })
        .tick_rate(REPORTS_PER_SECOND)
        .on_process(move |scene, _| {
            let Traffic { joined, left } = traffic.take();
            if joined + left > 0 {
                let players = scene.multiplayer().peers().len();
                tracing::info!(players, joined, left, "players");
            }
        })
        .build()
}

/// Since the last report.
#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    joined: u64,
    left: u64,
}

/// Strangers come and go as they like; the log grows no faster than this.
const REPORTS_PER_SECOND: u32 = 1;
/// What shells give a program that SIGINT killed.
const EXIT_AT_ONCE: i32 = 130;
