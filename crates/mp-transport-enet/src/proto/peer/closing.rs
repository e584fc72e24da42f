//! Closing a connection.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use mp_core::{CloseMode, DisconnectReason};

use super::transmit::after;
use super::{Peer, State};
use crate::limits::ABANDONED_ATTEMPT_TIME;
use crate::proto::command::Body;
use crate::proto::wire::LoneDisconnect;
use crate::proto::{HostEvent, Millis};

/// A disconnect that the local program requested.
#[derive(Debug, Default)]
pub(super) struct Closing {
    /// Reason to report at the end. `Some(None)`: report nothing.
    report: Option<Option<DisconnectReason>>,
    /// `data` of the DISCONNECT.
    data: u32,
}

impl Peer {
    /// Starts the disconnect that the program requests. A connection that is not established ends
    /// immediately. One that is closing continues to do so, unless `close_mode` is
    /// [`CloseMode::Immediate`].
    pub(crate) fn close(
        &mut self,
        data: u32,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) -> ControlFlow<()> {
        match (self.state, close_mode) {
            (State::Connecting | State::HalfOpen, _) => return ControlFlow::Break(()),
            (State::Connected, CloseMode::Drain) => self.disconnect_later(data, reason),
            (State::Connected | State::DisconnectLater, CloseMode::Graceful) => {
                self.disconnect(data, Some(reason));
            }
            (
                State::Connected | State::DisconnectLater | State::Disconnecting,
                CloseMode::Immediate,
            ) => self.disconnect(data, None),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    /// Closes an established connection: reports `reason` now, and sends DISCONNECT until it is
    /// acknowledged.
    pub(crate) fn fail(&mut self, reason: DisconnectReason, events: &mut VecDeque<HostEvent>) {
        if matches!(self.state, State::Connected | State::DisconnectLater) {
            events.push_back(HostEvent::Disconnected { connection: self.connection, reason });
            self.disconnect(self.closing.data, None);
        }
    }

    /// Closes the connection if accepted reliable data would be lost because of a bug. Returns
    /// whether it did.
    pub(crate) fn fail_if_broken(&mut self, events: &mut VecDeque<HostEvent>) -> bool {
        let is_broken = self.sender.take_broken();
        if is_broken {
            self.fail(DisconnectReason::InternalError, events);
        }
        is_broken
    }

    /// Drops everything queued and sends DISCONNECT until it is acknowledged. Then `reason` is
    /// reported, if given.
    pub(super) fn disconnect(&mut self, data: u32, reason: Option<DisconnectReason>) {
        self.drop_queues();
        self.closing.report = Some(reason);
        self.state = State::Disconnecting;
        self.sender.queue_control(Body::Disconnect { data });
    }

    /// Abandons an attempt to connect.
    pub(crate) fn abandon(&mut self, now: Millis) {
        self.drop_queues();
        let until = after(now, ABANDONED_ATTEMPT_TIME).unwrap_or(Millis::MAX);
        self.state = State::Abandoned { until };
    }

    /// Disconnects after all accepted packets have been delivered.
    fn disconnect_later(&mut self, data: u32, reason: DisconnectReason) {
        self.closing = Closing { report: Some(Some(reason)), data };
        self.state = State::DisconnectLater;
        self.disconnect_when_drained();
    }

    /// In [`State::DisconnectLater`]: disconnects if all accepted packets have been acknowledged.
    pub(crate) fn disconnect_when_drained(&mut self) {
        if self.state == State::DisconnectLater && self.sender.is_idle() {
            self.disconnect(self.closing.data, self.closing.report.flatten());
        }
    }

    /// Drops the send queues and the incomplete received packets.
    pub(crate) fn drop_queues(&mut self) {
        self.sender.clear();
        self.acknowledgements.clear();
        self.channels.clear();
        self.budget.clear_waiting();
    }

    /// Reports the end of the connection, as its state requires.
    pub(crate) fn report_end(&self, reason: DisconnectReason, events: &mut VecDeque<HostEvent>) {
        let connection = self.connection;
        let said = match self.state {
            // Accepted packets were not delivered.
            State::DisconnectLater => Some(reason),
            _ => self.closing.report.unwrap_or(Some(reason)),
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

    /// Returns a single DISCONNECT datagram, if the remote peer knows the connection.
    pub(crate) fn lone_disconnect(&mut self, data: u32) -> Option<LoneDisconnect> {
        if !matches!(self.state, State::Connected | State::DisconnectLater | State::Disconnecting) {
            return None;
        }
        let sequence = self.sender.next_control_sequence();
        let session = self.sessions.outgoing_bits();
        let (path, connect_id) = (self.path, self.connect_id);
        Some(LoneDisconnect::new(path, connect_id, self.outgoing_id, session, sequence, data))
    }
}
