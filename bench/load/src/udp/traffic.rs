//! Schedule of messages, and checks of received ones.

use std::error::Error;

use bytes::Bytes;

use super::client::Client;
use super::dialect::{Dialect, ReceivedPacket};
use super::{Args, Pattern};
use crate::clock::{Clock, MILLISECOND, SECOND};
use crate::delivery_counter::DeliveryCounter;
use crate::stamp::Stamp;

pub(super) struct Traffic {
    pub(super) counter: DeliveryCounter,
    pattern: Pattern,
    dialect: Dialect,
    clients: usize,
    /// Number of clients in a room.
    room_size: usize,
    size: usize,
    in_flight: u32,
    is_reliable: bool,
    is_running: bool,
    /// Messages sent by each client.
    sequences: Vec<u32>,
    /// Pattern echo: time when each client sent its first messages, or last received one.
    last_received: Vec<Option<u64>>,
    next_look: u64,
    /// Other patterns: interval between two messages, time of the next, and its sender.
    step: u64,
    due: u64,
    turn: usize,
    speakers: usize,
}

impl Traffic {
    pub(super) fn new(args: &Args) -> Self {
        let clients = usize::from(args.clients);
        let (sources, speakers) = match args.pattern {
            Pattern::Group => (clients, clients),
            Pattern::Ring | Pattern::Steady | Pattern::Server => (1, clients),
            Pattern::Echo | Pattern::Fan | Pattern::Idle => (1, 1),
        };
        Self {
            counter: DeliveryCounter::new(clients, sources, args.reliable),
            pattern: args.pattern,
            dialect: args.dialect,
            clients,
            room_size: args.room_size(),
            size: args.size.max(Stamp::LEN),
            in_flight: args.in_flight,
            is_reliable: args.reliable,
            is_running: false,
            sequences: vec![0; clients],
            last_received: vec![None; clients],
            next_look: 0,
            step: SECOND / (u64::from(args.rate) * speakers as u64),
            due: 0,
            turn: 0,
            speakers,
        }
    }

    pub(super) fn start(&mut self, now: u64) {
        self.is_running = true;
        self.due = now;
        self.next_look = now;
    }

    pub(super) const fn stop(&mut self) {
        self.is_running = false;
    }

    /// Handles a packet for the client at an index. Returns the number of messages to send in
    /// answer.
    pub(super) fn received(&mut self, index: usize, packet: &[u8], now: u64) -> usize {
        let ReceivedPacket::Message { from, message } = self.dialect.read(packet) else {
            if self.counter.is_correct() {
                eprintln!("client {index}: an unexpected packet: {packet:02x?}");
            }
            self.counter.wrong();
            return 0;
        };
        let Some(stamp) = Stamp::read(message, self.size) else {
            self.counter.wrong();
            return 0;
        };
        let source = usize::from(stamp.source);
        let is_expected = match self.pattern {
            Pattern::Echo | Pattern::Steady => source == index,
            Pattern::Fan => source == 0 && index != 0,
            Pattern::Ring => self.next_in_room(source) == index,
            Pattern::Group => source != index && self.is_same_room(source, index),
            Pattern::Server | Pattern::Idle => false,
        };
        if !is_expected || from.is_some_and(|from| from != stamp.source) {
            self.counter.wrong();
            return 0;
        }
        self.counter.received(index, &stamp, message.len(), now);
        self.last_received[index] = Some(now);
        usize::from(self.is_running && self.pattern == Pattern::Echo)
    }

    /// Returns the client that follows one in its room.
    const fn next_in_room(&self, index: usize) -> usize {
        let first = index - index % self.room_size;
        first + (index - first + 1) % self.room_size
    }

    const fn is_same_room(&self, client: usize, other: usize) -> bool {
        client / self.room_size == other / self.room_size
    }

    /// Queues a message of the client at an index for the next flush. Its latency counts from
    /// `sent`.
    pub(super) fn send(&mut self, clients: &mut [Client], index: usize, sent: u64) {
        let source = index as u16;
        let (to, deliveries) = match self.pattern {
            Pattern::Ring => (Some(self.next_in_room(index) as u16), 1),
            Pattern::Fan | Pattern::Group => (None, self.room_size - 1),
            Pattern::Echo | Pattern::Steady | Pattern::Idle => (Some(source), 1),
            Pattern::Server => (Some(source), 0),
        };
        let sequence = self.sequences[index];
        self.sequences[index] += 1;
        let mut packet = Vec::with_capacity(self.size + 8);
        self.dialect.header(to, &mut packet);
        let header = packet.len();
        packet.resize(header + self.size, 0);
        let stamp = Stamp { source, phase: self.counter.phase(), sequence, sent };
        stamp.write(&mut packet[header..]);
        clients[index].send(Bytes::from(packet), self.is_reliable);
        self.counter.sent(deliveries);
    }

    /// Sends all messages that are due.
    pub(super) fn send_what_is_due(
        &mut self,
        clients: &mut [Client],
        clock: Clock,
    ) -> Result<(), Box<dyn Error>> {
        if !self.is_running || self.pattern == Pattern::Idle {
            return Ok(());
        }
        if self.pattern == Pattern::Echo {
            return self.restart(clients, clock);
        }
        // Bounded, so that receiving is not delayed; the rest is sent later.
        for _ in 0..BURST {
            let now = clock.nanos();
            if now < self.due {
                break;
            }
            // The latency of steady messages includes the time by which they are sent late.
            let sent = if self.pattern == Pattern::Steady { self.due } else { now };
            self.due += self.step;
            let index = self.turn;
            self.turn = (self.turn + 1) % self.speakers;
            self.send(clients, index, sent);
            clients[index].flush(now)?;
        }
        Ok(())
    }

    /// Pattern echo: sends the initial messages in flight, again if all were lost.
    fn restart(&mut self, clients: &mut [Client], clock: Clock) -> Result<(), Box<dyn Error>> {
        let now = clock.nanos();
        if now < self.next_look {
            return Ok(());
        }
        self.next_look = now + 50 * MILLISECOND;
        for index in 0..self.clients {
            if self.last_received[index].is_none_or(|at| at + LOST_AFTER < now) {
                self.last_received[index] = Some(now);
                for _ in 0..self.in_flight {
                    self.send(clients, index, clock.nanos());
                }
                clients[index].flush(clock.nanos())?;
            }
        }
        Ok(())
    }
}

const BURST: usize = 16;
/// Longer than an answer takes, on a busy machine as well.
const LOST_AFTER: u64 = SECOND;
