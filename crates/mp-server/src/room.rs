//! The relay room: a branch without nodes.
//!
//! Several rooms would be branches behind a router; further transports are endpoints of the branch.

use std::cell::Cell;
use std::net::SocketAddr;
use std::process;
use std::rc::Rc;

use mp_actor::{BranchRef, EndReason, StartError};
use mp_core::{ErrorChain, Rng};
use mp_scene::{Branch, BuildError, Scene, Signal};
use mp_tls::CertificateStore;
use mp_transport_enet::EnetShards;
use mp_transport_ws::io::TokioTcp;
use mp_transport_ws::{ServerOptions, WebSocketMultiplayerPeer};
use tokio::sync::oneshot;

use crate::addresses::{Addresses, Listeners};
use crate::banner::Secured;
use crate::config::{Config, ListenConfig};
use crate::log_queue::LogQueue;
use crate::shutdown::Shutdown;
use crate::{Failure, banner, certificates, options, webrtc};

/// Runs the room until a signal stops it.
pub(crate) async fn run<F>(config: &Config, build: F, logs: &LogQueue) -> Result<(), Failure>
where
    F: FnOnce(usize) -> Result<Branch, BuildError> + Send + 'static,
{
    // Before any output shows that the program runs.
    let mut shutdown =
        Shutdown::new().map_err(|e| Failure::Refused(format!("cannot listen for signals: {e}")))?;
    let tls = options::tls(config).map_err(Failure::Refused)?;
    let listeners = Listeners::new(config).map_err(Failure::Refused)?;
    let (room, addresses) = open(listeners, tls.clone(), config, build).await?;
    let Addresses { enet, ws, webrtc, signaling } = addresses;
    let max_clients = options::max_players(config);
    tracing::info!(enet = %shown(enet), ws = %shown(ws), webrtc = %shown(webrtc), signaling = %shown(signaling), tls = tls.is_some(), max_clients, "the room is open");
    let is_secure = |listener: Option<&ListenConfig>| listener.is_some_and(|it| it.tls);
    let secured = Secured { enet: is_secure(listeners.enet), ws: is_secure(listeners.tcp()) };
    if let Err(error) = banner::print(addresses, secured, max_clients) {
        tracing::warn!(%error, "cannot write to standard output");
    }
    if let Some(tls) = tls {
        actix::spawn(certificates::watch(tls));
    }

    let signal = tokio::select! {
        signal = shutdown.next() => signal,
        ended = room.closed() => return Err(Failure::Ended(ended.to_string())),
    };
    tracing::info!(signal, "closing");
    tokio::select! {
        ended = room.close() => match ended {
            EndReason::Panicked(_) => return Err(Failure::Ended(ended.to_string())),
            ended => tracing::info!(%ended, "closed"),
        },
        signal = shutdown.next() => {
            tracing::warn!(signal, "exiting without disconnecting the players");
            logs.flush_bounded();
            process::exit(EXIT_AT_ONCE);
        }
    }
    Ok(())
}

