//! The transport of a branch that is polled: what an endpoint does for others is done here, for one.

use std::collections::BTreeSet;

use mp_core::limits::LINGER;
use mp_core::{ConnectionId, Farewell, Instant, MultiplayerPeer, PeerEvent, ToEndpoint};

/// What a branch knows of the transport that it was polled with.
#[derive(Debug, Default)]
pub(crate) struct Polled {
    /// Whether it takes part in a session.
    pub(crate) is_open: bool,
    links: BTreeSet<ConnectionId>,
    /// Until when its links may drain, while they do.
    drains_until: Option<Instant>,
}

impl Polled {
    /// Keeps count of the links.
    pub(crate) fn note(&mut self, event: &PeerEvent) {
        match event {
            PeerEvent::Connected { connection, .. } => {
                self.links.insert(*connection);
            }
            PeerEvent::Disconnected { connection, .. } => {
                self.links.remove(connection);
            }
            _ => {}
        }
    }

    /// Does what the branch says.
    pub(crate) fn apply(
        &mut self,
        now: Instant,
        peer: &mut dyn MultiplayerPeer,
        message: ToEndpoint,
    ) {
        match message {
            ToEndpoint::Send(packets) => {
                for packet in packets {
                    if let Err(error) = peer.send(packet) {
                        tracing::debug!(%error, "the transport did not accept a packet");
                    }
                }
            }
            ToEndpoint::Disconnect { connection, reason, farewell } => {
                peer.disconnect(connection, reason, farewell);
                if farewell == Farewell::Abrupt {
                    self.links.remove(&connection); // no event will say it
                }
            }
            ToEndpoint::RefuseNewConnections(refuse) => peer.set_refuse_new_connections(refuse),
            ToEndpoint::Leave { reason, farewell: Farewell::Drain, .. } => {
                self.drains_until.get_or_insert(now + LINGER);
                peer.set_refuse_new_connections(true);
                for &link in &self.links {
                    peer.disconnect(link, reason, Farewell::Drain);
                }
            }
            ToEndpoint::Leave { .. } => peer.close(),
            other => tracing::debug!(?other, "a message that this version does not know"),
        }
    }

    /// Closes the transport whose links have drained, or took too long.
    pub(crate) fn close_what_is_over(&self, now: Instant, peer: &mut dyn MultiplayerPeer) {
        if self.drains_until.is_some_and(|until| self.links.is_empty() || now >= until) {
            peer.close();
        }
    }

    /// When they have taken too long.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.drains_until
    }
}
