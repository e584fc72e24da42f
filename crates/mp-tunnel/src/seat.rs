//! [`TunnelSeat`]: the room's end of a tunnel.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{Channel, DisconnectReason, Instant, Packet, PeerId, Rejection, Rng, TransferMode};
use mp_scene::{IdBlocks, RelayContext, RelayDecision, RelayPolicy};

use crate::TunnelStats;
use crate::frame::{Frame, GuestEnd, GuestNumber, HostRefusal, MalformedFrame, SessionId, VERSION};
use crate::limits::HELLO_TIMEOUT;
use crate::link::{GuestPacket, LinkEnd, Received};
use crate::order::Orders;

/// The reason with which a lost connection of a host is closed after the host has come back.
const REPLACED: Rejection = Rejection::new("replaced", "the host has connected again");

/// A rule that returns whether a client may be the host.
type Rule = Box<dyn FnMut(PeerId) -> bool>;

/// A relay policy that connects the clients of a room, the *guests*, with a game elsewhere. One
/// client, the *host*, is the program beside the game: its packets are frames that carry those of
/// all guests.
///
/// Packets pass unchanged in both directions. The game itself announces players to each other and
/// relays between them, so that guests and game need not be prepared.
///
/// * A client that the rule accepts is a host, and never a guest.
/// * A guest that joins while there is no host is disconnected.
/// * When the connection of the host is lost, it can resume its session for the time `grace`:
///   guests stay, reliable packets wait, unreliable ones are dropped. Then guests are disconnected.
/// * While a host is connected, others are refused.
pub struct TunnelSeat {
    rule: Rule,
    rng: Rng,
    grace: Duration,
    /// Clients that the rule has accepted and that have not sent their `Hello`.
    candidates: BTreeMap<PeerId, Deadline>,
    session: Option<Session>,
    guests: BTreeMap<PeerId, Guest>,
    numbers: BTreeMap<GuestNumber, PeerId>,
    next_number: GuestNumber,
    stats: TunnelStats,
}

/// The session of a host.
struct Session {
    id: SessionId,
    end: LinkEnd,
    /// The host's connection; `None` while it is lost.
    host: Option<PeerId>,
    /// Time at which the session ends, while the connection is lost.
    ends: Option<Deadline>,
}

/// A time that is set at the end of the turn in which its period begins: only then the time is
/// known.
#[derive(Clone, Copy)]
enum Deadline {
    Unset(Duration),
    At(Instant),
}

impl Deadline {
    /// Sets the time if necessary. Returns whether it is over.
    fn is_over(&mut self, now: Instant) -> bool {
        match *self {
            Self::Unset(period) => {
                *self = Self::At(now + period);
                false
            }
            Self::At(at) => now >= at,
        }
    }

    fn at(self) -> Option<Instant> {
        match self {
            Self::Unset(_) => None,
            Self::At(at) => Some(at),
        }
    }
}

struct Guest {
    number: GuestNumber,
    orders: Orders,
}

impl TunnelSeat {
    /// Creates the seat of a room without a host. `rule` is asked once for each client that joins.
    /// `seed` must be random: the host resumes its session by a number that it seeds.
    pub fn new(
        seed: [u8; 32],
        grace: Duration,
        rule: impl FnMut(PeerId) -> bool + 'static,
    ) -> Self {
        Self {
            rule: Box::new(rule),
            rng: Rng::from_seed(seed),
            grace,
            candidates: BTreeMap::new(),
            session: None,
            guests: BTreeMap::new(),
            numbers: BTreeMap::new(),
            next_number: 0,
            stats: TunnelStats::default(),
        }
    }