/// Opens the room on each enabled transport. Returns the addresses on which they listen.
async fn open<F>(
    listeners: Listeners<'_>,
    tls: Option<CertificateStore>,
    config: &Config,
    build: F,
) -> Result<(BranchRef, Addresses), Failure>
where
    F: FnOnce(usize) -> Result<Branch, BuildError> + Send + 'static,
{
    let addresses = listeners.addresses();
    let max_players = usize::from(options::max_players(config));
    let silence = config.webrtc.silence_timeout;
    let build = move || {
        let mut branch = build(max_players)?;
        branch.scene().multiplayer_mut().set_silence_timeout(silence);
        Ok(branch)
    };
    let room = mp_actor::branch(build).start().await.map_err(failure)?;
    let mut bound = Addresses::default();
    if let (Some(address), Some(listener)) = (addresses.enet, listeners.enet) {
        let options = options::enet(config, listener, tls.as_ref());
        let shards = EnetShards::bind(address, options, config.enet.shards.into());
        let shards = shards.map_err(|error| failure(StartError::Transport(error.into())))?;
        bound.enet = shards.local_addr().ok();
        tracing::debug!(threads = shards.count(), "serving ENet");
        room.add_shards(shards.into_servers()).await.map_err(failure)?;
    }
    let mut text = None;
    if let Some(address) = addresses.webrtc {
        let settings = options::webrtc(config, address);
        let (ready, is_ready) = oneshot::channel();
        let (address, of_peer) = (settings.address, settings.clone());
        let serve = room.add_endpoint(move || -> Result<_, mp_transport_webrtc::CreateError> {
            let mut server = webrtc::create(&of_peer)?;
            let address = server.local_addr().unwrap_or(address);
            tracing::debug!(candidates = ?server.local_candidates(), "serving WebRTC");
            let _ = ready.send((address, server.signaling()));
            Ok(server)
        });
        serve.await.map_err(failure)?;
        let Ok((address, signaling)) = is_ready.await else {
            return Err(Failure::Ended("the WebRTC server has ended".to_owned()));
        };
        bound.webrtc = Some(address);
        let seed = mp_core::host::os_seed();
        let seed =
            seed.map_err(|error| Failure::Refused(format!("cannot draw a random seed: {error}")))?;
        let service = webrtc::signaling(&settings, signaling, Rng::from_seed(seed));
        text = Some((webrtc::text_options(&settings), Box::new(service)));
    }
    if let (Some(address), Some(listener)) = (addresses.ws.or(addresses.signaling), listeners.tcp())
    {
        let options = options::web_socket(config, listener, tls);
        let (ready, is_ready) = oneshot::channel();
        let serve = room.add_endpoint(move || -> Result<_, mp_transport_ws::CreateError> {
            let mut server = web_socket(address, addresses, options)?;
            if let Some((of_text, service)) = text {
                server.serve_text(of_text, service);
            }
            let _ = ready.send((server.local_addr().ok(), server.text_local_addr().ok()));
            Ok(server)
        });
        serve.await.map_err(failure)?;
        if let Ok((ws, signaling)) = is_ready.await {
            (bound.ws, bound.signaling) = (ws, signaling);
        }
    }
    Ok((room, bound))
}

/// Creates the server whose first listener is at `address`: for WebSocket players, or for signaling
/// alone.
fn web_socket(
    address: SocketAddr,
    Addresses { ws, signaling, .. }: Addresses,
    options: ServerOptions,
) -> Result<WebSocketMultiplayerPeer<TokioTcp>, mp_transport_ws::CreateError> {
    let listener = TokioTcp::listen(address)?;
    if ws.is_none() {
        return WebSocketMultiplayerPeer::text_server(listener, options);
    }
    let mut server = WebSocketMultiplayerPeer::server(listener, options)?;
    if let Some(signaling) = signaling {
        server.listen_text(TokioTcp::listen(signaling)?);
    }
    Ok(server)
}

fn failure(error: StartError) -> Failure {
    match error {
        StartError::Transport(error) => {
            Failure::Refused(format!("cannot listen: {}", ErrorChain::new(&*error)))
        }
        error => Failure::Ended(ErrorChain::new(&error).to_string()),
    }
}

fn shown(address: Option<SocketAddr>) -> String {
    address.map_or_else(|| "off".to_owned(), |address| address.to_string())
}

/// Returns a branch that relays between up to `max_clients` players and logs at intervals how many
/// joined and left.
///
/// # Errors
///
/// Returns no error at present.
pub fn relay(max_clients: usize) -> Result<Branch, BuildError> {
    let traffic = Rc::new(Cell::new(Traffic::default()));
    let counted = Rc::clone(&traffic);
    Branch::builder("/root")
        .on_signal(move |scene, signal| {
            let mut now = counted.get();
            match signal {
                Signal::PeerConnected(_) => now.joined += 1,
                Signal::PeerDisconnected(_) => now.left += 1,
                _ => return,
            }
            counted.set(now);
            keep_room(scene, signal, max_clients);
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

/// Refuses new connections on all transports while the room is full. Players that join over several
/// transports at the same moment may exceed the limit; the last ones are disconnected.
fn keep_room(scene: &mut Scene, signal: &Signal, max_clients: usize) {
    let multiplayer = scene.multiplayer_mut();
    let players = multiplayer.peers().len();
    if let Signal::PeerConnected(id) = signal
        && players > max_clients
    {
        multiplayer.disconnect_peer(*id);
    }
    let is_full = players >= max_clients;
    if multiplayer.is_refusing_new_connections() != is_full {
        multiplayer.set_refuse_new_connections(is_full);
    }
}

/// Numbers of players that joined and left since the last report.
#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    joined: u64,
    left: u64,
}

/// Maximum rate of log lines about players who join and leave.
const REPORTS_PER_SECOND: u32 = 1;
/// Exit code of shells for a program killed by SIGINT.
const EXIT_AT_ONCE: i32 = 130;
