//! One connection: str0m's `Rtc`, Godot's data channels and what waits for them. No I/O.

mod channel;
mod drive;
mod negotiation;
mod outcome;
mod pacer;
mod pending;
mod state;

use std::net::SocketAddr;

use bytes::Bytes;
use mp_core::{ConnectionId, DisconnectReason, Farewell, Instant, PeerId, queued_bytes};
use mp_udp::NetworkPath;
use str0m::Rtc;
use str0m::change::SdpPendingOffer;

use self::channel::DataChannel;
pub(crate) use self::outcome::Outcome;
use self::pending::PendingPackets;
pub use self::state::{ConnectionState, DescriptionError};
use crate::candidate::CandidatePolicy;
use crate::channels::ChannelTable;
use crate::clock::Clock;
use crate::limits::{
    MESSAGE_BYTES_MAX, RELIABLE_PROGRESS_TIMEOUT, RELIABLE_QUEUE_BYTES_MAX, WEB_MESSAGE_BYTES_MAX,
};
use crate::options::Pacing;
use crate::sdp::RemoteDescription;

/// A connection to one remote peer.
#[derive(Debug)]
pub(crate) struct Connection {
    id: ConnectionId,
    peer: PeerId,
    rtc: Rtc,
    ufrag: String,
    local_candidates: Vec<SocketAddr>,
    state: ConnectionState,
    phase: Phase,
    channels: Vec<DataChannel>,
    lifetime: u16,
    pending_offer: Option<SdpPendingOffer>,
    remote: Option<RemoteDescription>,
    remote_candidates: usize,
    policy: CandidatePolicy,
    pacing: Pacing,
    /// Packets that wait until all channels are open, or while the connection is paused.
    pending: PendingPackets,
    is_paused: bool,
    /// The `mid` of the data section.
    mid: String,
    /// The path of the remote peer's last datagram.
    path: Option<NetworkPath>,
    /// Time of str0m's next timer.
    rtc_due: Instant,
    /// Time of the next timer of this side.
    deadline: Option<Instant>,
    /// Time at which reliable packets that wait count as stuck.
    progress_deadline: Option<Instant>,
    end: Option<End>,
    /// The remote peer has closed a channel or the connection, or is not there any more.
    is_closed_by_remote: bool,
    usage: Usage,
}

/// Bytes of a connection in the sums of all connections.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    queued: usize,
    pending: usize,
}

/// The parts of a peer that its connections use.
pub(crate) struct Context<'a> {
    pub(crate) clock: &'a Clock,
    pub(crate) now: Instant,
    pub(crate) table: &'a ChannelTable,
    pub(crate) outcome: &'a mut Outcome,
}

/// The part of its life that a connection is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not all channels are open.
    Opening,
    /// All channels are open, and the program knows.
    Open,
    /// Sends what it accepted, then closes.
    Draining(DisconnectReason),
    /// Waits until the remote peer has closed its channels too.
    ///
    /// SCTP repeats the resets of channels, while the last datagrams of a closed connection are sent
    /// once.
    Resetting,
    /// Sends its last datagrams.
    Closing,
}

/// The end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The reason to report: `None` when the program was never told of the connection, or does not
    /// want to hear of it.
    pub(crate) reported: Option<DisconnectReason>,
}

