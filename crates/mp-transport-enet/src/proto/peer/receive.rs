//! Handling the received commands of a peer.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use mp_core::{DisconnectReason, SharedLimit, bug};

use super::{Peer, Sessions, State};
use crate::proto::channel::{Delivery, Outcome, SequencePosition};
use crate::proto::command::{Body, CONTROL_CHANNEL, Command, CommandError, Terms};
use crate::proto::settings::HostSettings;
use crate::proto::wire::DatagramBytes;
use crate::proto::{
    CommandRefusal, HostEvent, MTU_MAX, MTU_MIN, Millis, PacketFlags, WINDOW_MAX, WINDOW_MIN,
};

/// The state of the host that a peer needs to handle a datagram, and the results.
pub(crate) struct Context<'a> {
    settings: &'a HostSettings,
    events: &'a mut VecDeque<HostEvent>,
    limit: &'a mut SharedLimit,
    is_admitted: bool,
    refusal: Option<CommandRefusal>,
    deferred: u64,
    affects_sending: bool,
}

impl<'a> Context<'a> {
    /// Returns a context. `limit`: limit of the received data of all peers. `is_admitted`: a client
    /// that completes its handshake now is admitted.
    pub(crate) const fn new(
        settings: &'a HostSettings,
        events: &'a mut VecDeque<HostEvent>,
        limit: &'a mut SharedLimit,
        is_admitted: bool,
    ) -> Self {
        let (refusal, deferred, affects_sending) = (None, 0, false);
        Self { settings, events, limit, is_admitted, refusal, deferred, affects_sending }
    }

    /// Returns the reason why a command was malformed.
    pub(crate) const fn refusal(&self) -> Option<CommandRefusal> {
        self.refusal
    }

    /// Records the reason why a command is malformed.
    const fn refuse(&mut self, refusal: CommandRefusal) -> Outcome {
        self.refusal = Some(refusal);
        Outcome::Malformed
    }

    /// Returns whether a command may have changed what the peer is sent, or its timers. Unreliable
    /// packets do not.
    pub(crate) const fn affects_sending(&self) -> bool {
        self.affects_sending
    }

    /// Returns the number of commands that were not accepted for lack of capacity. The peer
    /// retransmits them.
    pub(crate) const fn deferred(&self) -> u64 {
        self.deferred
    }
}

