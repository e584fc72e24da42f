//! [`TunnelHost`]: the end of a tunnel beside the game, without I/O.

mod output;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use mp_core::{Channel, Instant, PeerId, TransferMode};

pub use self::output::{HostOutput, LinkEvent};
use crate::TunnelStats;
use crate::frame::{Frame, GuestEnd, GuestNumber, HostRefusal, MalformedFrame, SessionId, VERSION};
use crate::limits::{EARLY_BYTES_MAX, FRAME_OVERHEAD, GUESTS_MAX, HELLO_TIMEOUT, PAUSE_BYTES};
use crate::link::{GuestPacket, LinkEnd, Received};
use crate::order::Orders;

/// The program beside a game, as a state machine: it has one link to a room of mp-server, and one
/// connection to the game for each guest of the room.
///
/// The caller reports what happens on both sides, and handles the [outputs](Self::next_output)
/// after each report.
///
/// * A guest's connection to the game claims the guest's id.
/// * When the link is lost, connections to the game are paused for the time that the room grants.
///   Reliable packets are delivered once the session is resumed. If it is not, all connections to
///   the game end.
/// * A connection whose packets the link does not deliver fast enough is paused, so that the game
///   itself waits. One that delivers too many nevertheless is closed.
#[derive(Debug)]
pub struct TunnelHost {
    link: LinkState,
    session: Option<SessionId>,
    end: LinkEnd,
    grace: Duration,
    guests: BTreeMap<GuestNumber, LocalGuest>,
    outputs: VecDeque<HostOutput>,
    stats: TunnelStats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinkState {
    /// There is no connection; the session ends at this time.
    Down(Option<Instant>),
    /// `Hello` was sent; the room answers until this time.
    Greeting(Instant),
    Up,
    /// The room has refused the host.
    Refused,
}

/// A guest, and its connection to the game.
#[derive(Debug)]
struct LocalGuest {
    id: PeerId,
    orders: Orders,
    /// Packets that wait for the game to accept the connection; `None`: it has.
    early: Option<Early>,
    is_paused: bool,
}

#[derive(Debug, Default)]
struct Early {
    packets: Vec<GuestPacket>,
    bytes: usize,
}

impl TunnelHost {
    /// Returns a host without a link.
    #[expect(clippy::new_without_default, reason = "a host is no value that one defaults to")]
    pub fn new() -> Self {
        Self {
            link: LinkState::Down(None),
            session: None,
            end: LinkEnd::default(),
            grace: Duration::ZERO,
            guests: BTreeMap::new(),
            outputs: VecDeque::new(),
            stats: TunnelStats::default(),
        }
    }

    /// Returns the number of guests.
    pub fn guests(&self) -> usize {
        self.guests.len()
    }

    /// Returns whether the room has accepted the host, and the link is not lost.
    pub fn is_hosting(&self) -> bool {
        self.link == LinkState::Up
    }

    /// Returns the counters.
    pub fn stats(&self) -> TunnelStats {
        self.stats
    }

    /// Handles that a connection to the room is established.
    pub fn link_connected(&mut self, now: Instant) {
        self.link = LinkState::Greeting(now + HELLO_TIMEOUT);
        let (session, received) = (self.session, self.end.received());
        self.send(&Frame::Hello { version: VERSION, session, received });
    }

    /// Handles a packet of the room.
    pub fn link_packet(&mut self, packet: Bytes) {
        let handled = match self.link {
            LinkState::Greeting(_) => {
                if self.receive_welcome(packet).is_err() {
                    self.refuse(HostRefusal::NoTunnel);
                }
                Ok(())
            }
            LinkState::Up => self.receive(packet),
            // Late packets of a link that is closed.
            LinkState::Down(_) | LinkState::Refused => return,
        };
        if handled.is_err() {
            self.stats.malformed_frames += 1;
            self.forget_session();
            self.outputs.push_back(HostOutput::Event(LinkEvent::Malformed));
            self.outputs.push_back(HostOutput::CloseLink);
        }
        self.send_outgoing();
        self.update_pauses();
    }

    /// Leaves the room for good: all guests leave the game.
    pub fn leave(&mut self) {
        if self.link == LinkState::Up {
            self.send(&Frame::Leave);
        }
        self.link = LinkState::Down(None);
        self.outputs.push_back(HostOutput::CloseLink);
        self.forget_session();
    }

