//! The transports of a server that is about to start.

#[cfg(feature = "webrtc")]
use std::io;

use mp_actor::{BranchRef, StartError, TransportError};
use mp_core::MultiplayerPeer;
#[cfg(feature = "webrtc")]
use mp_signaling::{LobbyHost, SignalingOptions};
#[cfg(feature = "enet")]
use mp_transport_enet::EnetMultiplayerPeer;
#[cfg(feature = "webrtc")]
use mp_transport_webrtc::{Signaling, WebRtcMultiplayerPeer, WebRtcOptions};
#[cfg(feature = "ws")]
use mp_transport_ws::WebSocketMultiplayerPeer;
use tokio::sync::oneshot;

use super::{ListenAddress, ServeError, Server};

/// Address and options of each transport that the program has named.
#[derive(Debug, Default)]
pub(super) struct Transports {
    #[cfg(feature = "enet")]
    pub(super) enet: Option<(ListenAddress, mp_transport_enet::ServerOptions)>,
    #[cfg(feature = "ws")]
    pub(super) websocket: Option<(ListenAddress, mp_transport_ws::ServerOptions)>,
    #[cfg(feature = "webrtc")]
    pub(super) webrtc: Option<(ListenAddress, WebRtcOptions)>,
}

impl Transports {
    /// Fails if no transport is named, or one that needs another.
    pub(super) fn check(&self) -> Result<(), ServeError> {
        #[cfg(feature = "webrtc")]
        if self.webrtc.is_some() && self.websocket.is_none() {
            return Err(ServeError::NoSignaling);
        }
        let mut has_transport = false;
        #[cfg(feature = "enet")]
        {
            has_transport |= self.enet.is_some();
        }
        #[cfg(feature = "ws")]
        {
            has_transport |= self.websocket.is_some();
        }
        if has_transport { Ok(()) } else { Err(ServeError::NoTransport) }
    }

    /// Creates the transports on the branch's thread.
    pub(super) async fn open(self, server: &mut Server) -> Result<(), ServeError> {
        #[cfg(feature = "enet")]
        if let Some((at, options)) = self.enet {
            let create = move || {
                let peer = at.bind(|address| {
                    EnetMultiplayerPeer::create_async_server(address, options.clone())
                })?;
                Ok((peer.local_addr()?, peer))
            };
            server.enet = Some(add(server, "ENet", create).await?);
        }
        #[cfg(feature = "webrtc")]
        let mut signaling = None;
        #[cfg(feature = "webrtc")]
        if let Some((at, options)) = self.webrtc {
            let create = move || {
                let mut peer = at.bind(|address| {
                    WebRtcMultiplayerPeer::create_async_server(address, options.clone())
                })?;
                Ok(((peer.local_addr()?, peer.signaling()), peer))
            };
            let (address, room) = add(server, "WebRTC", create).await?;
            server.webrtc = Some(address);
            signaling = Some(room);
        }
        #[cfg(feature = "ws")]
        if let Some((at, options)) = self.websocket {
            let create = move || {
                #[allow(unused_mut, reason = "only WebRTC changes it")]
                let mut peer = at.bind(|address| {
                    WebSocketMultiplayerPeer::create_async_server(address, options.clone())
                })?;
                #[cfg(feature = "webrtc")]
                if let Some(room) = signaling {
                    serve_signaling(&mut peer, room)?;
                }
                Ok((peer.local_addr()?, peer))
            };
            server.websocket = Some(add(server, "WebSocket", create).await?);
        }
        Ok(())
    }
}

/// Adds the transport that `create` returns to the branch. Returns the other value.
async fn add<T: Send + 'static, P: MultiplayerPeer + Unpin + 'static>(
    branch: &BranchRef,
    transport: &'static str,
    create: impl FnOnce() -> Result<(T, P), TransportError> + Send + 'static,
) -> Result<T, ServeError> {
    let (sender, receiver) = oneshot::channel();
    let added = branch.add_endpoint(move || {
        let (value, peer) = create()?;
        // The receiver waits for it, unless the server is dropped.
        let _ = sender.send(value);
        Ok::<_, TransportError>(peer)
    });
    added.await.map_err(|error| match error {
        StartError::Transport(source) => ServeError::Transport { transport, source },
        error => ServeError::Branch(error),
    })?;
    receiver.await.map_err(|_| ServeError::Branch(StartError::Panicked))
}

/// Returns the default options of WebRTC: those of a server at a public address.
#[cfg(feature = "webrtc")]
pub(super) fn webrtc_options() -> WebRtcOptions {
    // ICE-lite: no candidate of a client makes the server send anywhere.
    WebRtcOptions::default().ice_lite(true).channel_fallback(true)
}

/// Serves the signaling of `room` at a path of `peer`.
#[cfg(feature = "webrtc")]
fn serve_signaling<S: mp_transport_ws::io::StreamSource>(
    peer: &mut WebSocketMultiplayerPeer<S>,
    room: Signaling,
) -> io::Result<()> {
    let mut options = SignalingOptions::default();
    options.creates_lobbies = false;
    let rng = mp_core::Rng::from_seed(mp_core::host::os_seed()?);
    let sessions = mp_transport_ws::TextOptions::new(SIGNALING_PATH)
        .max_message_bytes(mp_signaling::limits::MESSAGE_BYTES_MAX);
    peer.serve_text(sessions, Box::new(LobbyHost::new(LOBBY, options, room, rng)));
    Ok(())
}

/// Path of signaling on the WebSocket port, as in mp-server.
#[cfg(feature = "webrtc")]
const SIGNALING_PATH: &str = "/webrtc";
/// Name of the lobby, as in mp-server.
#[cfg(feature = "webrtc")]
const LOBBY: &str = "room";
