//! One connection: str0m's `Rtc`, Godot's data channels and what waits for them. No I/O.

mod channel;
mod outcome;
mod pending;
mod state;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{ConnectionId, DisconnectReason, Farewell, Instant, Packet, PeerId, TransferMode};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::net::{DatagramRecv, Protocol, Receive};
use str0m::{Event, IceConnectionState, Input, Output, Rtc};

use self::channel::DataChannel;
pub(crate) use self::outcome::Outcome;
use self::pending::PendingPackets;
pub use self::state::{ConnectionState, DescriptionError};
use crate::candidate::{self, CandidateError, CandidatePolicy, IceCandidate};
use crate::channels::ChannelTable;
use crate::clock::Clock;
use crate::limits::{
    CLOSE_TIMEOUT, CONNECT_TIMEOUT, MESSAGE_BYTES_MAX, RELIABLE_PROGRESS_TIMEOUT,
    REMOTE_CANDIDATES_MAX, SDP_BYTES_MAX, WEB_MESSAGE_BYTES_MAX,
};
use crate::options::Pacing;
use crate::sdp::{self, RemoteDescription, SdpKind};

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

/// How a connection ended.
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

    /// Whether every channel is open and the program knows of the connection.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Draining(_))
    }

    /// How it ended, once it has.
    pub(crate) const fn end(&self) -> Option<End> {
        self.end
    }

    /// Whether nothing is left to send: it can be dropped.
    pub(crate) fn is_finished(&self) -> bool {
        !self.rtc.is_alive()
    }

    /// Size in bytes of the largest message that the remote peer receives.
    pub(crate) fn message_bytes_max(&self) -> usize {
        let Some(remote) = self.remote else { return MESSAGE_BYTES_MAX };
        let web = if remote.is_web { WEB_MESSAGE_BYTES_MAX } else { MESSAGE_BYTES_MAX };
        remote.message_bytes_max.min(web)
    }

    /// Creates the offer.
    pub(crate) fn create_offer(
        &mut self,
        clock: &Clock,
        now: Instant,
        table: &ChannelTable,
        outcome: &mut Outcome,
    ) -> Result<(), DescriptionError> {
        if self.state != ConnectionState::New {
            return Err(DescriptionError::NotNew);
        }
        let mut changes = self.rtc.sdp_api();
        let ids: Vec<_> = table
            .configs(self.lifetime)
            .map(|config| changes.add_channel_with_config(config))
            .collect();
        let (offer, pending) = changes.apply().ok_or(DescriptionError::NotNew)?;
        self.assign_channels(ids);
        self.pending_offer = Some(pending);
        self.begin(now);
        let offer = offer.to_sdp_string();
        self.mid = sdp::mid(&offer).to_owned();
        outcome.description(self.peer, SdpKind::Offer, offer);
        self.announce_candidates(outcome);
        self.drive(clock, now, table, outcome);
        Ok(())
    }

    /// Applies the remote peer's description; an offer is answered.
    pub(crate) fn set_remote_description(
        &mut self,
        clock: &Clock,
        now: Instant,
        table: &ChannelTable,
        (kind, sdp): (SdpKind, &str),
        outcome: &mut Outcome,
    ) -> Result<(), DescriptionError> {
        if sdp.len() > SDP_BYTES_MAX {
            return Err(DescriptionError::TooLong);
        }
        match kind {
            SdpKind::Offer => {
                if self.state != ConnectionState::New {
                    return Err(DescriptionError::NotNew);
                }
                let offer = SdpOffer::from_sdp_string(sdp).map_err(DescriptionError::malformed)?;
                let answer = self.rtc.sdp_api().accept_offer(offer);
                let answer = answer.map_err(DescriptionError::refused)?;
                let configs = table.configs(self.lifetime);
                let ids = configs.map(|config| self.rtc.direct_api().create_data_channel(config));
                let ids = ids.collect();
                self.assign_channels(ids);
                self.remote = Some(RemoteDescription::read(sdp));
                self.begin(now);
                let answer = answer.to_sdp_string();
                self.mid = sdp::mid(&answer).to_owned();
                outcome.description(self.peer, SdpKind::Answer, answer);
                self.announce_candidates(outcome);
            }
            SdpKind::Answer => {
                let pending = self.pending_offer.take().ok_or(DescriptionError::NoOffer)?;
                let answer =
                    SdpAnswer::from_sdp_string(sdp).map_err(DescriptionError::malformed)?;
                let accepted = self.rtc.sdp_api().accept_answer(pending, answer);
                accepted.map_err(DescriptionError::refused)?;
                self.remote = Some(RemoteDescription::read(sdp));
            }
        }
        self.drive(clock, now, table, outcome);
        Ok(())
    }

    /// Adds a candidate of the remote peer.
    pub(crate) fn add_ice_candidate(
        &mut self,
        clock: &Clock,
        now: Instant,
        table: &ChannelTable,
        candidate: &IceCandidate,
        outcome: &mut Outcome,
    ) -> Result<(), CandidateError> {
        let parsed = candidate::parse(&candidate.name, self.policy)?;
        if self.remote_candidates >= REMOTE_CANDIDATES_MAX {
            return Err(CandidateError::TooMany);
        }
        self.remote_candidates += 1;
        self.rtc.add_remote_candidate(parsed);
        self.drive(clock, now, table, outcome);
        Ok(())
    }

    /// Whether a datagram from an address that is not known yet is for this connection.
    pub(crate) fn accepts(
        &self,
        clock: &Clock,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
    ) -> bool {
        self.input(clock, now, from, datagram).is_some_and(|input| self.rtc.accepts(&input))
    }

    /// Handles a datagram of the remote peer.
    pub(crate) fn handle_datagram(
        &mut self,
        clock: &Clock,
        now: Instant,
        table: &ChannelTable,
        (from, datagram): (SocketAddr, &[u8]),
        outcome: &mut Outcome,
    ) {
        if is_dtls_application_data(datagram) && self.pending.is_full() {
            // The remote peer's SCTP repeats it later.
            outcome.paused_drops += 1;
            return;
        }
        let Some(input) = self.input(clock, now, from, datagram) else {
            outcome.malformed_datagrams += 1;
            return;
        };
        self.address = Some(from);
        if let Err(error) = self.rtc.handle_input(input) {
            tracing::debug!(peer = %self.peer, %error, "malformed datagram");
            outcome.malformed_datagrams += 1;
        }
        self.drive(clock, now, table, outcome);
    }

    /// Runs the timers that are due.
    pub(crate) fn handle_timeout(
        &mut self,
        clock: &Clock,
        now: Instant,
        table: &ChannelTable,
        outcome: &mut Outcome,
    ) {
        if self.rtc_due <= now {
            if let Err(error) = self.rtc.handle_input(Input::Timeout(clock.to_std(now))) {
                tracing::debug!(peer = %self.peer, %error, "timer failed");
            }
            self.drive(clock, now, table, outcome);
        }
        if self.progress_deadline.is_some_and(|deadline| deadline <= now) {
            self.progress_deadline = None;
            self.close(clock, now, table, Some(DisconnectReason::QueueFull), outcome);
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            match self.phase {
                Phase::Opening => {
                    self.state = ConnectionState::Failed;
                    self.close(clock, now, table, None, outcome);
                }
                Phase::Draining(reason) => {
                    self.close(clock, now, table, Some(reason), outcome);
                }
                Phase::Closing => self.rtc.disconnect(),
                Phase::Open => {}
            }
        }
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

    /// Whether something waits for SCTP to acknowledge what was sent before.
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

    fn begin(&mut self, now: Instant) {
        self.state = ConnectionState::Connecting;
        self.deadline = Some(now + CONNECT_TIMEOUT);
    }

    fn assign_channels(&mut self, ids: Vec<str0m::channel::ChannelId>) {
        for (channel, id) in self.channels.iter_mut().zip(ids) {
            channel.assign(id);
        }
    }

    fn announce_candidates(&self, outcome: &mut Outcome) {
        for &address in &self.local_candidates {
            let candidate = str0m::Candidate::host(address, "udp");
            let candidate = candidate.expect("addresses were checked when the peer was created");
            outcome.candidate(self.peer, &self.mid, candidate.to_sdp_string());
        }
    }

    fn input<'a>(
        &self,
        clock: &Clock,
        now: Instant,
        source: SocketAddr,
        datagram: &'a [u8],
    ) -> Option<Input<'a>> {
        let contents = DatagramRecv::try_from(datagram).ok()?;
        // All candidates are one socket: whichever was asked, the answer leaves from it.
        let is_same_kind = |address: &&SocketAddr| {
            address.is_ipv4() == source.is_ipv4()
                && address.ip().is_loopback() == source.ip().is_loopback()
        };
        let candidates = &self.local_candidates;
        let destination = candidates.iter().find(is_same_kind).or_else(|| candidates.first());
        let destination = *destination?;
        let receive = Receive { proto: Protocol::Udp, source, destination, contents };
        Some(Input::Receive(clock.to_std(now), receive))
    }

    /// Takes everything that str0m has to say after something was done with it.
    fn drive(&mut self, clock: &Clock, now: Instant, table: &ChannelTable, outcome: &mut Outcome) {
        // Each round takes one output out of str0m's bounded queues.
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.rtc_due = clock.from_std(at);
                    break;
                }
                Ok(Output::Transmit(transmit)) => {
                    outcome.datagram(transmit.destination, transmit.contents.into());
                }
                Ok(Output::Event(event)) => self.handle_event(table, event, outcome),
                Err(error) => {
                    tracing::debug!(peer = %self.peer, %error, "connection failed");
                    self.rtc.disconnect();
                }
            }
        }
        if !self.rtc.is_alive() && self.end.is_none() {
            self.lose(DisconnectReason::Remote(0), ConnectionState::Closed);
        }
        let is_lost = matches!(self.state, ConnectionState::Disconnected | ConnectionState::Closed);
        if is_lost && self.phase != Phase::Closing {
            self.phase = Phase::Closing;
            self.deadline = Some(now + CLOSE_TIMEOUT);
            if self.rtc.close().is_err() {
                self.rtc.disconnect();
            }
            self.drive(clock, now, table, outcome);
        }
    }

    fn handle_event(&mut self, table: &ChannelTable, event: Event, outcome: &mut Outcome) {
        match event {
            Event::Connected => {
                self.state = ConnectionState::Connected;
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                // As in Godot, an interruption that ICE notices is final.
                self.lose(DisconnectReason::Timeout, ConnectionState::Disconnected);
            }
            Event::ChannelOpen(id, _) => {
                if let Some(channel) = self.channels.iter_mut().find(|channel| channel.is(id)) {
                    channel.set_open();
                }
                if self.phase == Phase::Opening && self.channels.iter().all(DataChannel::is_open) {
                    self.phase = Phase::Open;
                    self.deadline = None;
                    outcome.connected(self.id, self.peer, self.address);
                    self.report_pending(outcome);
                }
            }
            Event::ChannelData(data) => {
                let index = self.channels.iter().position(|channel| channel.is(data.id));
                // A channel that the remote peer opened in band is no part of the multiplayer peer.
                let Some(index) = index else {
                    outcome.foreign_messages += 1;
                    return;
                };
                if matches!(self.phase, Phase::Opening | Phase::Open) {
                    let (channel, mode) = table.channel_and_mode(index);
                    let payload = data.data.into();
                    let packet = Packet { from: self.id, mode, channel, payload };
                    if self.is_paused && !mode.is_reliable() {
                        outcome.paused_drops += 1;
                    } else {
                        self.pending.push(packet);
                        self.report_pending(outcome);
                    }
                }
            }
            Event::ChannelClose(id) => {
                // As in Godot, one closed channel ends the connection.
                if self.channels.iter().any(|channel| channel.is(id)) {
                    self.lose(DisconnectReason::Remote(0), ConnectionState::Closed);
                }
            }
            Event::Closed => self.lose(DisconnectReason::Remote(0), ConnectionState::Closed),
            _ => {}
        }
    }

    /// Reports pending packets, unless they have to wait.
    fn report_pending(&mut self, outcome: &mut Outcome) {
        if self.phase == Phase::Open && !self.is_paused {
            outcome.packets(self.pending.take());
        }
    }

    /// Notes that the remote peer ended the connection, or is not there any more.
    fn lose(&mut self, reason: DisconnectReason, state: ConnectionState) {
        if self.end.is_some() {
            return;
        }
        let reported = match self.phase {
            Phase::Opening => None,
            Phase::Open => Some(reason),
            Phase::Draining(own) => Some(own),
            Phase::Closing => None,
        };
        self.state = state;
        self.end = Some(End { reported });
        self.channels.iter_mut().for_each(DataChannel::clear);
        self.progress_deadline = None;
    }

    /// Closes the connection from this side; the last datagrams are still sent.
    fn close(
        &mut self,
        clock: &Clock,
        now: Instant,
        table: &ChannelTable,
        reported: Option<DisconnectReason>,
        outcome: &mut Outcome,
    ) {
        if self.end.is_some() {
            return;
        }
        self.end = Some(End { reported });
        if self.state != ConnectionState::Failed {
            self.state = ConnectionState::Closed;
        }
        self.channels.iter_mut().for_each(DataChannel::clear);
        self.progress_deadline = None;
        self.phase = Phase::Closing;
        self.deadline = Some(now + CLOSE_TIMEOUT);
        if self.rtc.close().is_err() {
            self.rtc.disconnect();
        }
        self.drive(clock, now, table, outcome);
    }

    fn has_nothing_queued(&self) -> bool {
        self.channels.iter().all(|channel| channel.queued_packets() == 0)
    }

    fn has_nothing_in_flight(&mut self) -> bool {
        let Self { channels, rtc, .. } = self;
        channels.iter().all(|channel| channel.buffered(rtc) == 0)
    }
}

/// Whether a datagram is a DTLS record of application data (content type 23).
///
/// Handshakes and alerts pass while a connection is paused.
fn is_dtls_application_data(datagram: &[u8]) -> bool {
    datagram.first() == Some(&23)
}
