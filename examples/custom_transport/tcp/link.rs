//! One link: a socket, what waits on either side of it, and its timers.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use mp_core::limits::{LINGER, QUEUED_PACKET_OVERHEAD, RELIABLE_PROGRESS_TIMEOUT};
use mp_core::{
    ConnectionId, ConnectionStats, DisconnectReason, Instant, Origin, Outgoing, Packet, PeerEvent,
    PeerId, SendQueue,
};

use super::frame::{Awaits, Frame, HELLO, Nonsense, PING, PONG, WELCOME, parse, put, put_number};

/// How long the other side may take to say hello, or welcome.
pub(crate) const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// How long nothing may come from the other side: six pings.
pub(crate) const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);

const PING_INTERVAL: Duration = Duration::from_secs(5);

/// What one poll takes in from a link; its last packet may go beyond. Bounded, so that no link keeps the
/// others waiting.
const TAKE_IN_BYTES: usize = 64 * 1024;

/// What is handed to the socket at once. It is packed late, so that unreliable packets can be dropped until then.
const WRITE_BYTES: usize = 64 * 1024;

pub(super) struct Link {
    stream: TcpStream,
    address: SocketAddr,
    /// What the other side has to say first, until it has.
    awaits: Option<Awaits>,
    /// Bytes read, which end amid a frame.
    inbox: Vec<u8>,
    /// Bytes to write, which begin amid a frame when the socket took only a part.
    outbox: Vec<u8>,
    /// Packets to write later. It has the bounds and the drop rule that the contract asks for.
    queue: SendQueue<Outgoing>,
    /// The socket took a write amiss; the link ends when what the other side sent before has been read.
    broken: bool,
    held: bool,
    /// How often a hold has ended. Pings carry it.
    releases: u32,
    /// Whether what comes was sent before the last hold ended: until the pong to the ping that was sent then.
    is_behind: bool,
    ping: bool,
    pong: Option<u32>,
    leaving: Option<Leaving>,
    /// When something was last read, or the hold ended.
    heard: Instant,
    /// When something was last written, or nothing was left to be.
    progressed: Instant,
    next_ping: Instant,
    stats: ConnectionStats,
}

/// An end from this side: what is left is written, then `Shutdown::Write` says goodbye, then what comes is read and thrown
/// away until the other side has closed. To close at once with bytes unread would be a reset, which takes from the other
/// side what it has not read yet.
#[derive(Clone, Copy)]
struct Leaving {
    reason: DisconnectReason,
    /// When to wait no longer, once goodbye is said.
    deadline: Option<Instant>,
}

