//! Admission of clients to a host: CONNECT, its reply, rejections, and half-open connections.

use std::net::SocketAddr;

use mp_core::{DisconnectReason, bug};
use tracing::debug;

use super::{Host, PeerEntry};
use crate::limits::REFUSALS_MAX;
use crate::proto::command::{Body, Command, Terms};
use crate::proto::peer::{AddressValidation, Peer, Sessions, State, clamp_mtu};
use crate::proto::settings::{Admission, HostSettings};
use crate::proto::wire::LoneDisconnect;
use crate::proto::{HandshakeRefusal, NO_PEER, NetworkPath, WINDOW_MAX, WINDOW_MIN};

impl Host {
    /// Handles a CONNECT.
    pub(super) fn handle_connect(&mut self, path: NetworkPath, len: usize, bytes: &[u8]) {
        let from = path.remote;
        if self.settings.admission == Admission::Nobody {
            self.stats.refused_handshakes.count(HandshakeRefusal::NotListening);
            return;
        }
        let Ok((Command { body: Body::Connect(connect), .. }, _)) = Command::parse(bytes) else {
            self.stats.refused_handshakes.count(HandshakeRefusal::NoConnect);
            return;
        };
        if !(1..=255).contains(&connect.terms.channel_count) || connect.terms.peer_id >= NO_PEER {
            self.stats.refused_handshakes.count(HandshakeRefusal::InvalidTerms);
            return;
        }
        if let Some(slot) = self.slots.find(from, connect.terms.connect_id) {
            // A retransmitted CONNECT. A timer retransmits the reply, as far as address validation
            // allows.
            if let Some(PeerEntry { peer, .. }) = self.slots.get_mut(slot)
                && peer.state() == State::HalfOpen
            {
                peer.count_unvalidated(len);
                self.touch(slot);
            }
            return;
        }
        if let Some(refusal) = self.refusal(from, connect.data) {
            self.refuse(path, connect.terms, refusal);
            return;
        }
        let HostSettings { max_half_open, max_half_open_per_address, .. } = self.settings;
        let makes_way =
            self.half_open.makes_way(from.ip(), max_half_open, max_half_open_per_address);
        self.drop_half_open(makes_way);
        let vacant = match self.slots.vacant() {
            Some(vacant) => Some(vacant),
            None => {
                self.drop_half_open(self.half_open.oldest());
                self.slots.vacant()
            }
        };
        let Some((connection, sessions)) = vacant else {
            self.refuse(path, connect.terms, HandshakeRefusal::NoSlot);
            return;
        };
        let theirs = connect.terms;
        let sessions = sessions.next(theirs.incoming_session, theirs.outgoing_session);
        let sessions = self.set_apart(sessions, from, theirs.peer_id);
        let settings = &self.settings;
        let window = HostSettings::window(settings.incoming_bandwidth).min(theirs.window_size);
        let terms = Terms {
            peer_id: connection.slot as u16,
            incoming_session: sessions.outgoing(),
            outgoing_session: sessions.incoming(),
            mtu: settings.mtu.min(clamp_mtu(theirs.mtu)).into(),
            window_size: window.clamp(WINDOW_MIN, WINDOW_MAX),
            channel_count: theirs.channel_count.min(settings.channel_limit.into()),
            incoming_bandwidth: settings.incoming_bandwidth,
            outgoing_bandwidth: settings.outgoing_bandwidth,
            throttle: theirs.throttle,
            connect_id: theirs.connect_id,
        };
        let age = self.half_open.insert(connection.slot as u16, from.ip());
        let validation = AddressValidation::new(self.now.as_millis(), len);
        let peer =
            Peer::half_open(connection, path, sessions, &connect, terms, settings, validation);
        self.slots.insert(PeerEntry::new(peer, Some(age)));
        self.touch(connection.slot as u16);
    }

    /// Returns the reason why a client with this address and `data` may not start its handshake.
    fn refusal(&self, from: SocketAddr, data: u32) -> Option<HandshakeRefusal> {
        if let Admission::PeerIds { .. } = self.settings.admission {
            if data.cast_signed() < 2 {
                return Some(HandshakeRefusal::InvalidPeerId);
            }
            if self.ids.contains_key(&data) {
                return Some(HandshakeRefusal::PeerIdTaken);
            }
        }
        let is_address_full =
            || self.slots.count_at(from.ip()) >= self.settings.max_peers_per_address;
        let refusal = self.host_refusal();
        let refusal =
            refusal.or_else(|| is_address_full().then_some(HandshakeRefusal::AddressFull));
        refusal.or_else(|| self.gate_refusal(from))
    }

