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

/// Listeners of the room, at most one per transport.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listeners<'c> {
    pub(crate) enet: Option<&'c ListenConfig>,
    pub(crate) ws: Option<&'c ListenConfig>,
    pub(crate) webrtc: Option<&'c ListenConfig>,
    pub(crate) signaling: Option<&'c ListenConfig>,
}

impl<'c> Listeners<'c> {
    /// Returns the listeners of `config`, or an error message if a transport has several.
    pub(crate) fn new(config: &'c Config) -> Result<Self, String> {
        let of = |transport| {
            let mut listeners = config.listen.iter().filter(|it| it.transport == transport);
            match (listeners.next(), listeners.next()) {
                (listener, None) => Ok(listener),
                (_, Some(second)) => Err(format!(
                    "cannot listen on {}: this version has one listener per transport",
                    second.address
                )),
            }
        };
        let (enet, ws) = (of(Transport::Enet)?, of(Transport::WebSocket)?);
        Ok(Self { enet, ws, webrtc: of(Transport::WebRtc)?, signaling: of(Transport::Signaling)? })
    }

    /// Returns the listener whose settings apply to both TCP ports.
    pub(crate) fn tcp(&self) -> Option<&'c ListenConfig> {
        self.ws.or(self.signaling)
    }

    /// Returns the addresses to listen on.
    pub(crate) fn addresses(&self) -> Addresses {
        let address = |listener: Option<&ListenConfig>| listener.map(|it| it.address.socket_addr());
        Addresses {
            enet: address(self.enet),
            ws: address(self.ws),
            webrtc: address(self.webrtc),
            signaling: address(self.signaling),
        }
    }
}
