//! Who says what when, and what is to be heard.

use std::error::Error;

use bytes::Bytes;

use super::client::Client;
use super::dialect::{Dialect, Heard};
use super::{Args, Pattern};
use crate::clock::{Clock, MILLISECOND, SECOND};
use crate::stamp::Stamp;
use crate::tally::Tally;

pub(super) struct Traffic {
    pub(super) tally: Tally,
    pattern: Pattern,
    dialect: Dialect,
    clients: usize,
    size: usize,
    in_flight: u32,
    is_reliable: bool,
    is_running: bool,
    /// How many messages each client has sent.
    sequences: Vec<u32>,
    /// Echo: when each client last heard something.
    heard: Vec<u64>,
    next_look: u64,
    /// Others: the time between two messages of whomever they are, when the next is due, and whose it is.
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
            Pattern::Ring => (1, clients),
            Pattern::Echo | Pattern::Fan | Pattern::Idle => (1, 1),
        };
        Self {
            tally: Tally::new(clients, sources, args.reliable),
            pattern: args.pattern,
            dialect: args.dialect,
            clients,
            size: args.size.max(Stamp::LEN),
            in_flight: args.in_flight,
            is_reliable: args.reliable,
            is_running: false,
            sequences: vec![0; clients],
            heard: vec![0; clients],
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

    /// A packet for the client at a place; how many messages it says in answer.
    pub(super) fn received(&mut self, place: usize, packet: &[u8], now: u64) -> usize {
        let Heard::Message { from, message } = self.dialect.read(packet) else {
            self.tally.wrong();
            return 0;
        };
        let Some(stamp) = Stamp::read(message, self.size) else {
            self.tally.wrong();
            return 0;
        };
        let source = match self.pattern {
            Pattern::Echo => stamp.source == place as u16,
            Pattern::Fan => stamp.source == 0 && place != 0,
            Pattern::Ring => (usize::from(stamp.source) + 1) % self.clients == place,
            Pattern::Group => stamp.source != place as u16,
            Pattern::Idle => false,
        };
        if !source || from.is_some_and(|from| from != stamp.source) {
            self.tally.wrong();
            return 0;
        }
        self.tally.received(place, &stamp, message.len(), now);
        self.heard[place] = now;
        usize::from(self.is_running && self.pattern == Pattern::Echo)
    }

    /// Lets the client at a place say something; it leaves with the next flush.
    pub(super) fn send(&mut self, clients: &mut [Client], place: usize, now: u64) {
        let source = place as u16;
        let (to, deliveries) = match self.pattern {
            Pattern::Ring => (Some(((place + 1) % self.clients) as u16), 1),
            Pattern::Fan | Pattern::Group => (None, self.clients - 1),
            Pattern::Echo | Pattern::Idle => (Some(source), 1),
        };
        let sequence = self.sequences[place];
        self.sequences[place] += 1;
        let mut packet = Vec::with_capacity(self.size + 8);
        self.dialect.header(to, &mut packet);
        let header = packet.len();
        packet.resize(header + self.size, 0);
        let stamp = Stamp { source, phase: self.tally.phase(), sequence, sent: now };
        stamp.write(&mut packet[header..]);
        clients[place].send(Bytes::from(packet), self.is_reliable);
        self.tally.sent(deliveries);
    }

    /// Sends what is due by time.
    pub(super) fn send_what_is_due(
        &mut self,
        clients: &mut [Client],
        clock: Clock,
    ) -> Result<(), Box<dyn Error>> {
        if !self.is_running || self.pattern == Pattern::Idle {
            return Ok(());
        }
        if self.pattern == Pattern::Echo {
            return self.begin_anew(clients, clock);
        }
        // No more at a time than would delay receiving; what is late is made up for.
        for _ in 0..BURST {
            let now = clock.nanos();
            if now < self.due {
                break;
            }
            self.due += self.step;
            let place = self.turn;
            self.turn = (self.turn + 1) % self.speakers;
            self.send(clients, place, now);
            clients[place].flush(now)?;
        }
        Ok(())
    }

    /// Echo: fills what a client has on its way, at first, and when all of it was lost.
    fn begin_anew(&mut self, clients: &mut [Client], clock: Clock) -> Result<(), Box<dyn Error>> {
        let now = clock.nanos();
        if now < self.next_look {
            return Ok(());
        }
        self.next_look = now + 50 * MILLISECOND;
        for place in 0..self.clients {
            if self.heard[place] + LOST_AFTER < now {
                self.heard[place] = now;
                for _ in 0..self.in_flight {
                    self.send(clients, place, clock.nanos());
                }
                clients[place].flush(clock.nanos())?;
            }
        }
        Ok(())
    }
}

const BURST: usize = 16;
/// An answer takes no longer, except from a server that works by frames.
const LOST_AFTER: u64 = 200 * MILLISECOND;
