//! One peer of a host: its state, and what it sends. What it receives is in [`receive`].

mod ack;
mod loss;
mod receive;
mod rtt;
mod sender;
mod statistics;
mod throttle;
mod timeout;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mp_core::{ConnectionId, ConnectionStats, DisconnectReason, SharedLimit};

use crate::limits::{ABANDONED_ATTEMPT_TIME, AMPLIFICATION_MAX};
use crate::proto::channel::{Channels, Inbound, Unsequenced};
use crate::proto::command::{Body, Command, Connect, Terms};
use crate::proto::host::Sessions;
use crate::proto::settings::HostSettings;
use crate::proto::wire::{Datagram, Payload};
use crate::proto::{HostEvent, Millis, NO_PEER, NetworkPath, PacketFlags};
use ack::Acknowledgements;
use loss::Loss;
pub(crate) use receive::{ACKNOWLEDGE_LEN, Context, clamp_mtu};
use rtt::RoundTrip;
pub(crate) use sender::{QueueError, piece_len};
use sender::{Route, Sender};
pub use statistics::{HostStatistic, PeerState, PeerStatistic};
pub(crate) use throttle::SCALE;
use throttle::Throttle;
pub use timeout::Patience;

/// One peer.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) connection: ConnectionId,
    pub(crate) address: SocketAddr,
    /// The local address that it sends to, when it is known.
    pub(crate) local: Option<IpAddr>,
    pub(crate) state: State,
    pub(crate) connect_id: [u8; 4],
    /// The `data` of the CONNECT.
    pub(crate) data: u32,
    /// What the other side calls this one; [`NO_PEER`] until it has told.
    pub(crate) outgoing_id: u16,
    pub(crate) sessions: Sessions,
    /// Bytes of a datagram, but for its checksum.
    pub(crate) mtu: u16,
    /// Reliable bytes that may be on their way.
    pub(crate) window: u32,
    /// What the other side takes and sends, in bytes per second.
    pub(crate) bandwidth: (u32, u32),
    /// What it was told of this side's.
    pub(crate) told_bandwidth: Option<(u32, u32)>,
    pub(crate) channels: Channels,
    pub(crate) sender: Sender,
    pub(crate) acknowledgements: Acknowledgements,
    pub(crate) unsequenced: Unsequenced,
    pub(crate) inbound: Inbound,
    pub(crate) round_trip: RoundTrip,
    pub(crate) throttle: Throttle,
    pub(crate) loss: Loss,
    pub(crate) patience: Patience,
    pub(crate) ping_interval: Duration,
    /// When the last acknowledgement came.
    pub(crate) last_acknowledged: Option<Millis>,
    pub(crate) proof: Proof,
    pub(crate) stats: ConnectionStats,
    /// What this side says about the end it asked for; `None` within when it says nothing.
    parting: Option<Option<DisconnectReason>>,
    parting_data: u32,
    /// Whether the host has it in its list of peers to pack.
    pub(crate) is_queued: bool,
    /// True if the host has it in its list of peers that keep something for the end of a hold.
    pub(crate) is_keeping: bool,
    /// Where it stands among the host's timers.
    pub(crate) timer: Option<Millis>,
    /// Whether the host counts it among its connected peers.
    pub(crate) is_counted: bool,
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// An attempt to connect that is not wanted any more. Its server may have received CONNECT, so
    /// a VERIFY_CONNECT until then is answered with DISCONNECT, which frees the server's slot.
    Abandoned {
        until: Millis,
    },
    /// CONNECT is on its way.
    Connecting,
    /// VERIFY_CONNECT is on its way.
    HalfOpen,
    Connected,
    /// What was accepted is being delivered before the end.
    DisconnectLater,
    /// DISCONNECT is on its way.
    Disconnecting,
    /// The other side's DISCONNECT is to be acknowledged; then there is nothing left.
    AcknowledgingDisconnect,
}

/// How much was exchanged with an address that has not shown that it receives: a forged one must not be sent more than
/// three times what it cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Proof {
    pub(crate) since: Millis,
    /// Where it stands among the host's half-open connections.
    pub(crate) age: Option<u64>,
    received: u64,
    sent: u64,
}

