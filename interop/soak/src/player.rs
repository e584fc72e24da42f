//! [`Player`]: a client in a room, which checks what it receives.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{
    Channel, CloseMode, ConnectionId, ConnectionStatus, DisconnectReason, Instant, MultiplayerPeer,
    OutgoingPacket, PeerEvent, PeerId, Prefix, TransferMode,
};

use crate::message::{self, Message, Received};
use crate::report::Report;

/// A client that joins one room, and stays until it leaves or is disconnected.
pub(crate) struct Player {
    peer: Box<dyn MultiplayerPeer>,
    room: String,
    /// True if the room is selected by authentication packets.
    authenticates: bool,
    state: State,
    server: Option<ConnectionId>,
    /// The other players of the room, with the sequence of the last reliable message of each.
    others: BTreeMap<PeerId, Option<u32>>,
    /// Numbers of unreliable and reliable messages sent.
    sequences: [u32; 2],
    next_unreliable: Instant,
    next_reliable: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    /// It is in the room since this time.
    Joined(Instant),
    Leaving,
}

/// Result of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Continues,
    /// The player is not connected any more.
    Ended,
}

impl Player {
    /// Returns a player that connects by `peer`. It sends `rate` unreliable messages per second,
    /// and a tenth as many reliable ones.
    pub(crate) fn new(peer: Box<dyn MultiplayerPeer>, room: String, authenticates: bool) -> Self {
        Self {
            peer,
            room,
            authenticates,
            state: State::Connecting,
            server: None,
            others: BTreeMap::new(),
            sequences: [0; 2],
            next_unreliable: Instant::ZERO,
            next_reliable: Instant::ZERO,
        }
    }

    /// Returns the time since which it is in the room.
    pub(crate) fn joined(&self) -> Option<Instant> {
        match self.state {
            State::Joined(since) => Some(since),
            State::Connecting | State::Leaving => None,
        }
    }

    /// Starts to leave the room.
    pub(crate) fn leave(&mut self, report: &mut Report) {
        self.state = State::Leaving;
        report.left += 1;
        if let Some(server) = self.server {
            self.peer.disconnect(server, DisconnectReason::Closed, CloseMode::Graceful);
        }
    }

    /// Receives, sends the messages that are due every `interval`, and runs the timers.
    pub(crate) fn turn(&mut self, now: Instant, interval: Duration, report: &mut Report) -> Turn {
        self.peer.poll(now);
        while let Some(event) = self.peer.next_event() {
            match event {
                PeerEvent::Connected { connection, .. } => self.connected(connection, now, report),
                PeerEvent::Packet(packet) => self.received(&packet.payload, now, report),
                PeerEvent::Disconnected { reason, .. } => {
                    // The text of a reason has no number.
                    self.ended(|| format!("{reason} ({reason:?})"), report);
                    return Turn::Ended;
                }
                _ => {}
            }
        }
        if self.peer.connection_status() == ConnectionStatus::Disconnected {
            self.ended(|| "the connection attempt has failed".to_owned(), report);
            return Turn::Ended;
        }
        if self.joined().is_some() {
            self.send_due(now, interval, report);
        }
        self.peer.flush(now);
        Turn::Continues
    }

    fn connected(&mut self, server: ConnectionId, now: Instant, report: &mut Report) {
        self.server = Some(server);
        if self.authenticates {
            for packet in message::authentication(&self.room) {
                self.send(packet, true, report);
            }
        } else {
            self.join(now, report);
        }
    }

    fn join(&mut self, now: Instant, report: &mut Report) {
        self.state = State::Joined(now);
        report.joined += 1;
    }

    fn ended(&self, why: impl FnOnce() -> String, report: &mut Report) {
        let over = if self.authenticates { "ENet" } else { "WebSocket" };
        let text = || format!("over {over}, {}", why());
        match self.state {
            State::Connecting => {
                report.refused += 1;
                report.first_refusal.get_or_insert_with(text);
            }
            State::Leaving => {}
            State::Joined(_) => {
                report.lost += 1;
                report.first_fault.get_or_insert_with(text);
            }
        }
    }

    fn received(&mut self, packet: &[u8], now: Instant, report: &mut Report) {
        match Received::decode(packet) {
            Some(Received::Admitted) if self.state == State::Connecting => self.join(now, report),
            Some(Received::PeerJoined(peer)) => {
                if self.others.insert(peer, None).is_some() {
                    report.fault(|| format!("{peer} joins twice"));
                }
            }
            Some(Received::PeerLeft(peer)) => {
                if self.others.remove(&peer).is_none() {
                    report.fault(|| format!("{peer} leaves without having joined"));
                }
            }
            Some(Received::Message { from, message }) => {
                report.received += 1;
                let micros = (now - message.sent).as_micros();
                report.latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
                if message.is_reliable {
                    self.check_order(from, message.sequence, report);
                }
            }
            _ => report.fault(|| format!("unexpected packet {packet:02x?}")),
        }
    }

    /// Checks that no reliable message of a player is missing, repeated or reordered.
    fn check_order(&mut self, from: PeerId, sequence: u32, report: &mut Report) {
        let Some(last) = self.others.get_mut(&from) else {
            return report.fault(|| format!("a reliable message of {from}, who is not announced"));
        };
        if let Some(last) = last.replace(sequence)
            && sequence != last + 1
        {
            report.fault(|| format!("reliable message {sequence} of {from} after {last}"));
        }
    }

    fn send_due(&mut self, now: Instant, interval: Duration, report: &mut Report) {
        if now >= self.next_unreliable {
            self.next_unreliable = now + interval;
            self.send_message(false, now, report);
        }
        if now >= self.next_reliable {
            self.next_reliable = now + interval * RELIABLE_INTERVAL;
            self.send_message(true, now, report);
        }
    }

    fn send_message(&mut self, is_reliable: bool, now: Instant, report: &mut Report) {
        let next = &mut self.sequences[usize::from(is_reliable)];
        let message = Message { is_reliable, sequence: *next, sent: now };
        *next += 1;
        report.sent += 1;
        self.send(message.encode(), is_reliable, report);
    }

    fn send(&mut self, payload: Bytes, is_reliable: bool, report: &mut Report) {
        let Some(server) = self.server else { return };
        let mode = if is_reliable { TransferMode::Reliable } else { TransferMode::Unreliable };
        let (to, channel, prefix) = (server.into(), Channel(0), Prefix::EMPTY);
        if let Err(error) = self.peer.send(OutgoingPacket { to, mode, channel, prefix, payload }) {
            report.fault(|| format!("cannot send: {error}"));
        }
    }
}

/// Unreliable messages per reliable one.
const RELIABLE_INTERVAL: u32 = 10;
