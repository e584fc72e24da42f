//! [`Requester`]: the client for which a peer is added.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use mp_core::{MaskedUrl, PeerId};

/// The client for which a peer is added, as its signaling knows it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requester {
    /// IP address of its signaling session.
    pub address: IpAddr,
    /// URL that the peer's connection has in its
    /// [`ConnectionOrigin`](mp_core::ConnectionOrigin::Url), for example of the room that the
    /// client requests. Default: none.
    pub url: Option<Arc<str>>,
    /// Peer id that the client has in the game, and that its connection
    /// [claims](mp_core::PeerEvent::Connected). Other connections may claim the same one. Default:
    /// the id of the peer that is added, by which commands and signals name the connection.
    pub claimed_id: Option<PeerId>,
}

impl Requester {
    /// Sets the URL.
    #[must_use]
    pub fn url(mut self, url: impl Into<Arc<str>>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Sets the peer id that the client has in the game.
    #[must_use]
    pub fn claimed_id(mut self, id: PeerId) -> Self {
        self.claimed_id = Some(id);
        self
    }
}

impl fmt::Debug for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requester")
            .field("address", &self.address)
            .field("url", &self.url.as_deref().map(MaskedUrl))
            .field("claimed_id", &self.claimed_id)
            .finish()
    }
}

impl From<IpAddr> for Requester {
    fn from(address: IpAddr) -> Self {
        Self { address, url: None, claimed_id: None }
    }
}