    /// Returns whether a host is connected.
    pub fn is_hosted(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.host.is_some())
    }

    /// Returns the number of guests.
    pub fn guests(&self) -> usize {
        self.guests.len()
    }

    /// Returns the counters.
    pub fn stats(&self) -> TunnelStats {
        self.stats
    }

    /// Handles the first frame of a host.
    fn receive_hello(&mut self, cx: &mut RelayContext<'_>, from: PeerId, packet: &Bytes) {
        let Ok(Frame::Hello { version, session: resumed, received }) =
            Frame::decode(packet.clone())
        else {
            return self.fail(cx, from);
        };
        if version != VERSION {
            return self.refuse_host(cx, from, HostRefusal::OtherVersion);
        }
        let is_resumed = self.session.as_ref().is_some_and(|it| resumed == Some(it.id));
        if self.is_hosted() && !is_resumed {
            return self.refuse_host(cx, from, HostRefusal::HostPresent);
        }
        self.candidates.remove(&from);
        if let Some(session) = &mut self.session
            && is_resumed
        {
            if let Some(old) = session.host.take() {
                // Its end is not detected yet.
                session.end.interrupt();
                cx.disconnect(old, DisconnectReason::Rejected(REPLACED));
            }
            if session.end.resume(received).is_err() {
                return self.fail(cx, from);
            }
            (session.host, session.ends) = (Some(from), None);
            self.stats.resumed += 1;
        } else {
            self.end_session(cx);
            let mut end = LinkEnd::default();
            // There is nothing to send again.
            let _ = end.resume(0);
            let id = SessionId::random(&mut self.rng);
            self.session = Some(Session { id, end, host: Some(from), ends: None });
            self.stats.sessions += 1;
        }
        tracing::debug!(%from, is_resumed, "a host has connected");
        let Some(session) = &self.session else { return };
        let welcome = Frame::Welcome {
            session: session.id,
            is_resumed,
            received: session.end.received(),
            grace: self.grace,
        };
        send(cx, from, &welcome);
        self.send_outgoing(cx);
    }

    fn receive_from_host(&mut self, cx: &mut RelayContext<'_>, host: PeerId, packet: &Bytes) {
        let Some(session) = &mut self.session else { return };
        match session.end.receive(packet.clone()) {
            Ok(Received::Nothing) => {}
            Ok(Received::Packet { guest, order, packet }) => {
                self.receive_packet(cx, guest, order, &packet);
            }
            Ok(Received::Close { guest, reason }) => {
                if let Some(peer) = self.numbers.remove(&guest) {
                    self.guests.remove(&peer);
                    let reason = DisconnectReason::Rejected(Rejection::from(reason));
                    cx.disconnect_after_packets(peer, reason);
                }
            }
            Ok(Received::Leave) => {
                self.end_session(cx);
                cx.disconnect_after_packets(host, DisconnectReason::Closed);
            }
            Ok(Received::Open { .. }) | Err(MalformedFrame) => self.fail(cx, host),
        }
        self.send_outgoing(cx);
    }

    /// Passes a packet of the game to its guest.
    fn receive_packet(
        &mut self,
        cx: &mut RelayContext<'_>,
        guest: GuestNumber,
        order: u16,
        GuestPacket { mode, channel, payload }: &GuestPacket,
    ) {
        let peer = self.numbers.get(&guest);
        let Some((peer, guest)) = peer.and_then(|peer| Some((*peer, self.guests.get_mut(peer)?)))
        else {
            self.stats.late_packets += 1;
            return;
        };
        if *mode == TransferMode::UnreliableOrdered && !guest.orders.accepts(*channel, order) {
            self.stats.dropped_packets += 1;
            return;
        }
        self.stats.packets_received += 1;
        self.stats.bytes_received += payload.len() as u64;
        cx.forward(PeerId::SERVER, &[peer], (*mode, *channel), payload);
    }

    fn receive_from_guest(&mut self, cx: &mut RelayContext<'_>, from: PeerId, packet: &Packet) {
        let (Some(session), Some(guest)) = (&mut self.session, self.guests.get_mut(&from)) else {
            // A guest that is being disconnected.
            self.stats.late_packets += 1;
            return;
        };
        let Packet { mode, channel, payload, .. } = packet.clone();
        let packet = GuestPacket { mode, channel, payload };
        let sent =
            session.end.send_packet(guest.number, &mut guest.orders, packet, &mut self.stats);
        if let Err(reason) = sent {
            self.stats.overloaded_guests += 1;
            self.close_guest(from, reason);
            cx.disconnect(from, DisconnectReason::Rejected(Rejection::from(reason)));
        }
        self.send_outgoing(cx);
    }

    /// Removes a guest, and notifies the host.
    fn close_guest(&mut self, peer: PeerId, reason: GuestEnd) {
        let Some(guest) = self.guests.remove(&peer) else { return };
        self.numbers.remove(&guest.number);
        if let Some(session) = &mut self.session {
            session.end.send_close(guest.number, reason);
        }
    }

    /// Ends the session, and disconnects its guests.
    fn end_session(&mut self, cx: &mut RelayContext<'_>) {
        self.session = None;
        self.numbers.clear();
        for peer in std::mem::take(&mut self.guests).into_keys() {
            let reason = Rejection::from(GuestEnd::HostLeft);
            cx.disconnect_after_packets(peer, DisconnectReason::Rejected(reason));
        }
    }

    fn refuse_host(&mut self, cx: &mut RelayContext<'_>, peer: PeerId, refusal: HostRefusal) {
        self.stats.refused_hosts += 1;
        self.candidates.remove(&peer);
        send(cx, peer, &Frame::Reject(refusal));
        cx.disconnect_after_packets(peer, DisconnectReason::Rejected(Rejection::from(refusal)));
    }

    /// Closes the connection of a host that has violated the protocol.
    fn fail(&mut self, cx: &mut RelayContext<'_>, host: PeerId) {
        self.stats.malformed_frames += 1;
        self.candidates.remove(&host);
        if self.session.as_ref().is_some_and(|session| session.host == Some(host)) {
            self.end_session(cx);
        }
        cx.disconnect(host, DisconnectReason::ProtocolViolation);
    }

    fn send_outgoing(&mut self, cx: &mut RelayContext<'_>) {
        let Some(Session { end, host: Some(host), .. }) = &mut self.session else { return };
        while let Some((mode, frame)) = end.next_outgoing() {
            cx.forward(PeerId::SERVER, &[*host], (mode, Channel(0)), &frame);
        }
    }
}

