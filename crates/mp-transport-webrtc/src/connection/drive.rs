//! Datagrams, timers and events of a connection, and how it ends.

use std::net::SocketAddr;

use mp_core::{DisconnectReason, Instant, Packet};
use str0m::net::{DatagramRecv, Protocol, Receive};
use str0m::{Event, IceConnectionState, Input, Output};

use super::channel::DataChannel;
use super::{Connection, ConnectionState, End, Outcome, Phase};
use crate::channels::ChannelTable;
use crate::clock::Clock;
use crate::limits::CLOSE_TIMEOUT;

impl Connection {
    /// Returns whether a datagram from an address that is not known yet is for this connection.
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
    pub(super) fn drive(
        &mut self,
        clock: &Clock,
        now: Instant,
        table: &ChannelTable,
        outcome: &mut Outcome,
    ) {
        // Each round takes one output out of str0m's bounded queues.
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.rtc_due = clock.to_instant(at);
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
            // As in Godot, one closed channel ends the connection.
            Event::ChannelClose(id) if self.channels.iter().any(|channel| channel.is(id)) => {
                self.lose(DisconnectReason::Remote(0), ConnectionState::Closed);
            }
            Event::Closed => self.lose(DisconnectReason::Remote(0), ConnectionState::Closed),
            _ => {}
        }
    }

    /// Reports pending packets, unless they have to wait.
    pub(super) fn report_pending(&mut self, outcome: &mut Outcome) {
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
    pub(super) fn close(
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
}

/// Returns whether a datagram is a DTLS record of application data (content type 23).
///
/// Handshakes and alerts pass while a connection is paused.
fn is_dtls_application_data(datagram: &[u8]) -> bool {
    datagram.first() == Some(&23)
}
