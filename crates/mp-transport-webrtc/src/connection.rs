//! A connection: str0m's `Rtc`, Godot's data channels and their queues. No I/O.

mod amplification;
mod channel;
mod drive;
mod negotiation;
mod output;
mod pacer;
mod pending;
mod state;

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use mp_core::{
    CloseMode, ConnectionId, ConnectionOrigin, DisconnectReason, GatePass, Instant, PeerId,
    queued_bytes,
};
use mp_udp::NetworkPath;
use str0m::Rtc;
use str0m::change::SdpPendingOffer;

use self::amplification::AmplificationLimit;
use self::channel::DataChannel;
pub(crate) use self::output::PeerOutput;
use self::pending::PendingPackets;
pub use self::state::{ConnectionState, DescriptionError, SdpError};
use crate::candidate::CandidatePolicy;
use crate::channels::ChannelTable;
use crate::clock::Clock;
use crate::limits::{
    ADDRESS_IDLE_TIME, ADDRESSES_MAX, MESSAGE_BYTES_MAX, RELIABLE_PROGRESS_TIMEOUT,
    RELIABLE_QUEUE_BYTES_MAX, WEB_MESSAGE_BYTES_MAX,
};
use crate::options::Pacing;
use crate::requester::Requester;
use crate::sdp::RemoteDescription;

/// A connection to one remote peer.
#[derive(Debug)]
pub(crate) struct Connection {
    id: ConnectionId,
    peer: PeerId,
    requester: Option<Requester>,
    /// Permission of the gate, if there is one.
    _pass: Option<GatePass>,
    rtc: Rtc,
    ufrag: String,
    local_candidates: Vec<SocketAddr>,
    state: ConnectionState,
    phase: Phase,
    channels: Vec<DataChannel>,
    lifetime: u16,
    pending_offer: Option<SdpPendingOffer>,
    remote: Option<RemoteDescription>,
    /// Addresses of the remote peer's candidates.
    remote_candidates: Vec<SocketAddr>,
    amplification: AmplificationLimit,
    policy: CandidatePolicy,
    pacing: Pacing,
    /// Received packets that are reported when all channels are open and the connection is not
    /// paused.
    pending: PendingPackets,
    is_paused: bool,
    /// The `mid` of the data section.
    mid: String,
    /// Path of the last datagram from the remote peer.
    path: Option<NetworkPath>,
    /// Time of the last datagram from the remote peer.
    last_received: Instant,
    /// Time of str0m's next timer.
    rtc_due: Instant,
    /// Time of the next timer of this connection.
    deadline: Option<Instant>,
    /// Time at which the send queue counts as stuck.
    progress_deadline: Option<Instant>,
    end: Option<End>,
    /// `true` if the remote peer has closed a channel or the connection, or is unreachable.
    is_closed_by_remote: bool,
    usage: Usage,
}

/// Bytes of a connection in the limits of all connections.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    queued: usize,
    pending: usize,
}

/// The parts of a peer that its connections use.
pub(crate) struct ConnectionContext<'a> {
    pub(crate) clock: &'a Clock,
    pub(crate) now: Instant,
    pub(crate) table: &'a ChannelTable,
    pub(crate) output: &'a mut PeerOutput,
}

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not all channels are open.
    Opening,
    /// All channels are open, and the connection was reported.
    Open,
    /// Accepted packets are sent, then the connection is closed.
    Draining(DisconnectReason),
    /// The channels are reset, until the remote peer has closed them too.
    ///
    /// SCTP retransmits resets of channels. The last datagrams of a closed connection are sent
    /// once.
    Resetting,
    /// The last datagrams are sent.
    Closing,
}

/// Progress of a connection whose channels are not all open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Progress {
    /// No connectivity check was received.
    Signaling,
    /// A connectivity check with the connection's password was received, whose source address may
    /// be forged.
    Checked,
    /// The DTLS handshake is complete, so the remote peer receives at its address.
    Secured,
}

/// The end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Reason to report. `None` if the connection was never reported, or the program does not want
    /// an event.
    pub(crate) reported: Option<DisconnectReason>,
}

/// Settings of a new connection.
pub(crate) struct Setup<'a> {
    pub(crate) id: ConnectionId,
    pub(crate) peer: PeerId,
    pub(crate) requester: Option<Requester>,
    pub(crate) pass: Option<GatePass>,
    pub(crate) rtc: Rtc,
    pub(crate) ufrag: String,
    pub(crate) local_candidates: Vec<SocketAddr>,
    pub(crate) table: &'a ChannelTable,
    pub(crate) lifetime: u16,
    pub(crate) policy: CandidatePolicy,
    pub(crate) pacing: Pacing,
}