impl Proof {
    pub(crate) const fn new(since: Millis, age: u64) -> Self {
        Self { since, age: Some(age), received: 0, sent: 0 }
    }

    pub(crate) const fn received(&mut self, len: usize) {
        self.received += len as u64 + IP_AND_UDP_LEN;
    }

    const fn allows(&self, len: usize) -> bool {
        self.sent + len as u64 + IP_AND_UDP_LEN <= self.received * AMPLIFICATION_MAX
    }
}

/// The state of a connection after its commands or its timers were handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The connection continues.
    Going,
    /// The connection has ended and its slot can be freed: its last event, if it has one, is
    /// queued.
    Ended,
}

impl Peer {
    /// A client's view of a server.
    pub(crate) fn connecting(
        connection: ConnectionId,
        address: SocketAddr,
        sessions: Sessions,
        connect: Connect,
        settings: &HostSettings,
    ) -> Self {
        let Connect { terms, data } = connect;
        let mut peer = Self::new(connection, address, sessions, &terms, data, settings);
        peer.sender.queue_control(Body::Connect(connect));
        peer
    }

    /// A server's view of a client, whose CONNECT was answered with `terms`.
    pub(crate) fn half_open(
        connection: ConnectionId,
        path: NetworkPath,
        sessions: Sessions,
        connect: &Connect,
        terms: Terms,
        settings: &HostSettings,
        proof: Proof,
    ) -> Self {
        let NetworkPath { remote, local } = path;
        let mut peer = Self::new(connection, remote, sessions, &terms, connect.data, settings);
        peer.local = local;
        peer.state = State::HalfOpen;
        peer.outgoing_id = connect.terms.peer_id;
        peer.proof = proof;
        peer.set_bandwidth(
            connect.terms.incoming_bandwidth,
            connect.terms.outgoing_bandwidth,
            settings,
        );
        peer.sender.queue_control(Body::VerifyConnect(terms));
        peer
    }

    fn new(
        connection: ConnectionId,
        address: SocketAddr,
        sessions: Sessions,
        terms: &Terms,
        data: u32,
        settings: &HostSettings,
    ) -> Self {
        let mtu = settings.room(terms.mtu as u16);
        Self {
            connection,
            address,
            local: None,
            state: State::Connecting,
            connect_id: terms.connect_id,
            data,
            outgoing_id: NO_PEER,
            sessions,
            mtu,
            window: terms.window_size,
            bandwidth: (0, 0),
            told_bandwidth: None,
            channels: Channels::new(terms.channel_count as u8),
            sender: Sender::new(mtu),
            acknowledgements: Acknowledgements::default(),
            unsequenced: Unsequenced::default(),
            inbound: Inbound::new(settings),
            round_trip: RoundTrip::new(),
            throttle: Throttle::new(terms.throttle, settings.packet_throttle),
            loss: Loss::default(),
            patience: settings.patience,
            ping_interval: settings.ping_interval,
            last_acknowledged: None,
            proof: Proof::default(),
            stats: ConnectionStats::default(),
            parting: None,
            parting_data: 0,
            is_queued: false,
            is_keeping: false,
            timer: None,
            is_counted: false,
        }
    }

    /// Stores the other side's limits, which narrow the window.
    pub(crate) fn set_bandwidth(&mut self, incoming: u32, outgoing: u32, settings: &HostSettings) {
        self.bandwidth = (incoming, outgoing);
        self.window = HostSettings::send_window(settings.outgoing_bandwidth, incoming);
    }

    /// Queues a packet, if the peer is connected. Drops older unreliable ones, or ends the
    /// connection, when a queue is full, or when `limit`, that of all peers, leaves no room.
    /// Returns whether it ended the connection because of that limit.
    pub(crate) fn send(
        &mut self,
        channel: u8,
        flags: PacketFlags,
        payload: Payload,
        settings: &HostSettings,
        limit: &mut SharedLimit,
        events: &mut VecDeque<HostEvent>,
    ) -> Result<bool, QueueError> {
        if self.state != State::Connected {
            return Ok(false);
        }
        let is_reliable = self.sender.queue_packet(&mut self.channels, channel, flags, payload)?;
        self.stats.send_drops +=
            self.sender.shed_unreliable(settings.unreliable_queue_bytes, limit);
        let is_shed = is_reliable && !self.sender.is_within(limit);
        if is_shed || self.sender.is_over(settings.reliable_queue_bytes) {
            self.fail(DisconnectReason::QueueFull, events);
        }
        Ok(is_shed)
    }

