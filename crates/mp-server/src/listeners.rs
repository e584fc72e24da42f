//! The transports of a server.

use std::net::SocketAddr;
use std::sync::Arc;

use mp_actor::StartError;
use mp_core::{ErrorChain, Rng};
use mp_rooms::Listener;
use mp_tls::CertificateStore;
use mp_transport_enet::EnetShards;
use mp_transport_ws::io::TokioTcp;
use mp_transport_ws::{ServerOptions, TextOptions, WebSocketMultiplayerPeer};
use tokio::sync::oneshot;

use crate::addresses::{Addresses, Listeners};
use crate::config::ListenConfig;
use crate::metrics::TransportKind;
use crate::network::Network;
use crate::plan::RoomsPlan;
use crate::query::{QuerySocket, ServerQueries};
use crate::reload::LiveConfig;
use crate::webrtc::WebRtcSettings;
use crate::{Failure, options, webrtc};

/// Opens all transports. Returns the addresses of the first listener of each.
pub(crate) async fn open(
    network: &mut Network,
    plan: &RoomsPlan,
    listeners: &Listeners<'_>,
    tls: Option<CertificateStore>,
    live: &LiveConfig,
    queries: Option<&ServerQueries>,
) -> Result<Addresses, Failure> {
    let config = &*Arc::clone(&live.borrow());
    let gate = network.gate().clone();
    let router = |given: &ListenConfig| plan.listener(given).map_err(Failure::Refused);
    let mut bound = Addresses::default();
    for given in &listeners.enet {
        let options = options::enet(config, given, tls.as_ref()).gate(gate.clone());
        let address = given.address.socket_addr();
        let shards = EnetShards::bind(address, options, config.enet.shards.into());
        let shards = shards.map_err(|error| failure(StartError::Transport(error.into())))?;
        let address = shards.local_addr().ok();
        bound.enet = bound.enet.or(address);
        tracing::debug!(?address, threads = shards.count(), "serving ENet");
        // The key of the challenges of queries.
        let key = mp_core::host::os_seed().map_err(|error| no_seed(&error))?;
        let queries = queries.map(|queries| (queries.clone(), key));
        let servers =
            shards.into_servers_on(move |socket| QuerySocket::new(socket, queries.clone()));
        let opened = network.listen_shards(TransportKind::Enet, router(given)?, servers).await;
        opened.map_err(failure)?;
    }
    let mut text = None;
    if let Some(given) = listeners.webrtc {
        let settings = options::webrtc(live, given.address.socket_addr(), gate.clone());
        let (address, service) = open_web_rtc(network, router(given)?, settings).await?;
        bound.webrtc = Some(address);
        text = Some(service);
    }
    if let Some(given) = listeners.tcp() {
        let options = options::web_socket(live, given, tls.clone()).gate(gate.clone());
        let (address, addresses) = (given.address.socket_addr(), listeners.addresses());
        let (ready, is_ready) = oneshot::channel();
        let make = move || -> Result<_, mp_transport_ws::CreateError> {
            let mut server = web_socket(address, addresses, options)?;
            if let Some((of_text, service)) = text {
                server.serve_text(of_text, service);
            }
            let _ = ready.send((server.local_addr().ok(), server.text_local_addr().ok()));
            Ok(server)
        };
        network.listen(TransportKind::WebSocket, router(given)?, make).await.map_err(failure)?;
        if let Ok((ws, signaling)) = is_ready.await {
            (bound.ws, bound.signaling) = (ws, signaling);
        }
    }
    for given in listeners.ws.iter().skip(1) {
        let options = options::web_socket(live, given, tls.clone()).gate(gate.clone());
        let address = given.address.socket_addr();
        let make = move || WebSocketMultiplayerPeer::create_async_server(address, options);
        network.listen(TransportKind::WebSocket, router(given)?, make).await.map_err(failure)?;
    }
    Ok(bound)
}

/// Text sessions for the signaling of WebRTC.
type TextSessions = (TextOptions, Box<mp_signaling::LobbyHost>);

async fn open_web_rtc(
    network: &mut Network,
    listener: Listener,
    settings: WebRtcSettings,
) -> Result<(SocketAddr, TextSessions), Failure> {
    let selects_room = listener.by_path || listener.by_query;
    let (ready, is_ready) = oneshot::channel();
    let of_peer = settings.clone();
    let make = move || -> Result<_, mp_transport_webrtc::CreateError> {
        let mut server = webrtc::create(&of_peer)?;
        let address = server.local_addr().unwrap_or(of_peer.address);
        tracing::debug!(candidates = ?server.local_candidates(), "serving WebRTC");
        let _ = ready.send((address, server.signaling()));
        Ok(server)
    };
    network.listen(TransportKind::WebRtc, listener, make).await.map_err(failure)?;
    let Ok((address, signaling)) = is_ready.await else {
        return Err(Failure::Ended("the WebRTC server has ended".to_owned()));
    };
    let seed = mp_core::host::os_seed().map_err(|error| no_seed(&error))?;
    let mut service = webrtc::signaling(&settings, signaling, Rng::from_seed(seed));
    service.set_any_name(selects_room);
    service.set_id_by_url(mp_rooms::resumed_id);
    Ok((address, (webrtc::text_options(&settings), Box::new(service))))
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

fn no_seed(error: &std::io::Error) -> Failure {
    Failure::Refused(format!("cannot draw a random seed: {error}"))
}

pub(crate) fn failure(error: StartError) -> Failure {
    match error {
        StartError::Transport(error) => {
            Failure::Refused(format!("cannot listen: {}", ErrorChain::new(&*error)))
        }
        error => Failure::Ended(ErrorChain::new(&error).to_string()),
    }
}