impl Connection {
    pub(crate) fn new(setup: Setup<'_>) -> Self {
        Self {
            id: setup.id,
            peer: setup.peer,
            requester: setup.requester,
            _pass: setup.pass,
            rtc: setup.rtc,
            ufrag: setup.ufrag,
            local_candidates: setup.local_candidates,
            state: ConnectionState::New,
            phase: Phase::Opening,
            channels: (0..setup.table.len()).map(|_| DataChannel::default()).collect(),
            lifetime: setup.lifetime,
            pending_offer: None,
            remote: None,
            remote_candidates: Vec::new(),
            amplification: AmplificationLimit::default(),
            policy: setup.policy,
            pacing: setup.pacing,
            pending: PendingPackets::default(),
            is_paused: false,
            mid: "0".to_owned(),
            path: None,
            last_received: Instant::ZERO,
            rtc_due: Instant::from_micros(u64::MAX),
            deadline: None,
            progress_deadline: None,
            end: None,
            is_closed_by_remote: false,
            usage: Usage::default(),
        }
    }

    pub(crate) const fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) const fn peer(&self) -> PeerId {
        self.peer
    }

    pub(crate) const fn state(&self) -> ConnectionState {
        self.state
    }

    /// Returns the local ICE user name, which the remote peer's checks contain.
    pub(crate) fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// Returns whether all channels are open and the connection was reported.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Draining(_))
    }

    /// Returns whether the connection has not ended, and some of its channels are not open.
    pub(crate) fn is_opening(&self) -> bool {
        self.phase == Phase::Opening && self.end.is_none()
    }

    /// Returns the progress of the connection until its channels are open.
    pub(crate) fn progress(&self) -> Progress {
        match (self.state, self.path) {
            (ConnectionState::Connected, _) => Progress::Secured,
            (_, Some(_)) => Progress::Checked,
            (_, None) => Progress::Signaling,
        }
    }

    /// Returns whether `address` is in use by the connection, so that no other one may use it.
    pub(crate) fn uses(&self, address: SocketAddr, now: Instant) -> bool {
        self.progress() == Progress::Secured
            && self.path.is_some_and(|path| path.remote == address)
            && now.saturating_since(self.last_received) < ADDRESS_IDLE_TIME
    }

    /// Returns whether datagrams of a new address are accepted.
    pub(crate) fn allows_new_address(&self) -> bool {
        self.amplification.address_count() < ADDRESSES_MAX
    }

    /// Returns the remote address and the URL that the client requested, as far as they are known.
    fn origin(&self) -> ConnectionOrigin {
        let url = self.requester.as_ref().and_then(|requester| requester.url.clone());
        match (self.path, url) {
            (None, _) => ConnectionOrigin::Process,
            (Some(path), None) => ConnectionOrigin::Address(path.remote),
            (Some(path), Some(url)) => ConnectionOrigin::Url { address: path.remote, url },
        }
    }

    /// Returns the peer id that the remote peer has in the game.
    fn claimed_id(&self) -> PeerId {
        self.requester.as_ref().and_then(|requester| requester.claimed_id).unwrap_or(self.peer)
    }

    /// Returns the IP address of the remote peer's signaling, if it is known.
    pub(crate) fn requested_by(&self) -> Option<IpAddr> {
        self.requester.as_ref().map(|requester| requester.address)
    }

    /// Returns the end of the connection, if it has ended.
    pub(crate) const fn end(&self) -> Option<End> {
        self.end
    }

    /// Returns whether nothing is left to send, so that the connection can be dropped.
    pub(crate) fn is_finished(&self) -> bool {
        !self.rtc.is_alive()
    }

    /// Returns the maximum length in bytes of a message that the remote peer receives.
    pub(crate) fn message_bytes_max(&self) -> usize {
        let Some(remote) = self.remote else { return MESSAGE_BYTES_MAX };
        let web = if remote.is_web { WEB_MESSAGE_BYTES_MAX } else { MESSAGE_BYTES_MAX };
        remote.message_bytes_max.min(web)
    }

    /// Returns the time of the next timer.
    pub(crate) fn due(&self) -> Instant {
        let mut due = self.rtc_due;
        for timer in [self.deadline, self.progress_deadline] {
            due = due.min(timer.unwrap_or(due));
        }
        for channel in &self.channels {
            due = due.min(channel.due().unwrap_or(due));
        }
        due
    }

    /// Queues a packet for data channel `index`. `connections`: number of connections that share
    /// the packet.
    ///
    /// At the limit an unreliable packet is dropped. For a reliable one the connection ends with
    /// [`DisconnectReason::QueueFull`].
    pub(crate) fn send(
        &mut self,
        cx: &mut ConnectionContext<'_>,
        index: usize,
        packet: Bytes,
        connections: usize,
    ) {
        if self.phase != Phase::Open {
            return;
        }
        let mode = cx.table.mode(index);
        let (len, bytes) = (packet.len(), queued_bytes(packet.len(), connections));
        let fits = cx.output.queued.allows(self.usage.queued, bytes)
            && self.queued().0 + packet.len() <= RELIABLE_QUEUE_BYTES_MAX;
        if fits && self.channels[index].push(mode, packet, connections).is_ok() {
            self.progress_deadline.get_or_insert(cx.now + RELIABLE_PROGRESS_TIMEOUT);
            cx.output.traffic.connections.packets_sent += 1;
            cx.output.traffic.connections.bytes_sent += len as u64;
        } else if mode.is_reliable() {
            self.close(cx, Some(DisconnectReason::QueueFull));
        } else {
            cx.output.queue_drops += 1;
        }
    }

    /// Updates the share of this connection in the limits of all connections.
    pub(crate) fn record_usage(&mut self, cx: &mut ConnectionContext<'_>) {
        let usage = Usage {
            queued: self.channels.iter().map(DataChannel::memory_bytes).sum(),
            pending: self.pending.memory_bytes(),
        };
        cx.output.queued.replace(self.usage.queued, usage.queued);
        cx.output.pending.replace(self.usage.pending, usage.pending);
        self.usage = usage;
    }

    /// Sends queued packets as far as SCTP and pacing allow.
    pub(crate) fn flush(&mut self, cx: &mut ConnectionContext<'_>) {
        if !self.is_open() {
            return;
        }
        let pacing = self.remote.is_some_and(|remote| remote.is_web).then_some(self.pacing);
        let mut has_written = false;
        for channel in &mut self.channels {
            has_written |= channel.write(cx.now, &mut self.rtc, pacing);
        }
        if has_written {
            self.progress_deadline = Some(cx.now + RELIABLE_PROGRESS_TIMEOUT);
            // Writes are appended to SCTP's queues. Several writes before one drain share
            // datagrams.
            self.drive(cx);
        }
        if self.has_nothing_queued() {
            self.progress_deadline = None;
            if let Phase::Draining(reason) = self.phase
                && self.has_delivered()
            {
                self.close(cx, Some(reason));
            }
        }
    }

    /// Returns whether packets are queued until SCTP has acknowledged earlier ones.
    pub(crate) fn wants_flush(&self) -> bool {
        matches!(self.phase, Phase::Draining(_))
            || (self.phase == Phase::Open && !self.has_nothing_queued())
    }

    /// Closes the connection.
    pub(crate) fn disconnect(
        &mut self,
        cx: &mut ConnectionContext<'_>,
        (reason, close_mode): (DisconnectReason, CloseMode),
    ) {
        match close_mode {
            CloseMode::Drain if self.phase == Phase::Open => {
                self.phase = Phase::Draining(reason);
                self.deadline = Some(cx.now + RELIABLE_PROGRESS_TIMEOUT);
                self.flush(cx);
            }
            CloseMode::Drain | CloseMode::Graceful => {
                let reason = self.is_open().then_some(reason);
                self.close(cx, reason);
            }
            CloseMode::Immediate => {
                self.close(cx, None);
                self.close_rtc(cx);
            }
        }
    }

    /// Pauses or resumes reports of received packets. While paused, reliable packets are buffered
    /// up to the limits, and then stay at the remote peer. Unreliable packets are dropped.
    pub(crate) fn set_paused(&mut self, cx: &mut ConnectionContext<'_>, is_paused: bool) {
        self.is_paused = is_paused;
        self.report_pending(cx);
    }

    /// Returns the number of unreliable packets dropped because the send queue was full.
    pub(crate) fn drops(&self) -> u64 {
        self.channels.iter().map(DataChannel::drops).sum()
    }

    /// Returns the bytes and packets in the send queue.
    pub(crate) fn queued(&self) -> (usize, usize) {
        let channels = self.channels.iter();
        channels.fold((0, 0), |(bytes, packets), channel| {
            (bytes + channel.queued_bytes(), packets + channel.queued_packets())
        })
    }

    /// Returns whether SCTP has acknowledged all packets.
    pub(crate) fn has_delivered(&mut self) -> bool {
        let Self { channels, rtc, .. } = self;
        let is_empty = |channel: &DataChannel| channel.queued_packets() == 0;
        channels.iter().all(|channel| is_empty(channel) && channel.buffered(rtc) == 0)
    }

    fn has_nothing_queued(&self) -> bool {
        self.channels.iter().all(|channel| channel.queued_packets() == 0)
    }
}