    /// Ends the connection at once; the other side is told until it acknowledges, `reason` is reported now.
    pub(crate) fn fail(&mut self, reason: DisconnectReason, events: &mut VecDeque<HostEvent>) {
        events.push_back(HostEvent::Disconnected { connection: self.connection, reason });
        self.disconnect(self.parting_data, None);
    }

    /// Drops everything queued and sends DISCONNECT until it is acknowledged; then `reason` is reported, if there is one.
    pub(crate) fn disconnect(&mut self, data: u32, reason: Option<DisconnectReason>) {
        self.drop_queues();
        self.parting = Some(reason);
        self.state = State::Disconnecting;
        self.sender.queue_control(Body::Disconnect { data });
    }

    /// Gives up an attempt to connect.
    pub(crate) fn abandon(&mut self, now: Millis) {
        self.drop_queues();
        let until = after(now, ABANDONED_ATTEMPT_TIME).unwrap_or(Millis::MAX);
        self.state = State::Abandoned { until };
    }

    /// Delivers what was accepted, then disconnects.
    pub(crate) fn disconnect_later(&mut self, data: u32, reason: DisconnectReason) {
        self.parting = Some(Some(reason));
        self.parting_data = data;
        self.state = State::DisconnectLater;
        self.disconnect_when_drained();
    }

    /// In [`State::DisconnectLater`]: disconnects once everything accepted has been sent and acknowledged.
    pub(crate) fn disconnect_when_drained(&mut self) {
        if self.state == State::DisconnectLater && self.sender.is_idle() {
            self.disconnect(self.parting_data, self.parting.flatten());
        }
    }

    /// Forgets what is queued either way and what arrived incomplete.
    pub(crate) fn drop_queues(&mut self) {
        self.sender.clear();
        self.acknowledgements.clear();
        self.channels.clear();
        self.inbound.clear_waiting();
    }

    /// Reports the end of the connection, whatever it was in the middle of.
    pub(crate) fn report_end(&self, reason: DisconnectReason, events: &mut VecDeque<HostEvent>) {
        let connection = self.connection;
        let said = match self.state {
            // It has not delivered what it was to deliver before its end.
            State::DisconnectLater => Some(reason),
            _ => self.parting.unwrap_or(Some(reason)),
        };
        match (self.state, said) {
            (State::Connecting, _) => {
                events.push_back(HostEvent::ConnectFailed { connection, reason });
            }
            (State::Abandoned { .. } | State::HalfOpen | State::AcknowledgingDisconnect, _)
            | (_, None) => {}
            (_, Some(reason)) => events.push_back(HostEvent::Disconnected { connection, reason }),
        }
    }