/// Settings of a new connection.
pub(crate) struct Setup<'a> {
    pub(crate) id: ConnectionId,
    pub(crate) peer: PeerId,
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
            rtc: setup.rtc,
            ufrag: setup.ufrag,
            local_candidates: setup.local_candidates,
            state: ConnectionState::New,
            phase: Phase::Opening,
            channels: (0..setup.table.len()).map(|_| DataChannel::default()).collect(),
            lifetime: setup.lifetime,
            pending_offer: None,
            remote: None,
            remote_candidates: 0,
            policy: setup.policy,
            pacing: setup.pacing,
            pending: PendingPackets::default(),
            is_paused: false,
            mid: "0".to_owned(),
            path: None,
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

    /// This side's ICE user name, which the remote peer's checks carry.
    pub(crate) fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// Returns whether every channel is open and the program knows of the connection.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Draining(_))
    }

    /// Returns whether it has not ended and its channels are not all open.
    pub(crate) fn is_opening(&self) -> bool {
        self.phase == Phase::Opening && self.end.is_none()
    }

    /// Returns its end, once it has ended.
    pub(crate) const fn end(&self) -> Option<End> {
        self.end
    }

    /// Returns whether nothing is left to send: it can be dropped.
    pub(crate) fn is_finished(&self) -> bool {
        !self.rtc.is_alive()
    }

    /// Size in bytes of the largest message that the remote peer receives.
    pub(crate) fn message_bytes_max(&self) -> usize {
        let Some(remote) = self.remote else { return MESSAGE_BYTES_MAX };
        let web = if remote.is_web { WEB_MESSAGE_BYTES_MAX } else { MESSAGE_BYTES_MAX };
        remote.message_bytes_max.min(web)
    }

    /// Time of the next timer.
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

    /// Queues a packet for the data channel `index`, which `connections` connections queue together.
    ///
    /// An unreliable packet for which there is no room is dropped. For a reliable one the
    /// connection ends with [`DisconnectReason::QueueFull`].
    pub(crate) fn send(
        &mut self,
        cx: &mut Context<'_>,
        index: usize,
        packet: Bytes,
        connections: usize,
    ) {
        if self.phase != Phase::Open {
            return;
        }
        let mode = cx.table.mode(index);
        let bytes = queued_bytes(packet.len(), connections);
        let fits = cx.outcome.queued.allows(self.usage.queued, bytes)
            && self.queued().0 + packet.len() <= RELIABLE_QUEUE_BYTES_MAX;
        if fits && self.channels[index].push(mode, packet, connections).is_ok() {
            self.progress_deadline.get_or_insert(cx.now + RELIABLE_PROGRESS_TIMEOUT);
        } else if mode.is_reliable() {
            self.close(cx, Some(DisconnectReason::QueueFull));
        } else {
            cx.outcome.queue_drops += 1;
        }
    }

    /// Records what this connection holds in the sums of all connections.
    pub(crate) fn record_usage(&mut self, cx: &mut Context<'_>) {
        let usage = Usage {
            queued: self.channels.iter().map(DataChannel::held_bytes).sum(),
            pending: self.pending.held_bytes(),
        };
        cx.outcome.queued.replace(self.usage.queued, usage.queued);
        cx.outcome.pending.replace(self.usage.pending, usage.pending);
        self.usage = usage;
    }

    /// Sends what is queued as far as SCTP and the pacing allow.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>) {
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
            // Writes only append to SCTP's queues, so that several may precede one drain; their
            // messages then share datagrams.
            self.drive(cx);
        }
        if self.has_nothing_queued() {
            self.progress_deadline = None;
            if let Phase::Draining(reason) = self.phase
                && self.has_nothing_in_flight()
            {
                self.close(cx, Some(reason));
            }
        }
    }

    /// Returns whether something waits for SCTP to acknowledge what was sent before.
    pub(crate) fn wants_flush(&self) -> bool {
        matches!(self.phase, Phase::Draining(_))
            || (self.phase == Phase::Open && !self.has_nothing_queued())
    }

    /// Ends the connection.
    pub(crate) fn disconnect(
        &mut self,
        cx: &mut Context<'_>,
        (reason, farewell): (DisconnectReason, Farewell),
    ) {
        match farewell {
            Farewell::Drain if self.phase == Phase::Open => {
                self.phase = Phase::Draining(reason);
                self.deadline = Some(cx.now + RELIABLE_PROGRESS_TIMEOUT);
                self.flush(cx);
            }
            Farewell::Drain | Farewell::Polite => {
                let reason = self.is_open().then_some(reason);
                self.close(cx, reason);
            }
            Farewell::Abrupt => {
                self.close(cx, None);
                self.close_rtc(cx);
            }
        }
    }

    /// Stops reporting packets of the remote peer, or reports them again. While paused, reliable
    /// packets wait within bounds, then at the remote peer; unreliable ones are dropped.
    pub(crate) fn set_paused(&mut self, cx: &mut Context<'_>, is_paused: bool) {
        self.is_paused = is_paused;
        self.report_pending(cx);
    }

    /// Unreliable packets that were dropped because the send queue was full.
    pub(crate) fn drops(&self) -> u64 {
        self.channels.iter().map(DataChannel::drops).sum()
    }

    /// Bytes and packets that wait for SCTP.
    pub(crate) fn queued(&self) -> (usize, usize) {
        let channels = self.channels.iter();
        channels.fold((0, 0), |(bytes, packets), channel| {
            (bytes + channel.queued_bytes(), packets + channel.queued_packets())
        })
    }

    fn has_nothing_queued(&self) -> bool {
        self.channels.iter().all(|channel| channel.queued_packets() == 0)
    }

    fn has_nothing_in_flight(&mut self) -> bool {
        let Self { channels, rtc, .. } = self;
        channels.iter().all(|channel| channel.buffered(rtc) == 0)
    }
}
