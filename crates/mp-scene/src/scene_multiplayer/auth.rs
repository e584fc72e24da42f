//! Authentication: what two sides say to each other before they take part.
//!
//! A side that authenticates keeps a new peer *pending*: nothing but AUTH packets is taken from it or sent to it. The program
//! answers what arrives with [`send_auth`](SceneMultiplayer::send_auth) and decides with
//! [`complete_auth`](SceneMultiplayer::complete_auth) or [`disconnect_peer`](SceneMultiplayer::disconnect_peer), at once or later. A
//! peer is admitted when both sides have completed. Peers that the server announces are not authenticated: it has done that.

use std::time::Duration;

use bytes::Bytes;
use mp_core::{ConnectionStatus, DisconnectReason, Instant, Packet, PeerId};

use super::peers::Pending;
use super::send::Travel;
use super::{AuthError, Route, SceneMultiplayer};
use crate::SceneMessage;
use crate::signal::Signal;
use crate::tree::NodeTree;

/// Godot's default.
pub(super) const TIMEOUT: Duration = Duration::from_secs(3);

impl SceneMultiplayer {
    /// Whether peers have to authenticate themselves (default: no). In Godot: whether there is an `auth_callback`; here what
    /// peers send is [`Signal::PeerAuth`].
    ///
    /// Both sides must. A connection of which only one side does ends with the first packet that
    /// shows it to either ([`OneSidedAuthentication`](DisconnectReason::OneSidedAuthentication)),
    /// or else with the [timeout](Self::set_auth_timeout).
    #[doc(alias = "set_auth_callback")]
    pub fn set_authentication(&mut self, required: bool) {
        self.authentication = required;
    }

    /// Sets the time that a peer may take to authenticate, in whole milliseconds (default: 3 s);
    /// zero is for ever. A peer that takes longer is disconnected. Time in which this process did
    /// not run (stopped, suspended, a turn of seconds) is not counted.
    pub fn set_auth_timeout(&mut self, timeout: Duration) {
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        self.auth_timeout = Duration::from_millis(millis);
    }

    /// Sends bytes to a peer that authenticates itself; they arrive there as [`Signal::PeerAuth`].
    ///
    /// # Errors
    ///
    /// See [`AuthError`].
    pub fn send_auth(&mut self, peer: PeerId, data: &[u8]) -> Result<(), AuthError> {
        self.check_auth(peer)?;
        let Some(pending) = self.peers.pending_mut(peer) else {
            return Err(AuthError::UnknownPeer(peer));
        };
        if data.is_empty() {
            return Err(AuthError::Empty);
        }
        if pending.local || pending.remote {
            return Err(AuthError::Completed(peer));
        }
        let packet = self.encode(&SceneMessage::Auth(Bytes::copy_from_slice(data)));
        self.send_packet(&[peer], Travel::INTERNAL, packet);
        Ok(())
    }

    /// Says that `peer` may take part, as far as this side is concerned. It is admitted when it says the same.
    ///
    /// # Errors
    ///
    /// See [`AuthError`].
    pub fn complete_auth(&mut self, peer: PeerId) -> Result<(), AuthError> {
        self.check_auth(peer)?;
        let Some(pending) = self.peers.pending_mut(peer) else {
            return Err(AuthError::UnknownPeer(peer));
        };
        if pending.local {
            return Err(AuthError::Completed(peer));
        }
        pending.local = true;
        let both = pending.remote;
        // The completion first: what follows it is taken as coming from an admitted peer.
        self.send_message(&SceneMessage::Auth(Bytes::new()), peer);
        if both {
            self.admit_pending(peer);
        }
        Ok(())
    }

    /// Whether peers have to authenticate themselves.
    #[doc(alias = "get_auth_callback")]
    pub fn authentication(&self) -> bool {
        self.authentication
    }

    /// How long a peer may take.
    #[doc(alias = "get_auth_timeout")]
    pub fn auth_timeout(&self) -> Duration {
        self.auth_timeout
    }

