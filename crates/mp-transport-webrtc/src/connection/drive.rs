//! Datagrams, timers and events of a connection, and its end.

use std::net::SocketAddr;

use mp_core::{DisconnectReason, ErrorChain, Instant, Packet};
use mp_udp::NetworkPath;
use str0m::ice::StunMessage;
use str0m::net::{DatagramRecv, Protocol, Receive};
use str0m::{Event, IceConnectionState, Input, Output, RtcError};

use super::channel::DataChannel;
use super::{Connection, ConnectionContext, ConnectionState, End, PendingPackets, Phase};
use crate::clock::Clock;
use crate::limits::{CLOSE_TIMEOUT, RESET_TIMEOUT};
use crate::refusal::{DatagramRefusal, MessageRefusal};
use crate::stream_limit;

impl Connection {
    /// Returns whether a datagram from an unknown address belongs to this connection.
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
        cx: &mut ConnectionContext<'_>,
        (path, datagram): (NetworkPath, &[u8]),
    ) {
        let is_full =
            self.pending.is_full() || !cx.output.pending.allows(self.usage.pending, datagram.len());
        if is_dtls_application_data(datagram) && is_full {
            // The remote peer's SCTP retransmits it.
            cx.output.paused_drops += 1;
            return;
        }
        let Some(input) = self.input(cx.clock, cx.now, path.remote, datagram) else {
            cx.output.refused_datagrams.count(DatagramRefusal::UnknownProtocol);
            return;
        };
        self.path = Some(path);
        self.last_received = cx.now;
        self.amplification.record_received(path.remote, datagram.len());
        if self.validates(datagram) {
            self.amplification.validate(path.remote);
        }
        if let Err(error) = self.rtc.handle_input(input) {
            let error = ErrorChain::new(&error);
            tracing::debug!(peer = %self.peer, %error, "DTLS does not accept a record");
            cx.output.refused_datagrams.count(DatagramRefusal::RejectedByDtls);
        }
        self.drive(cx);
    }

    /// Runs the timers that are due.
    pub(crate) fn handle_timeout(&mut self, cx: &mut ConnectionContext<'_>) {
        if self.rtc_due <= cx.now {
            if let Err(error) = self.rtc.handle_input(Input::Timeout(cx.clock.to_std(cx.now))) {
                self.fail(cx, &error);
            }
            self.drive(cx);
        }
        if self.progress_deadline.is_some_and(|deadline| deadline <= cx.now) {
            self.progress_deadline = None;
            self.close(cx, Some(DisconnectReason::QueueFull));
        }
        if self.deadline.is_some_and(|deadline| deadline <= cx.now) {
            self.deadline = None;
            match self.phase {
                Phase::Opening => {
                    self.state = ConnectionState::Failed;
                    self.close(cx, None);
                }
                Phase::Draining(reason) => {
                    self.close(cx, Some(reason));
                }
                Phase::Resetting => self.close_rtc(cx),
                Phase::Closing => self.rtc.disconnect(),
                Phase::Open => {}
            }
        }
    }

    /// Returns whether a datagram that ICE accepts, or that belongs to an address that it has
    /// accepted, shows that the remote peer receives at its source: the response to a check, or
    /// data over DTLS.
    fn validates(&self, datagram: &[u8]) -> bool {
        match StunMessage::parse(datagram) {
            Ok(message) => message.is_successful_binding_response(),
            Err(_) => {
                self.state == ConnectionState::Connected && is_dtls_application_data(datagram)
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
        // All candidates belong to one socket, so any of them determines the source address of
        // replies.
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

    /// Processes all outputs of str0m. Called after each input.
    pub(super) fn drive(&mut self, cx: &mut ConnectionContext<'_>) {
        // Each round removes one output from str0m's bounded queues.
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.rtc_due = cx.clock.to_instant(at);
                    break;
                }
                Ok(Output::Transmit(transmit)) => {
                    let to = NetworkPath::from(transmit.destination);
                    // Sent from the address that the remote peer sends to.
                    let path = self.path.filter(|path| path.remote == to.remote).unwrap_or(to);
                    if self.amplification.allows(to.remote, transmit.contents.len()) {
                        cx.output.datagram(path, transmit.contents.into());
                    } else {
                        cx.output.amplification_drops += 1;
                    }
                }
                Ok(Output::Event(event)) => self.handle_event(cx, event),
                Err(error) => self.fail(cx, &error),
            }
        }
        if stream_limit::take_refusal() {
            tracing::debug!(peer = %self.peer, "data on an SCTP stream beyond the limit");
            cx.output.refused_messages.count(MessageRefusal::StreamBeyondLimit);
            self.rtc.disconnect();
            self.lose(cx, DisconnectReason::ProtocolViolation, ConnectionState::Closed);
        }
        if !self.rtc.is_alive() && self.end.is_none() {
            self.lose(cx, DisconnectReason::Remote(0), ConnectionState::Closed);
        }
        if self.is_closed_by_remote {
            self.close_rtc(cx);
        }
    }

    fn handle_event(&mut self, cx: &mut ConnectionContext<'_>, event: Event) {
        match event {
            Event::Connected => {
                self.state = ConnectionState::Connected;
                if let Some(path) = self.path {
                    self.amplification.validate(path.remote);
                }
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                // As in Godot, an interruption that ICE detects is final.
                self.lose(cx, DisconnectReason::Timeout, ConnectionState::Disconnected);
            }
            Event::ChannelOpen(id, _) => {
                if let Some(channel) = self.channels.iter_mut().find(|channel| channel.is(id)) {
                    channel.set_open();
                }
                if self.phase == Phase::Opening && self.channels.iter().all(DataChannel::is_open) {
                    self.phase = Phase::Open;
                    self.deadline = None;
                    cx.output.connected(self.id, self.claimed_id(), self.origin());
                    self.report_pending(cx);
                }
            }
            Event::ChannelData(data) => {
                let index = self.channels.iter().position(|channel| channel.is(data.id));
                // A channel that the remote peer opened in band does not belong to the multiplayer
                // peer.
                let Some(index) = index else {
                    cx.output.refused_messages.count(MessageRefusal::ForeignChannel);
                    return;
                };
                if matches!(self.phase, Phase::Opening | Phase::Open) {
                    let (channel, mode) = cx.table.channel_and_mode(index);
                    let payload = data.data.into();
                    let packet = Packet { from: self.id, mode, channel, payload };
                    if self.is_paused && !mode.is_reliable() {
                        cx.output.paused_drops += 1;
                    } else {
                        self.pending.push(packet);
                        self.report_pending(cx);
                    }
                } else {
                    cx.output.refused_messages.count(MessageRefusal::Closing);
                }
            }
            // As in Godot, closing one channel ends the connection. str0m also reports channels
            // that were closed locally.
            Event::ChannelClose(id)
                if self.phase != Phase::Resetting
                    && self.channels.iter().any(|channel| channel.is(id)) =>
            {
                self.lose(cx, DisconnectReason::Remote(0), ConnectionState::Closed);
            }
            Event::Closed => self.lose(cx, DisconnectReason::Remote(0), ConnectionState::Closed),
            _ => {}
        }
    }

    /// Reports pending packets, unless the connection is paused or not open.
    pub(super) fn report_pending(&mut self, cx: &mut ConnectionContext<'_>) {
        if self.phase == Phase::Open && !self.is_paused {
            cx.output.packets(self.pending.take());
        }
    }

    /// Ends the connection because one of its protocols failed.
    fn fail(&mut self, cx: &mut ConnectionContext<'_>, error: &RtcError) {
        tracing::debug!(peer = %self.peer, error = %ErrorChain::new(error), "connection failed");
        cx.output.failed_connections += 1;
        self.rtc.disconnect();
        self.lose(cx, DisconnectReason::ProtocolViolation, ConnectionState::Closed);
    }

    /// Records that the remote peer closed the connection or is unreachable. Packets buffered while
    /// paused are reported first.
    fn lose(
        &mut self,
        cx: &mut ConnectionContext<'_>,
        reason: DisconnectReason,
        state: ConnectionState,
    ) {
        self.is_closed_by_remote = true;
        if self.end.is_some() {
            return;
        }
        if self.phase == Phase::Open {
            cx.output.packets(self.pending.take());
        }
        let reported = match self.phase {
            Phase::Opening => None,
            Phase::Open => Some(reason),
            Phase::Draining(own) => Some(own),
            Phase::Resetting | Phase::Closing => None,
        };
        self.state = state;
        self.end = Some(End { reported });
        self.channels.iter_mut().for_each(DataChannel::clear);
        self.progress_deadline = None;
    }

    /// Closes the connection: resets its channels, and closes it when the remote peer has done so
    /// too.
    pub(super) fn close(
        &mut self,
        cx: &mut ConnectionContext<'_>,
        reported: Option<DisconnectReason>,
    ) {
        if self.end.is_some() {
            return;
        }
        let was_open = self.is_open();
        self.end = Some(End { reported });
        self.pending = PendingPackets::default();
        if self.state != ConnectionState::Failed {
            self.state = ConnectionState::Closed;
        }
        self.channels.iter_mut().for_each(DataChannel::clear);
        self.progress_deadline = None;
        if was_open {
            self.phase = Phase::Resetting;
            self.deadline = Some(cx.now + RESET_TIMEOUT);
            for channel in &self.channels {
                channel.reset(&mut self.rtc);
            }
            self.drive(cx);
        } else {
            self.close_rtc(cx);
        }
    }

    /// Closes str0m's connection. Its last datagrams are still sent.
    pub(super) fn close_rtc(&mut self, cx: &mut ConnectionContext<'_>) {
        if self.phase == Phase::Closing {
            return;
        }
        self.phase = Phase::Closing;
        self.deadline = Some(cx.now + CLOSE_TIMEOUT);
        if self.rtc.close().is_err() {
            self.rtc.disconnect();
        }
        self.drive(cx);
    }
}

/// Returns whether a datagram is a DTLS record of application data (content type 23). Handshakes
/// and alerts are handled even while a connection is paused.
fn is_dtls_application_data(datagram: &[u8]) -> bool {
    datagram.first() == Some(&23)
}