    /// Returns the reason why the client in `slot` may not complete its handshake now. `None` for a
    /// peer that was admitted.
    pub(super) fn admission_refusal(&self, slot: u16) -> Option<HandshakeRefusal> {
        let entry = self.slots.get(slot).filter(|it| !it.is_counted)?;
        if self.ids.contains_key(&entry.peer.data()) {
            return Some(HandshakeRefusal::PeerIdTaken);
        }
        let is_client = entry.age.is_some();
        let from = entry.peer.path().remote;
        self.host_refusal().or_else(|| is_client.then(|| self.gate_refusal(from)).flatten())
    }

    fn gate_refusal(&self, from: SocketAddr) -> Option<HandshakeRefusal> {
        let gate = self.settings.gate.as_ref()?;
        let now = self.clock.to_program(self.now);
        gate.check(now, from.ip()).is_err().then_some(HandshakeRefusal::Gate)
    }

    /// Returns the reason why the host admits no client now.
    const fn host_refusal(&self) -> Option<HandshakeRefusal> {
        if self.is_refusing {
            Some(HandshakeRefusal::Refusing)
        } else if self.connected >= self.settings.max_peers {
            Some(HandshakeRefusal::HostFull)
        } else {
            None
        }
    }

    /// Rejects a client with a DISCONNECT, so that its attempt fails immediately. Godot 4.6.3 sends
    /// nothing, and its clients retry for 30 s.
    fn refuse(&mut self, path: NetworkPath, terms: Terms, refusal: HandshakeRefusal) {
        let Terms { peer_id, connect_id, .. } = terms;
        debug!(from = %path.remote, %refusal, "refused");
        self.stats.refused_handshakes.count(refusal);
        if self.lone_disconnects.len() < REFUSALS_MAX {
            self.lone_disconnects
                .push_back(LoneDisconnect::new(path, connect_id, peer_id, 0, 1, 0));
        } else {
            self.stats.refusals_dropped += 1;
        }
    }

    fn drop_half_open(&mut self, slot: Option<u16>) {
        if let Some(slot) = slot {
            self.stats.half_open_dropped += 1;
            self.remove(slot);
        }
    }

    /// Updates the lists of the host after a peer's handshake may have completed. `refusal`: the
    /// reason why the host does not admit the peer.
    pub(super) fn settle(&mut self, slot: u16, refusal: Option<HandshakeRefusal>) {
        let Some(entry) = self.slots.get_mut(slot) else {
            bug!("slot {slot} has completed a handshake, but has no peer");
            return;
        };
        let peer = &mut entry.peer;
        if matches!(peer.state(), State::Abandoned { .. } | State::Connecting | State::HalfOpen) {
            return;
        }
        let age = entry.age.take();
        if let Some(age) = age {
            self.half_open.remove(age);
        }
        if entry.is_counted {
            return;
        }
        if peer.state() == State::Disconnecting {
            // A client that was not admitted in the end, or an abandoned attempt with a late reply.
            if let Some(refusal) = refusal.filter(|_| age.is_some()) {
                self.stats.refused_handshakes.count(refusal);
            }
            return;
        }
        let (address, outgoing_id, data) = (peer.path().remote, peer.outgoing_id(), peer.data());
        debug!(connection = %peer.connection(), %address, data, "connected");
        entry.is_counted = true;
        self.connected += 1;
        self.completed_handshakes += 1;
        if let (Some(gate), true) = (&self.settings.gate, age.is_some()) {
            let now = self.clock.to_program(self.now);
            entry.pass = Some(Box::new(gate.enter(now, address.ip())));
        }
        if let Some(throttle) = self.settings.peer_throttle {
            peer.configure_remote_throttle(throttle);
        }
        if age.is_some() && self.settings.admission == (Admission::PeerIds { unique: true }) {
            self.ids.insert(data, slot);
        }
        if age.is_some() {
            self.end_earlier(slot, address, outgoing_id);
        }
        self.schedule_bandwidth_round();
    }

    /// Chooses a session id that differs from earlier connections of a restarted client, so that it
    /// ignores datagrams for those.
    fn set_apart(&self, sessions: Sessions, address: SocketAddr, outgoing_id: u16) -> Sessions {
        let earlier = self.slots.at(address, outgoing_id).filter_map(|slot| self.slots.get(slot));
        let taken: Vec<u8> = earlier.map(|it| it.peer.sessions().outgoing_bits()).collect();
        sessions.apart_from(&taken)
    }

    /// Removes the earlier connections of the restarted client in `slot`. They cannot be used any
    /// more.
    fn end_earlier(&mut self, slot: u16, address: SocketAddr, outgoing_id: u16) {
        let earlier: Vec<u16> =
            self.slots.at(address, outgoing_id).filter(|&other| other != slot).collect();
        for slot in earlier {
            if let Some(PeerEntry { peer, .. }) = self.slots.get(slot) {
                peer.report_end(DisconnectReason::Timeout, &mut self.events);
            }
            self.remove(slot); // which reports a slot without a peer
        }
    }
}