impl RelayPolicy for TunnelSeat {
    fn set_ids(&mut self, _ids: &IdBlocks) {}

    fn receives_all(&self) -> bool {
        true
    }

    fn peer_connected(&mut self, cx: &mut RelayContext<'_>, peer: PeerId) {
        if (self.rule)(peer) {
            self.candidates.insert(peer, Deadline::Unset(HELLO_TIMEOUT));
            return;
        }
        let Some(session) = &mut self.session else {
            self.stats.unhosted_guests += 1;
            let reason = Rejection::from(GuestEnd::NoHost);
            return cx.disconnect(peer, DisconnectReason::Rejected(reason));
        };
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1);
        session.end.send_open(number, peer);
        self.guests.insert(peer, Guest { number, orders: Orders::default() });
        self.numbers.insert(number, peer);
        self.send_outgoing(cx);
    }

    fn peer_disconnected(&mut self, cx: &mut RelayContext<'_>, peer: PeerId) {
        self.candidates.remove(&peer);
        if let Some(session) = &mut self.session
            && session.host == Some(peer)
        {
            session.end.interrupt();
            session.host = None;
            session.ends = Some(Deadline::Unset(self.grace));
            tracing::debug!(%peer, grace = ?self.grace, "the connection of the host is lost");
            return;
        }
        self.close_guest(peer, GuestEnd::Left);
        self.send_outgoing(cx);
    }

    fn receive(
        &mut self,
        cx: &mut RelayContext<'_>,
        from: PeerId,
        packet: &Packet,
    ) -> RelayDecision {
        if self.candidates.contains_key(&from) {
            self.receive_hello(cx, from, &packet.payload);
        } else if self.session.as_ref().is_some_and(|session| session.host == Some(from)) {
            self.receive_from_host(cx, from, &packet.payload);
        } else if Frame::is_hello(&packet.payload) {
            self.close_guest(from, GuestEnd::Left);
            self.refuse_host(cx, from, HostRefusal::NotHost);
            self.send_outgoing(cx);
        } else {
            self.receive_from_guest(cx, from, packet);
        }
        RelayDecision::Handled
    }

    fn process(&mut self, cx: &mut RelayContext<'_>, now: Instant) {
        let is_over =
            |session: &mut Session| session.ends.as_mut().is_some_and(|at| at.is_over(now));
        if self.session.as_mut().is_some_and(is_over) {
            tracing::debug!("the host has not come back");
            self.end_session(cx);
        }
        let candidates = self.candidates.iter_mut();
        let silent = candidates.filter_map(|(&peer, at)| at.is_over(now).then_some(peer));
        for peer in silent.collect::<Vec<_>>() {
            self.fail(cx, peer);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        let ends = self.session.as_ref().and_then(|session| session.ends);
        self.candidates.values().copied().chain(ends).filter_map(Deadline::at).min()
    }

    fn clear(&mut self) {
        self.candidates.clear();
        self.session = None;
        self.guests.clear();
        self.numbers.clear();
    }
}

fn send(cx: &mut RelayContext<'_>, to: PeerId, frame: &Frame) {
    cx.forward(PeerId::SERVER, &[to], (frame.mode(), Channel(0)), &frame.encode());
}

impl fmt::Debug for TunnelSeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelSeat")
            .field("is_hosted", &self.is_hosted())
            .field("guests", &self.guests.len())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