impl Link {
    pub(super) fn new(
        stream: TcpStream,
        awaits: Awaits,
        id: PeerId,
        now: Instant,
    ) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // A turn writes all it has at once; there is nothing to wait for.
        stream.set_nodelay(true)?;
        let mut outbox = Vec::new();
        if awaits == Awaits::Welcome {
            put_number(&mut outbox, HELLO, id.get() as u32);
        }
        Ok(Self {
            address: stream.peer_addr()?,
            stream,
            awaits: Some(awaits),
            inbox: Vec::new(),
            outbox,
            queue: SendQueue::new(),
            broken: false,
            held: false,
            releases: 0,
            is_behind: false,
            ping: false,
            pong: None,
            leaving: None,
            heard: now,
            progressed: now,
            next_ping: now + PING_INTERVAL,
            stats: ConnectionStats::default(),
        })
    }

    /// Reads what is there and reports it. Says why, when the link is over.
    pub(super) fn take_in(
        &mut self,
        connection: ConnectionId,
        now: Instant,
        refusing: bool,
        events: &mut VecDeque<PeerEvent>,
    ) -> Option<DisconnectReason> {
        if let Some(Leaving { reason, .. }) = self.leaving {
            return self.throw_away().map(|_| reason);
        }
        let connected = |claimed_id| {
            let origin = Origin::Address(self.address);
            PeerEvent::Connected { connection, claimed_id: Some(claimed_id), origin }
        };
        let (mut at, mut taken) = (0, 0);
        while !self.held && taken < TAKE_IN_BYTES {
            // The end of a link is only seen when all that came before it is reported.
            let Some((frame, len)) = (match parse(&self.inbox[at..], self.awaits) {
                Ok(frame) => frame,
                Err(Nonsense) => return Some(DisconnectReason::Misbehaved),
            }) else {
                match read(&mut self.stream, &mut self.inbox) {
                    Ok(true) if self.awaits.is_none() => self.heard = now,
                    Ok(true) => {}
                    Ok(false) if self.broken => return Some(DisconnectReason::Remote(0)),
                    Ok(false) => break,
                    Err(reason) => return Some(reason),
                }
                continue;
            };
            at += len;
            // A frame costs something even when it is empty.
            taken += len + QUEUED_PACKET_OVERHEAD;
            match frame {
                Frame::Packet(mode, ..) if self.is_behind && !mode.is_reliable() => {
                    self.stats.receive_drops += 1;
                }
                Frame::Packet(mode, channel, body) => {
                    self.stats.packets_received += 1;
                    self.stats.bytes_received += body.len() as u64;
                    let payload = body.to_vec().into();
                    events.push_back(PeerEvent::Packet(Packet {
                        from: connection,
                        mode,
                        channel,
                        payload,
                    }));
                }
                Frame::Hello(_) if refusing => return Some(DisconnectReason::Refused),
                Frame::Hello(id) => {
                    (self.awaits, self.heard) = (None, now);
                    put_number(&mut self.outbox, WELCOME, 0);
                    events.push_back(connected(id));
                }
                Frame::Welcome => {
                    (self.awaits, self.heard) = (None, now);
                    events.push_back(connected(PeerId::SERVER));
                }
                Frame::Ping(number) => self.pong = Some(number),
                Frame::Pong(number) => self.is_behind &= number != self.releases,
            }
        }
        self.inbox.drain(..at);
        None
    }

    /// Queues a packet. One that fits no more ends the link: a reliable packet is never dropped.
    pub(super) fn send(&mut self, packet: Outgoing) {
        if !self.is_connected() || self.leaving.is_some() {
            return;
        }
        if self.queue.push(packet.mode, packet.len(), 1, packet).is_err() {
            self.leave(DisconnectReason::QueueFull, false);
        }
    }

    /// Writes what the socket takes.
    pub(super) fn flush(&mut self, now: Instant) {
        if now >= self.next_ping {
            self.ping = true;
            self.next_ping = now + PING_INTERVAL;
        }
        if self.outbox.is_empty() {
            self.progressed = now;
        }
        loop {
            self.pack();
            if self.outbox.is_empty() {
                break;
            }
            match self.stream.write(&self.outbox) {
                Err(error) if is_for_now(&error) => break,
                Ok(0) | Err(_) => {
                    self.broken = true;
                    self.outbox.clear();
                    self.queue.clear();
                }
                Ok(written) => {
                    self.outbox.drain(..written);
                    self.progressed = now;
                }
            }
        }
        if now >= self.progressed + RELIABLE_PROGRESS_TIMEOUT {
            self.leave(DisconnectReason::QueueFull, false);
        }
        if let Some(Leaving { deadline: deadline @ None, .. }) = &mut self.leaving
            && self.outbox.is_empty()
        {
            // It fails when the other side has gone, which reading will say.
            let _ = self.stream.shutdown(Shutdown::Write);
            *deadline = Some(now + LINGER);
        }
    }

    /// Begins the end: with what is queued, or without.
    pub(super) fn leave(&mut self, reason: DisconnectReason, drain: bool) {
        if !drain {
            self.queue.clear();
            self.outbox.clear();
        }
        self.leaving.get_or_insert(Leaving { reason, deadline: None });
    }

    /// When a hold ends, unreliable packets that were sent during it are behind the times. How many they are only their
    /// sender knows: a ping asks it, and what comes before the pong is too old.
    pub(super) fn hold(&mut self, held: bool, now: Instant) {
        if self.held && !held {
            self.releases = self.releases.wrapping_add(1);
            (self.is_behind, self.ping, self.heard) = (true, true, now);
        }
        self.held = held;
    }

    /// Whether its `Connected` has been reported.
    pub(super) fn is_connected(&self) -> bool {
        self.awaits.is_none()
    }

    /// Why the link is over when the other side has been waited for in vain.
    pub(super) fn overdue(&self, now: Instant) -> Option<DisconnectReason> {
        match self.leaving {
            Some(Leaving { reason, deadline: Some(deadline) }) if now >= deadline => Some(reason),
            None if self.lost().is_some_and(|lost| now >= lost) => Some(DisconnectReason::Timeout),
            _ => None,
        }
    }

    /// When something has to be done, whatever comes.
    pub(super) fn due(&self) -> Instant {
        let stuck = (!self.outbox.is_empty()).then(|| self.progressed + RELIABLE_PROGRESS_TIMEOUT);
        let end = self.leaving.map_or_else(|| self.lost(), |leaving| leaving.deadline);
        [stuck, end].into_iter().flatten().fold(self.next_ping, Instant::min)
    }

    pub(super) fn stats(&self) -> ConnectionStats {
        let mut stats = self.stats;
        stats.send_drops = self.queue.drops();
        stats.queued_bytes = (self.queue.bytes() + self.outbox.len()) as u64;
        stats
    }

    /// When the other side counts as gone. While it is held nobody listens to it.
    fn lost(&self) -> Option<Instant> {
        let patience = if self.is_connected() { SILENCE_TIMEOUT } else { GREETING_TIMEOUT };
        (!self.held).then(|| self.heard + patience)
    }

    /// Packs frames, about as many as are written at once.
    fn pack(&mut self) {
        while self.outbox.len() < WRITE_BYTES
            && let Some(packet) = self.queue.pop()
        {
            let (mode, channel) = (packet.mode.to_raw(), packet.channel.0);
            put(&mut self.outbox, mode, channel, &[packet.prefix.as_slice(), &packet.payload]);
            self.stats.packets_sent += 1;
            self.stats.bytes_sent += packet.len() as u64;
        }
        // A pong must not overtake what was queued before. One answers many pings, so that they cannot fill the outbox.
        let has_room = self.queue.is_empty() && self.outbox.len() < WRITE_BYTES;
        if has_room && self.is_connected() && self.leaving.is_none() {
            if std::mem::take(&mut self.ping) {
                put_number(&mut self.outbox, PING, self.releases);
            }
            if let Some(number) = self.pong.take() {
                put_number(&mut self.outbox, PONG, number);
            }
        }
    }

    /// Reads without looking, some of it. Says so when the other side has closed.
    fn throw_away(&mut self) -> Option<DisconnectReason> {
        let mut thrown = 0;
        while thrown < TAKE_IN_BYTES {
            self.inbox.clear();
            match read(&mut self.stream, &mut self.inbox) {
                Ok(true) => thrown += self.inbox.len(),
                Ok(false) => break,
                Err(reason) => return Some(reason),
            }
        }
        None
    }
}

/// Appends what can be read at once. False when there is nothing now; an error says how the other side has gone.
fn read(stream: &mut TcpStream, inbox: &mut Vec<u8>) -> Result<bool, DisconnectReason> {
    let mut chunk = [0; 16 * 1024];
    match stream.read(&mut chunk) {
        Ok(0) => Err(DisconnectReason::Remote(0)),
        Ok(len) => {
            inbox.extend_from_slice(&chunk[..len]);
            Ok(true)
        }
        Err(error) if is_for_now(&error) => Ok(false),
        Err(error) if error.kind() == ErrorKind::TimedOut => Err(DisconnectReason::Timeout),
        Err(_) => Err(DisconnectReason::Remote(0)),
    }
}

fn is_for_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