    /// Handles the end of the connection to the room, or that it could not be established.
    pub fn link_lost(&mut self, now: Instant) {
        if !matches!(self.link, LinkState::Down(_)) {
            let ends = (!self.guests.is_empty()).then(|| now + self.grace);
            self.link = LinkState::Down(ends);
        }
        self.end.interrupt();
        self.update_pauses();
    }

    /// Handles that the game has accepted the connection of a guest.
    pub fn game_connected(&mut self, guest: GuestNumber) {
        let Some(local) = self.guests.get_mut(&guest) else { return };
        let early = local.early.take();
        self.outputs.push_back(HostOutput::Event(LinkEvent::Joined(local.id)));
        for GuestPacket { mode, channel, payload } in early.into_iter().flat_map(|it| it.packets) {
            self.outputs.push_back(HostOutput::ToGame { guest, mode, channel, payload });
        }
    }

    /// Handles a packet of the game on the connection of a guest.
    pub fn game_packet(
        &mut self,
        guest: GuestNumber,
        mode: TransferMode,
        channel: Channel,
        payload: Bytes,
    ) {
        let Some(local) = self.guests.get_mut(&guest) else {
            self.stats.late_packets += 1;
            return;
        };
        let packet = GuestPacket { mode, channel, payload };
        if let Err(reason) = self.end.send_packet(guest, &mut local.orders, packet, &mut self.stats)
        {
            self.stats.overloaded_guests += 1;
            self.outputs.push_back(HostOutput::Disconnect { guest });
            self.close(guest, reason);
        }
        self.send_outgoing();
        self.update_pause(guest);
    }

    /// Handles the end of a guest's connection to the game, or that it could not be established.
    pub fn game_closed(&mut self, guest: GuestNumber, is_timeout: bool) {
        let reason = if is_timeout { GuestEnd::GameTimeout } else { GuestEnd::GameClosed };
        self.close(guest, reason);
        self.send_outgoing();
    }

    /// Ends the session if the link was not established again in time, and the link if the room
    /// does not answer.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let LinkState::Greeting(deadline) = self.link
            && now >= deadline
        {
            self.refuse(HostRefusal::NoTunnel);
        }
        if let LinkState::Down(Some(ends)) = self.link
            && now >= ends
        {
            self.link = LinkState::Down(None);
            self.forget_session();
            self.outputs.push_back(HostOutput::Event(LinkEvent::SessionExpired));
        }
    }

