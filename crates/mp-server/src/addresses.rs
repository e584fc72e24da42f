//! The listeners of the room and their addresses.

use std::net::SocketAddr;

use crate::config::{Config, ListenConfig, Transport};

/// Addresses to listen on; `None` if a transport is off.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Addresses {
    pub(crate) enet: Option<SocketAddr>,
    pub(crate) ws: Option<SocketAddr>,
    pub(crate) webrtc: Option<SocketAddr>,
    /// The port for the signaling of WebRTC players alone.
    pub(crate) signaling: Option<SocketAddr>,
}

/// Listeners of the server, by transport.
#[derive(Clone, Debug)]
pub(crate) struct Listeners<'c> {
    pub(crate) enet: Vec<&'c ListenConfig>,
    pub(crate) ws: Vec<&'c ListenConfig>,
    pub(crate) webrtc: Option<&'c ListenConfig>,
    pub(crate) signaling: Option<&'c ListenConfig>,
}

impl<'c> Listeners<'c> {
    /// Returns the listeners of `config`, or an error message if there are several of WebRTC or of
    /// its signaling.
    pub(crate) fn new(config: &'c Config) -> Result<Self, String> {
        let all = |transport| config.listen.iter().filter(move |it| it.transport == transport);
        let one = |transport| match (all(transport).next(), all(transport).nth(1)) {
            (listener, None) => Ok(listener),
            (_, Some(second)) => Err(format!(
                "cannot listen on {}: this version has one listener for WebRTC and one for its signaling",
                second.address
            )),
        };
        Ok(Self {
            enet: all(Transport::Enet).collect(),
            ws: all(Transport::WebSocket).collect(),
            webrtc: one(Transport::WebRtc)?,
            signaling: one(Transport::Signaling)?,
        })
    }

    /// Returns the listener whose settings apply to both TCP ports that have signaling.
    pub(crate) fn tcp(&self) -> Option<&'c ListenConfig> {
        self.ws.first().copied().or(self.signaling)
    }

    /// Returns the addresses of the first listener of each transport.
    pub(crate) fn addresses(&self) -> Addresses {
        let address = |listener: &ListenConfig| listener.address.socket_addr();
        Addresses {
            enet: self.enet.first().copied().map(address),
            ws: self.ws.first().copied().map(address),
            webrtc: self.webrtc.map(address),
            signaling: self.signaling.map(address),
        }
    }
}
