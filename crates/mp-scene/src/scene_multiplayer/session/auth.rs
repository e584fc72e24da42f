//! Authentication of peers before they are admitted.
//!
//! With authentication enabled, a new peer is *pending*: only AUTH messages are exchanged with it.
//! The program replies with `send_auth` and decides with `complete_auth` or `disconnect_peer`,
//! immediately or later. A peer is admitted when both peers have completed. Peers that the server
//! announces are not authenticated again.

use std::time::Duration;

use bytes::Bytes;
use mp_core::{ConnectionStatus, DisconnectReason, Instant, Packet, PeerId};

use super::super::sender::Sender;
use super::super::{AuthError, Refusal};
use super::peers::Pending;
use super::{Context, Session};
use crate::SceneMessage;
use crate::signal::Signal;

/// Godot's default timeout.
pub(super) const TIMEOUT: Duration = Duration::from_secs(3);

impl Session {
    pub(crate) fn set_authentication(&mut self, required: bool) {
        self.authentication = required;
    }

    pub(crate) fn set_auth_timeout(&mut self, timeout: Duration) {
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        self.auth_timeout = Duration::from_millis(millis);
    }

    /// Sends a message of the program's authentication protocol to a pending peer.
    pub(crate) fn send_auth(
        &mut self,
        sender: &mut Sender,
        peer: PeerId,
        data: &[u8],
    ) -> Result<(), AuthError> {
        let pending = self.check_auth(peer)?;
        if data.is_empty() {
            return Err(AuthError::Empty);
        }
        if pending.local || pending.remote {
            return Err(AuthError::Completed(peer));
        }
        sender.send_message(&SceneMessage::Auth(Bytes::copy_from_slice(data)), peer);
        Ok(())
    }

    /// Completes the authentication of a pending peer on the local side.
    pub(crate) fn complete_auth(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
    ) -> Result<(), AuthError> {
        let pending = self.check_auth(peer)?;
        if pending.local {
            return Err(AuthError::Completed(peer));
        }
        pending.local = true;
        let both = pending.remote;
        // The completion first: the remote peer then accepts the following packets as those of an
        // admitted peer.
        cx.sender.send_message(&SceneMessage::Auth(Bytes::new()), peer);
        if both {
            self.admit_pending(cx, peer);
        }
        Ok(())
    }

    pub(crate) fn authentication(&self) -> bool {
        self.authentication
    }

    pub(crate) fn auth_timeout(&self) -> Duration {
        self.auth_timeout
    }

    /// Returns the pending peers, in the order in which they connected.
    pub(crate) fn authenticating_peers(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.peers.pending().map(|(peer, _)| peer)
    }

    /// Returns the time at which the first pending peer times out.
    pub(super) fn next_auth_timeout(&self) -> Option<Instant> {
        if self.auth_timeout.is_zero() {
            return None;
        }
        self.peers.pending().map(|(_, pending)| pending.since + self.auth_timeout).min()
    }

    /// Disconnects pending peers that have timed out. All are disconnected before the signals are
    /// emitted, as in Godot 4.6.3.
    pub(super) fn check_auth_timeouts(&mut self, cx: &mut Context<'_>, now: Instant) {
        if self.next_auth_timeout().is_none_or(|due| now < due) {
            return;
        }
        let timeout = self.auth_timeout;
        let is_late = |pending: &Pending| now >= pending.since + timeout;
        let pending = self.peers.pending().filter(|(_, pending)| is_late(pending));
        let late: Vec<_> = pending.map(|(peer, _)| peer).collect();
        for &peer in &late {
            cx.sender.disconnect(peer, DisconnectReason::Timeout);
        }
        for peer in late {
            self.remove_peer(cx, peer, true);
        }
    }

    /// Handles a packet of a pending peer, which must be AUTH. If the local peer has completed,
    /// other packets may have overtaken the remote peer's completion.
    pub(super) fn receive_pending(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        from: PeerId,
        packet: &Packet,
    ) {
        let Some(&mut Pending { local, remote, .. }) = self.peers.pending_mut(from) else {
            return;
        };
        match cx.sender.wire().decode(&packet.payload) {
            Ok(SceneMessage::Auth(data)) => self.receive_auth(cx, from, data),
            _ if local && !cx.quirks.overtaken_completions => {
                if !self.unadmitted.push(now, from, packet.clone()) {
                    self.handle_full_buffer(cx.sender, from, packet.mode);
                }
            }
            // Until the local peer has completed, only a peer that does not authenticate sends such
            // a packet.
            Ok(_) if !remote => {
                self.end_one_sided(cx, from, "only the local peer authenticates");
            }
            _ => self.refuse_malformed(cx.sender, from, Refusal::NotAdmitted),
        }
    }

    /// Closes a connection on which only one peer authenticates, immediately instead of after the
    /// timeout, and with the reason. The packet does not count as malformed, since the peers are
    /// only configured differently.
    pub(super) fn end_one_sided(&mut self, cx: &mut Context<'_>, peer: PeerId, why: &'static str) {
        self.refuse_stray(peer, Refusal::OneSidedAuthentication);
        if cx.quirks.one_sided_authentication {
            return;
        }
        if peer.is_server() {
            tracing::warn!(
                why,
                "disconnecting from the server: either both peers must authenticate or none"
            );
        }
        if cx.sender.routes().connection(peer).is_some() {
            cx.sender.disconnect(peer, DisconnectReason::OneSidedAuthentication);
            self.remove_peer(cx, peer, true);
        }
    }

    fn receive_auth(&mut self, cx: &mut Context<'_>, from: PeerId, data: Bytes) {
        if !data.is_empty() {
            return cx.events.emit(Signal::PeerAuth { from, data });
        }
        let Some(pending) = self.peers.pending_mut(from) else { return };
        pending.remote = true;
        if pending.local {
            self.admit_pending(cx, from);
        }
    }

    fn admit_pending(&mut self, cx: &mut Context<'_>, peer: PeerId) {
        self.peers.remove_pending(peer);
        if let Some(route) = cx.sender.routes_mut().remove_pending(peer) {
            self.admit(cx, peer, route);
        }
    }

    fn check_auth(&mut self, peer: PeerId) -> Result<&mut Pending, AuthError> {
        if self.status != ConnectionStatus::Connected {
            return Err(AuthError::NotConnected);
        }
        self.peers.pending_mut(peer).ok_or(AuthError::UnknownPeer(peer))
    }
}