    /// Runs the timers that are due.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Millis,
        settings: &HostSettings,
        events: &mut VecDeque<HostEvent>,
    ) -> Flow {
        let is_over = match self.state {
            State::Abandoned { until } => now >= until,
            State::HalfOpen => is_due(now, self.proof.since, settings.half_open_timeout),
            _ => false,
        };
        if is_over {
            return Flow::Ended;
        }
        if self.sender.check_timeouts(now, &self.patience, &mut self.stats) {
            self.report_end(DisconnectReason::Timeout, events);
            return Flow::Ended;
        }
        let limit = settings.reliable_progress_timeout;
        if self.sender.progress().is_some_and(|since| is_due(now, since, limit)) {
            // Also a link that was to deliver what it had accepted before its end: it has not.
            self.fail(DisconnectReason::QueueFull, events);
        }
        Flow::Going
    }

    /// When [`handle_timeout`](Self::handle_timeout) or a ping is due.
    pub(crate) fn deadline(&self, now: Millis, settings: &HostSettings) -> Option<Millis> {
        let state = match self.state {
            State::Abandoned { until } => Some(until),
            State::HalfOpen => after(self.proof.since, settings.half_open_timeout),
            State::Connected if self.sender.is_reliably_idle() => {
                self.ping_at().map(|at| at.max(now + 1))
            }
            _ => None,
        };
        let progress = self.sender.progress();
        let progress = progress.and_then(|since| after(since, settings.reliable_progress_timeout));
        [state, progress, self.sender.next_timeout()].into_iter().flatten().min()
    }

    /// Packs one datagram of at most `len_max` bytes into `out`. Its length, 0 when there is nothing to send.
    pub(crate) fn pack(&mut self, now: Millis, out: &mut [u8], len_max: usize) -> usize {
        if !self.wants_to_send(now)
            || self.state == State::HalfOpen && !self.proof.allows(VERIFY_CONNECT_LEN)
        {
            return 0;
        }
        let mut datagram = Datagram::new(out, self.mtu, len_max);
        self.acknowledgements.pack(&mut datagram);
        let acknowledgements = datagram.commands();
        if self.state != State::AcknowledgingDisconnect {
            let wants_ping = self.wants_ping(now);
            let mut route = Route {
                channels: &mut self.channels,
                round_trip: &self.round_trip,
                throttle: &mut self.throttle,
                stats: &mut self.stats,
                window: self.window,
                mtu: self.mtu,
            };
            self.sender.pack(now, &mut datagram, &mut route);
            let ping = Command::control(0, Body::Ping);
            if wants_ping && datagram.has_room(&ping, ping.fixed_len()) {
                self.sender.queue_control(Body::Ping);
                self.sender.pack(now, &mut datagram, &mut route);
            }
        }
        let session = if self.outgoing_id == NO_PEER { 0 } else { self.sessions.outgoing & 3 };
        if datagram.commands() > 0 {
            self.loss.measure(now, self.stats.retransmissions);
            self.loss.sent(datagram.commands() - acknowledgements);
        }
        let len = datagram.finish(now, self.outgoing_id, session);
        if self.state == State::HalfOpen && len > 0 {
            self.proof.sent += len as u64 + IP_AND_UDP_LEN;
        }
        len
    }

    /// Whether there may be something for a datagram.
    pub(crate) fn wants_to_send(&self, now: Millis) -> bool {
        !self.acknowledgements.is_empty() || self.sender.has_queued() || self.wants_ping(now)
    }

    fn wants_ping(&self, now: Millis) -> bool {
        self.state == State::Connected
            && self.sender.is_reliably_idle()
            && self.ping_at().is_some_and(|at| now >= at)
    }

    /// Figures for the application.
    pub(crate) fn stats(&self) -> ConnectionStats {
        let mut stats = self.stats;
        let round_trip = self.round_trip.measured();
        stats.round_trip_time = round_trip.map(|mean| Duration::from_millis(mean.into()));
        stats.queued_bytes = self.sender.queued_bytes();
        stats
    }

    /// Time of the next ping while nothing else is sent; `None` for never.
    fn ping_at(&self) -> Option<Millis> {
        match self.last_acknowledged {
            Some(last) => after(last, self.ping_interval),
            None => Some(0),
        }
    }
}

/// Time `duration` after `since`; `None` for never, when no [`Instant`](mp_core::Instant) is that late.
fn after(since: Millis, duration: Duration) -> Option<Millis> {
    let at = since.checked_add(u64::try_from(duration.as_millis()).ok()?)?;
    (at <= u64::MAX / 1_000).then_some(at)
}

/// Returns whether `duration` has passed since `since`.
fn is_due(now: Millis, since: Millis, duration: Duration) -> bool {
    after(since, duration).is_some_and(|at| now >= at)
}

const VERIFY_CONNECT_LEN: usize = 4 + 44;
/// Bytes around a datagram on the wire, IPv4.
const IP_AND_UDP_LEN: u64 = 28;
// An idle peer costs this, its slot and little more: a server may have 4,095 of them.
const _: () = assert!(size_of::<Peer>() <= 1_024);