    /// The peers that authenticate themselves, as they came.
    #[doc(alias = "get_authenticating_peers")]
    pub fn authenticating_peers(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.peers.pending().map(|(id, _)| id)
    }

    /// When the first of them has taken too long.
    pub(super) fn next_auth_timeout(&self) -> Option<Instant> {
        if self.auth_timeout.is_zero() {
            return None;
        }
        self.peers.pending().map(|(_, pending)| pending.since + self.auth_timeout).min()
    }

    /// Disconnects those that have taken too long: all of them first, then the signals, as in Godot 4.6.3.
    pub(super) fn check_auth_timeouts(&mut self, now: Instant) {
        if self.next_auth_timeout().is_none_or(|due| now < due) {
            return;
        }
        let timeout = self.auth_timeout;
        let late = |since: Instant| now >= since + timeout;
        let late: Vec<_> = self
            .peers
            .pending()
            .filter(|(_, pending)| late(pending.since))
            .map(|(id, _)| id)
            .collect();
        for &peer in &late {
            if let Some(Route::Link(endpoint, connection)) = self.peers.route(peer) {
                self.disconnect(endpoint, connection, DisconnectReason::Timeout);
            }
        }
        for peer in late {
            self.remove_peer(peer, true);
        }
    }

    /// What a pending peer says: AUTH. When this side has completed, the other may have, too, and what it says then may overtake its
    /// completion.
    pub(super) fn receive_pending(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        sender: PeerId,
        packet: &Packet,
    ) {
        let Some(&mut Pending { local, remote, .. }) = self.peers.pending_mut(sender) else {
            return;
        };
        match self.codec.decode(&packet.payload, &self.limits) {
            Ok(SceneMessage::Auth(data)) => self.receive_auth(sender, data),
            _ if local && !self.quirks.overtaken_completions => {
                if !self.unadmitted.hold(now, sender, packet.clone()) {
                    self.cannot_hold(sender, packet.mode);
                }
            }
            // Before this side has completed only a peer that does not authenticate takes this side
            // for admitted.
            Ok(_) if !remote => {
                self.end_one_sided(sender, "it does not authenticate, and this side does")
            }
            _ => self.malformed(sender, "it is not admitted yet"),
        }
        if self.peers.contains(sender) {
            for packet in self.unadmitted.take(sender) {
                self.receive(now, tree, sender, &packet);
            }
        }
    }

    /// Ends a connection of which only one side authenticates, as its timeout would, but at once
    /// and with the reason. No misbehaviour: the settings differ.
    pub(super) fn end_one_sided(&mut self, peer: PeerId, why: &'static str) {
        self.stray(peer, why);
        if self.quirks.one_sided_authentication {
            return;
        }
        if peer.is_server() {
            tracing::warn!(
                why,
                "disconnecting from the server: both sides must authenticate, or neither"
            );
        }
        if let Some(Route::Link(endpoint, connection)) = self.peers.route(peer) {
            let reason = DisconnectReason::OneSidedAuthentication;
            self.disconnect(endpoint, connection, reason);
            self.remove_peer(peer, true);
        }
    }

    fn receive_auth(&mut self, sender: PeerId, data: Bytes) {
        if !data.is_empty() {
            return self.emit(Signal::PeerAuth { from: sender, data });
        }
        let Some(pending) = self.peers.pending_mut(sender) else { return };
        pending.remote = true;
        if pending.local {
            self.admit_pending(sender);
        }
    }

    fn admit_pending(&mut self, peer: PeerId) {
        if let Some(route) = self.peers.remove_pending(peer) {
            self.admit(peer, route);
        }
    }

    fn check_auth(&self, peer: PeerId) -> Result<(), AuthError> {
        if self.status != ConnectionStatus::Connected {
            return Err(AuthError::NotConnected);
        }
        if !self.peers.is_pending(peer) {
            return Err(AuthError::UnknownPeer(peer));
        }
        Ok(())
    }
}