impl Peer {
    /// Handles the commands of one datagram. The commands after a malformed one are ignored; those
    /// before it keep their effect.
    pub(crate) fn handle_commands(
        &mut self,
        now: Millis,
        sent_time: Option<u16>,
        mut bytes: &[u8],
        context: &mut Context<'_>,
    ) -> ControlFlow<()> {
        let mut datagram = DatagramBytes::new(bytes);
        while !bytes.is_empty() {
            let (command, rest) = match Command::parse(bytes) {
                Ok(parsed) => parsed,
                // Some compressors pad with zeros after the last command.
                Err(CommandError::Unknown(0)) => return ControlFlow::Continue(()),
                Err(error) => {
                    context.refuse(match error {
                        CommandError::Truncated => CommandRefusal::Truncated,
                        CommandError::Unknown(_) => CommandRefusal::UnknownCommand,
                    });
                    return ControlFlow::Continue(());
                }
            };
            bytes = rest;
            context.affects_sending |=
                command.wants_acknowledgement() || !command.body.is_unreliable();
            let (outcome, flow) = self.handle_command(now, &command, &mut datagram, context);
            if flow.is_break() {
                return flow;
            }
            if outcome == Outcome::Malformed {
                return ControlFlow::Continue(());
            }
            context.deferred += u64::from(outcome == Outcome::Deferred);
            if command.wants_acknowledgement() {
                let Some(sent_time) = sent_time else {
                    context.refuse(CommandRefusal::NoSentTime);
                    break;
                };
                if outcome == Outcome::Accepted && self.acknowledges(&command) {
                    self.acknowledgements.push(command.channel, command.sequence, sent_time);
                    self.sender.add_demand(ACKNOWLEDGE_LEN);
                }
                if outcome == Outcome::Buffered {
                    self.acknowledgements.push_paused(command.channel, command.sequence, sent_time);
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Counts a datagram of `len` bytes from an address that is not validated.
    pub(crate) const fn count_unvalidated(&mut self, len: usize) {
        self.validation.received(len);
    }

    fn handle_command(
        &mut self,
        now: Millis,
        command: &Command<'_>,
        datagram: &mut DatagramBytes<'_>,
        context: &mut Context<'_>,
    ) -> (Outcome, ControlFlow<()>) {
        let is_open = matches!(self.state, State::Connected | State::DisconnectLater);
        let outcome = match command.body {
            Body::Acknowledge { sequence, sent_time } => {
                return self.handle_acknowledge(now, command.channel, sequence, sent_time, context);
            }
            Body::VerifyConnect(terms) => return self.handle_verify(&terms, context),
            Body::Disconnect { data } => {
                let flow = self.handle_disconnect(command.wants_acknowledgement(), data, context);
                return (Outcome::Accepted, flow);
            }
            Body::Ping if is_open => Outcome::Accepted,
            Body::BandwidthLimit { incoming, outgoing } if is_open => {
                self.set_bandwidth(incoming, outgoing, context.settings);
                Outcome::Accepted
            }
            Body::ThrottleConfigure(parameters) if is_open => {
                self.throttle.configure(parameters);
                Outcome::Accepted
            }
            Body::SendReliable { .. }
            | Body::SendUnreliable { .. }
            | Body::SendUnsequenced { .. }
            | Body::SendFragment(_)
            | Body::SendUnreliableFragment(_)
                if is_open =>
            {
                self.handle_data(command, datagram, context)
            }
            _ => context.refuse(CommandRefusal::UnexpectedCommand),
        };
        (outcome, ControlFlow::Continue(()))
    }

    fn handle_acknowledge(
        &mut self,
        now: Millis,
        channel: u8,
        sequence: u16,
        sent_time: u16,
        context: &mut Context<'_>,
    ) -> (Outcome, ControlFlow<()>) {
        let acknowledged =
            self.sender.acknowledge(now, channel, sequence, sent_time, &mut self.channels);
        let Some(acknowledged) = acknowledged else {
            // A duplicate acknowledgement, or of an unknown command: ignore it.
            return (Outcome::Accepted, ControlFlow::Continue(()));
        };
        self.last_acknowledged = Some(now);
        if let Some(sample) = acknowledged.sample {
            self.round_trip.sample(now, sample, &mut self.throttle);
        }
        match (self.state, acknowledged.control) {
            (State::HalfOpen, Some(Body::VerifyConnect(_))) if context.is_admitted => {
                self.state = State::Connected;
                let (connection, address, data) = (self.connection, self.path.remote, self.data);
                context.events.push_back(HostEvent::Connected { connection, address, data });
            }
            (State::HalfOpen, Some(Body::VerifyConnect(_))) => self.disconnect(0, None),
            (State::Disconnecting, Some(Body::Disconnect { .. })) => {
                self.report_end(DisconnectReason::Closed, context.events);
                return (Outcome::Accepted, ControlFlow::Break(()));
            }
            (State::DisconnectLater, _) => self.disconnect_when_drained(),
            _ => {}
        }
        (Outcome::Accepted, ControlFlow::Continue(()))
    }

    fn handle_verify(
        &mut self,
        terms: &Terms,
        context: &mut Context<'_>,
    ) -> (Outcome, ControlFlow<()>) {
        let is_wanted = match self.state {
            State::Abandoned { .. } => false,
            State::Connecting => true,
            _ => return (Outcome::Accepted, ControlFlow::Continue(())),
        };
        let is_ours = (1..=255).contains(&terms.channel_count)
            && terms.throttle == context.settings.throttle
            && terms.connect_id == self.connect_id;
        if !is_ours {
            self.report_end(DisconnectReason::ProtocolViolation, context.events);
            return (context.refuse(CommandRefusal::UnofferedTerms), ControlFlow::Break(()));
        }
        self.sender.forget_control(1);
        self.outgoing_id = terms.peer_id;
        self.sessions = Sessions::new(terms.incoming_session, terms.outgoing_session);
        if !is_wanted {
            self.disconnect(0, None);
            return (Outcome::Accepted, ControlFlow::Continue(()));
        }
        self.channels.limit(terms.channel_count as u8);
        self.mtu = self.mtu.min(context.settings.room(clamp_mtu(terms.mtu)));
        self.sender.set_mtu(self.mtu);
        self.window = self.window.min(terms.window_size.clamp(WINDOW_MIN, WINDOW_MAX));
        self.bandwidth = (terms.incoming_bandwidth, terms.outgoing_bandwidth);
        self.state = State::Connected;
        let (connection, address) = (self.connection, self.path.remote);
        context.events.push_back(HostEvent::Connected { connection, address, data: 0 });
        (Outcome::Accepted, ControlFlow::Continue(()))
    }

    fn handle_disconnect(
        &mut self,
        is_graceful: bool,
        data: u32,
        context: &mut Context<'_>,
    ) -> ControlFlow<()> {
        match self.state {
            State::AcknowledgingDisconnect => return ControlFlow::Continue(()),
            State::Abandoned { .. }
            | State::Connecting
            | State::HalfOpen
            | State::Disconnecting => {
                self.report_end(DisconnectReason::Remote(data), context.events);
                return ControlFlow::Break(());
            }
            State::Connected | State::DisconnectLater => {}
        }
        self.report_end(DisconnectReason::Remote(data), context.events);
        if !is_graceful {
            return ControlFlow::Break(());
        }
        self.drop_queues();
        self.state = State::AcknowledgingDisconnect;
        ControlFlow::Continue(())
    }

    fn handle_data(
        &mut self,
        command: &Command<'_>,
        datagram: &mut DatagramBytes<'_>,
        context: &mut Context<'_>,
    ) -> Outcome {
        if self.state == State::DisconnectLater {
            // Acknowledged and dropped.
            return if self.channels.contains(command.channel) {
                Outcome::Accepted
            } else {
                context.refuse(CommandRefusal::UnknownChannel)
            };
        }
        if command.body.payload().len() > self.budget.packet_bytes_max() {
            return context.refuse(CommandRefusal::PacketTooLong);
        }
        if let Body::SendUnreliableFragment(fragment) = &command.body
            && !self.budget.has_unreliable_room(context.limit, fragment.payload.len() * 2)
        {
            self.shed_other_channels(command.channel, datagram, context);
        }
        let Some(channel) = self.channels.receiving(command.channel) else {
            return context.refuse(CommandRefusal::UnknownChannel);
        };
        let mut delivery = Delivery {
            connection: self.connection,
            channel: command.channel,
            datagram,
            events: context.events,
            budget: &mut self.budget,
            limit: context.limit,
            stats: &mut self.stats,
        };
        let outcome = match &command.body {
            Body::SendReliable { payload } => {
                channel.reliable(command.sequence, payload, &mut delivery)
            }
            Body::SendFragment(fragment) => {
                channel.reliable_fragment(command.sequence, fragment, &mut delivery)
            }
            Body::SendUnreliable { sequence, payload } => {
                channel.unreliable(command.sequence, *sequence, payload, &mut delivery);
                Outcome::Accepted
            }
            Body::SendUnreliableFragment(fragment) => {
                channel.unreliable_fragment(command.sequence, fragment, &mut delivery)
            }
            Body::SendUnsequenced { group, payload } => {
                if !delivery.has_capacity() {
                    delivery.dropped();
                } else if self.unsequenced.accept(*group) {
                    let payload = delivery.datagram.packet(payload);
                    delivery.deliver(PacketFlags::UNSEQUENCED, payload);
                }
                Outcome::Accepted
            }
            body => {
                bug!("{body:?} carries no packet");
                Outcome::Malformed
            }
        };
        if outcome == Outcome::Malformed {
            return context.refuse(CommandRefusal::InvalidFragment);
        }
        outcome
    }

    /// Drops the pending unreliable packets of all channels but `kept`.
    fn shed_other_channels(
        &mut self,
        kept: u8,
        datagram: &mut DatagramBytes<'_>,
        context: &mut Context<'_>,
    ) {
        for (number, channel) in self.channels.used().filter(|&(number, _)| number != kept) {
            channel.shed_unreliable(&mut Delivery {
                connection: self.connection,
                channel: number,
                datagram: &mut *datagram,
                events: context.events,
                budget: &mut self.budget,
                limit: &mut *context.limit,
                stats: &mut self.stats,
            });
        }
    }

    /// Returns whether a command that requests an acknowledgement gets one.
    fn acknowledges(&self, command: &Command<'_>) -> bool {
        match self.state {
            State::Abandoned { .. }
            | State::Disconnecting
            | State::HalfOpen
            | State::Connecting => false,
            State::AcknowledgingDisconnect => matches!(command.body, Body::Disconnect { .. }),
            State::Connected | State::DisconnectLater if command.channel == CONTROL_CHANNEL => true,
            State::Connected | State::DisconnectLater => {
                let (number, sequence) = (command.channel, command.sequence);
                let is_real = self.channels.contains(number);
                !is_real || self.channels.position(number, sequence) != SequencePosition::Beyond
            }
        }
    }
}

/// Length of an acknowledgement in bytes.
pub(super) const ACKNOWLEDGE_LEN: u64 = 8;

/// Limits a received MTU to the valid range.
pub(crate) fn clamp_mtu(mtu: u32) -> u16 {
    mtu.clamp(MTU_MIN.into(), MTU_MAX.into()) as u16
}
