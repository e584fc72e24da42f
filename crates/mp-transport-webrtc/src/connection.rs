//! One connection: str0m's `Rtc`, Godot's data channels and what waits for them. No I/O.

mod channel;
mod drive;
mod negotiation;
mod outcome;
mod pending;
mod state;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{ConnectionId, DisconnectReason, Farewell, Instant, PeerId, TransferMode};
use str0m::Rtc;
use str0m::change::SdpPendingOffer;

use self::channel::DataChannel;
pub(crate) use self::outcome::Outcome;
use self::pending::PendingPackets;
pub use self::state::{ConnectionState, DescriptionError};
use crate::candidate::CandidatePolicy;
use crate::channels::ChannelTable;
use crate::clock::Clock;
use crate::limits::{MESSAGE_BYTES_MAX, RELIABLE_PROGRESS_TIMEOUT, WEB_MESSAGE_BYTES_MAX};
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
    /// The address of the remote peer's last datagram.
    address: Option<SocketAddr>,
    /// Time of str0m's next timer.
    rtc_due: Instant,
    /// Time of the next timer of this side.
    deadline: Option<Instant>,
    /// Time at which reliable packets that wait count as stuck.
    progress_deadline: Option<Instant>,
    end: Option<End>,
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
            address: None,
            rtc_due: Instant::from_micros(u64::MAX),
            deadline: None,
            progress_deadline: None,
            end: None,
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

    /// Postpones what counts against the remote peer: this process did not run for `time`.
    pub(crate) fn postpone_timeouts(&mut self, time: Duration) {
        for timer in [&mut self.deadline, &mut self.progress_deadline].into_iter().flatten() {
            *timer += time;
        }
    }

    /// Queues a packet for the data channel `index`.
    pub(crate) fn send(&mut self, now: Instant, mode: TransferMode, index: usize, packet: Bytes) {
        if self.phase != Phase::Open {
            return;
        }
        let queued: usize = self.channels.iter().map(DataChannel::queued_bytes).sum();
        if self.channels[index].push(mode, queued, packet).is_err() {
            self.progress_deadline = Some(now);
        } else if self.progress_deadline.is_none() {
            self.progress_deadline = Some(now + RELIABLE_PROGRESS_TIMEOUT);
        }
    }

    /// Sends what is queued as far as SCTP and the pacing allow.
    pub(crate) fn flush(
        &mut self,
        clock: &Clock,
        now: Instant,
        table: &ChannelTable,
        outcome: &mut Outcome,
    ) {
        if !self.is_open() {
            return;
        }
        let pacing = self.remote.is_some_and(|remote| remote.is_web).then_some(self.pacing);
        let mut has_written = false;
        for channel in &mut self.channels {
            has_written |= channel.write(now, &mut self.rtc, pacing);
        }
        if has_written {
            self.progress_deadline = Some(now + RELIABLE_PROGRESS_TIMEOUT);
            // Writes only append to SCTP's queues, so that several may precede one drain; their
            // messages then share datagrams.
            self.drive(clock, now, table, outcome);
        }
        if self.has_nothing_queued() {
            self.progress_deadline = None;
            if let Phase::Draining(reason) = self.phase
                && self.has_nothing_in_flight()
            {
                self.close(clock, now, table, Some(reason), outcome);
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
        clock: &Clock,
        now: Instant,
        table: &ChannelTable,
        (reason, farewell): (DisconnectReason, Farewell),
        outcome: &mut Outcome,
    ) {
        match farewell {
            Farewell::Drain if self.phase == Phase::Open => {
                self.phase = Phase::Draining(reason);
                self.deadline = Some(now + RELIABLE_PROGRESS_TIMEOUT);
                self.flush(clock, now, table, outcome);
            }
            Farewell::Drain | Farewell::Polite => {
                let reason = self.is_open().then_some(reason);
                self.close(clock, now, table, reason, outcome);
            }
            Farewell::Abrupt => self.close(clock, now, table, None, outcome),
        }
    }

    /// Stops reporting packets of the remote peer, or reports them again. While paused, reliable
    /// packets wait within bounds, then at the remote peer; unreliable ones are dropped.
    pub(crate) fn set_paused(&mut self, is_paused: bool, outcome: &mut Outcome) {
        self.is_paused = is_paused;
        self.report_pending(outcome);
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