    /// Returns the time of the next [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.link {
            LinkState::Down(ends) => ends,
            LinkState::Greeting(deadline) => Some(deadline),
            LinkState::Up | LinkState::Refused => None,
        }
    }

    /// Removes and returns the oldest output.
    pub fn next_output(&mut self) -> Option<HostOutput> {
        self.outputs.pop_front()
    }

    /// Handles the response to `Hello`.
    fn receive_welcome(&mut self, packet: Bytes) -> Result<(), MalformedFrame> {
        let (session, is_resumed, received, grace) = match Frame::decode(packet)? {
            Frame::Welcome { session, is_resumed, received, grace } => {
                (session, is_resumed, received, grace)
            }
            Frame::Reject(refusal) => {
                self.refuse(refusal);
                return Ok(());
            }
            _ => return Err(MalformedFrame),
        };
        if is_resumed && self.session != Some(session) {
            return Err(MalformedFrame);
        }
        if !is_resumed {
            self.forget_session();
        }
        self.end.resume(received)?;
        (self.link, self.session, self.grace) = (LinkState::Up, Some(session), grace);
        match is_resumed {
            true => self.stats.resumed += 1,
            false => self.stats.sessions += 1,
        }
        self.outputs.push_back(HostOutput::Event(LinkEvent::Hosting { is_resumed }));
        Ok(())
    }

    /// Handles that the room does not accept this host.
    fn refuse(&mut self, refusal: HostRefusal) {
        self.link = LinkState::Refused;
        self.stats.refused_hosts += 1;
        self.outputs.push_back(HostOutput::Event(LinkEvent::Refused(refusal)));
        self.outputs.push_back(HostOutput::CloseLink);
    }

    /// Handles a frame of the session.
    fn receive(&mut self, packet: Bytes) -> Result<(), MalformedFrame> {
        match self.end.receive(packet)? {
            Received::Nothing => {}
            Received::Open { guest, id } => {
                if self.guests.len() >= GUESTS_MAX || self.guests.contains_key(&guest) {
                    return Err(MalformedFrame);
                }
                let early = Some(Early::default());
                let local = LocalGuest { id, orders: Orders::default(), early, is_paused: false };
                self.guests.insert(guest, local);
                self.outputs.push_back(HostOutput::Connect { guest, id });
            }
            Received::Packet { guest, order, packet } => self.receive_packet(guest, order, packet),
            Received::Leave => return Err(MalformedFrame),
            Received::Close { guest, reason } => {
                if let Some(local) = self.guests.remove(&guest) {
                    self.outputs.push_back(HostOutput::Disconnect { guest });
                    self.outputs.push_back(HostOutput::Event(LinkEvent::Left(local.id, reason)));
                }
            }
        }
        Ok(())
    }

    /// Passes a packet of a guest to the game.
    fn receive_packet(&mut self, guest: GuestNumber, order: u16, packet: GuestPacket) {
        let Some(local) = self.guests.get_mut(&guest) else {
            self.stats.late_packets += 1;
            return;
        };
        if packet.mode == TransferMode::UnreliableOrdered
            && !local.orders.accepts(packet.channel, order)
        {
            self.stats.dropped_packets += 1;
            return;
        }
        self.stats.packets_received += 1;
        self.stats.bytes_received += packet.payload.len() as u64;
        let Some(early) = &mut local.early else {
            let GuestPacket { mode, channel, payload } = packet;
            return self.outputs.push_back(HostOutput::ToGame { guest, mode, channel, payload });
        };
        let len = packet.payload.len() + FRAME_OVERHEAD;
        if early.bytes + len <= EARLY_BYTES_MAX {
            early.bytes += len;
            early.packets.push(packet);
        } else if packet.mode.is_reliable() {
            self.stats.overloaded_guests += 1;
            self.outputs.push_back(HostOutput::Disconnect { guest });
            self.close(guest, GuestEnd::QueueFull);
        } else {
            self.stats.dropped_packets += 1;
        }
    }

    /// Removes a guest whose connection to the game has ended, and notifies the room.
    fn close(&mut self, guest: GuestNumber, reason: GuestEnd) {
        let Some(local) = self.guests.remove(&guest) else { return };
        self.end.send_close(guest, reason);
        self.outputs.push_back(HostOutput::Event(LinkEvent::Left(local.id, reason)));
    }

    /// Forgets the session, and closes the connections of its guests.
    fn forget_session(&mut self) {
        (self.session, self.end) = (None, LinkEnd::default());
        for (guest, local) in std::mem::take(&mut self.guests) {
            self.outputs.push_back(HostOutput::Disconnect { guest });
            let left = LinkEvent::Left(local.id, GuestEnd::HostLeft);
            self.outputs.push_back(HostOutput::Event(left));
        }
    }

    fn send(&mut self, frame: &Frame) {
        self.outputs.push_back(HostOutput::ToLink { mode: frame.mode(), frame: frame.encode() });
    }

    fn send_outgoing(&mut self) {
        while let Some((mode, frame)) = self.end.next_outgoing() {
            self.outputs.push_back(HostOutput::ToLink { mode, frame });
        }
    }

    fn update_pauses(&mut self) {
        for guest in self.guests.keys().copied().collect::<Vec<_>>() {
            self.update_pause(guest);
        }
    }

    /// Pauses or resumes receiving on the connection of a guest: it is resumed once half of the
    /// bytes from which it is paused are acknowledged.
    fn update_pause(&mut self, guest: GuestNumber) {
        let Some(local) = self.guests.get_mut(&guest) else { return };
        let max = if local.is_paused { PAUSE_BYTES / 2 } else { PAUSE_BYTES };
        let is_paused = !self.end.is_up() || self.end.bytes_of(guest) > max;
        if is_paused != local.is_paused {
            local.is_paused = is_paused;
            self.outputs.push_back(HostOutput::Pause { guest, is_paused });
        }
    }
}
