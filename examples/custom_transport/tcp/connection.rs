//! A connection: a socket, its queues, and its timers.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use mp::core::limits::{DRAIN_TIMEOUT, QUEUED_PACKET_OVERHEAD, RELIABLE_PROGRESS_TIMEOUT};
use mp::core::{
    ConnectionId, ConnectionOrigin, ConnectionStats, DisconnectReason, Instant, OutgoingPacket,
    Packet, PeerEvent, PeerId, SendQueue,
};

use super::frame::{Awaits, Frame, HELLO, Malformed, PING, PONG, WELCOME, parse, put, put_number};

/// Time limit of the first frame (hello or welcome).
pub(crate) const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// Time without input after which a connection times out: six pings.
pub(crate) const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);

const PING_INTERVAL: Duration = Duration::from_secs(5);

/// Bytes that one poll reads from a connection, and at most one packet more. Bounded, so that no
/// connection delays the others.
const RECEIVE_BYTES: usize = 64 * 1024;

/// Bytes passed to the socket at once. Frames are encoded late, so that queued unreliable packets
/// can still be dropped.
const WRITE_BYTES: usize = 64 * 1024;

pub(super) struct TcpConnection {
    stream: TcpStream,
    address: SocketAddr,
    /// Expected first frame, until it is received.
    awaits: Option<Awaits>,
    /// Bytes read; the last frame may be incomplete.
    inbox: Vec<u8>,
    /// Bytes to write; the first frame may be partly written.
    outbox: Vec<u8>,
    /// Packets to write, with the bounds and the drop rule of the contract.
    queue: SendQueue<OutgoingPacket>,
    /// True after a failed write. The connection ends when the data received before has been read.
    broken: bool,
    held: bool,
    /// Number of times that receiving was resumed. Sent in pings.
    resumes: u32,
    /// True while received packets were sent before receiving was resumed, until the pong to a ping
    /// of that time.
    drops_stale: bool,
    ping: bool,
    pong: Option<u32>,
    closing: Option<Closing>,
    /// Time of the last read, or of the last resume.
    last_received: Instant,
    /// Time of the last write, or when the queue became empty.
    last_progress: Instant,
    next_ping: Instant,
    stats: ConnectionStats,
}

/// State of a local close: writes queued packets, calls `Shutdown::Write`, and discards input until
/// the remote peer has closed. Closing with unread input would reset the connection, and the remote
/// peer would lose unread data.
#[derive(Clone, Copy)]
struct Closing {
    reason: DisconnectReason,
    /// Time limit after the shutdown.
    deadline: Option<Instant>,
}

impl TcpConnection {
    pub(super) fn new(
        stream: TcpStream,
        awaits: Awaits,
        id: PeerId,
        now: Instant,
    ) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // Every turn writes all data at once, so a delay has no benefit.
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
            resumes: 0,
            drops_stale: false,
            ping: false,
            pong: None,
            closing: None,
            last_received: now,
            last_progress: now,
            next_ping: now + PING_INTERVAL,
            stats: ConnectionStats::default(),
        })
    }

    /// Reads input, and reports events. Returns the reason if the connection has ended.
    pub(super) fn receive(
        &mut self,
        connection: ConnectionId,
        now: Instant,
        refusing: bool,
        events: &mut VecDeque<PeerEvent>,
    ) -> Option<DisconnectReason> {
        if let Some(Closing { reason, .. }) = self.closing {
            return self.discard_input().map(|_| reason);
        }
        let connected = |claimed_id| {
            let origin = ConnectionOrigin::Address(self.address);
            PeerEvent::Connected { connection, claimed_id: Some(claimed_id), origin }
        };
        let (mut at, mut taken) = (0, 0);
        while !self.held && taken < RECEIVE_BYTES {
            // The end is reported after all data before it.
            let Some((frame, len)) = (match parse(&self.inbox[at..], self.awaits) {
                Ok(frame) => frame,
                Err(Malformed) => return Some(DisconnectReason::ProtocolViolation),
            }) else {
                match read(&mut self.stream, &mut self.inbox) {
                    Ok(true) if self.awaits.is_none() => self.last_received = now,
                    Ok(true) => {}
                    Ok(false) if self.broken => return Some(DisconnectReason::Remote(0)),
                    Ok(false) => break,
                    Err(reason) => return Some(reason),
                }
                continue;
            };
            at += len;
            // Empty frames count, too.
            taken += len + QUEUED_PACKET_OVERHEAD;
            match frame {
                Frame::Packet(mode, ..) if self.drops_stale && !mode.is_reliable() => {
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
                    (self.awaits, self.last_received) = (None, now);
                    put_number(&mut self.outbox, WELCOME, 0);
                    events.push_back(connected(id));
                }
                Frame::Welcome => {
                    (self.awaits, self.last_received) = (None, now);
                    events.push_back(connected(PeerId::SERVER));
                }
                Frame::Ping(number) => self.pong = Some(number),
                Frame::Pong(number) => self.drops_stale &= number != self.resumes,
            }
        }
        self.inbox.drain(..at);
        None
    }

    /// Queues a packet. Ends the connection if a reliable packet does not fit the queue.
    pub(super) fn send(&mut self, packet: OutgoingPacket) {
        if !self.is_connected() || self.closing.is_some() {
            return;
        }
        if self.queue.push(packet.mode, packet.len(), 1, packet).is_err() {
            self.close(DisconnectReason::QueueFull, false);
        }
    }

    /// Writes to the socket until it is full.
    pub(super) fn flush(&mut self, now: Instant) {
        if now >= self.next_ping {
            self.ping = true;
            self.next_ping = now + PING_INTERVAL;
        }
        if self.outbox.is_empty() {
            self.last_progress = now;
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
                    self.last_progress = now;
                }
            }
        }
        if now >= self.last_progress + RELIABLE_PROGRESS_TIMEOUT {
            self.close(DisconnectReason::QueueFull, false);
        }
        if let Some(Closing { deadline: deadline @ None, .. }) = &mut self.closing
            && self.outbox.is_empty()
        {
            // Fails if the connection is closed, which reading will report.
            let _ = self.stream.shutdown(Shutdown::Write);
            *deadline = Some(now + DRAIN_TIMEOUT);
        }
    }

    /// Starts closing, with or without writing queued packets.
    pub(super) fn close(&mut self, reason: DisconnectReason, drain: bool) {
        if !drain {
            self.queue.clear();
            self.outbox.clear();
        }
        self.closing.get_or_insert(Closing { reason, deadline: None });
    }

    /// Pauses or resumes receiving. Unreliable packets sent during a pause are outdated when it
    /// ends. Their number is unknown, so a ping is sent, and unreliable packets received before its
    /// pong are dropped.
    pub(super) fn pause_receiving(&mut self, held: bool, now: Instant) {
        if self.held && !held {
            self.resumes = self.resumes.wrapping_add(1);
            (self.drops_stale, self.ping, self.last_received) = (true, true, now);
        }
        self.held = held;
    }

    /// Returns whether `Connected` has been reported.
    pub(super) fn is_connected(&self) -> bool {
        self.awaits.is_none()
    }

    /// Returns the reason if a time limit has passed.
    pub(super) fn overdue(&self, now: Instant) -> Option<DisconnectReason> {
        match self.closing {
            Some(Closing { reason, deadline: Some(deadline) }) if now >= deadline => Some(reason),
            None if self
                .silence_deadline()
                .is_some_and(|silence_deadline| now >= silence_deadline) =>
            {
                Some(DisconnectReason::Timeout)
            }
            _ => None,
        }
    }

    /// Returns the time of the next timer.
    pub(super) fn next_timer(&self) -> Instant {
        let stuck =
            (!self.outbox.is_empty()).then(|| self.last_progress + RELIABLE_PROGRESS_TIMEOUT);
        let end = self.closing.map_or_else(|| self.silence_deadline(), |closing| closing.deadline);
        [stuck, end].into_iter().flatten().fold(self.next_ping, Instant::min)
    }

    pub(super) fn stats(&self) -> ConnectionStats {
        let mut stats = self.stats;
        stats.send_drops = self.queue.drops();
        stats.queued_bytes = (self.queue.bytes() + self.outbox.len()) as u64;
        stats
    }

    /// Returns the time at which silence ends the connection; `None` while receiving is paused.
    fn silence_deadline(&self) -> Option<Instant> {
        let time_limit = if self.is_connected() { SILENCE_TIMEOUT } else { GREETING_TIMEOUT };
        (!self.held).then(|| self.last_received + time_limit)
    }

    /// Encodes queued packets, about as many as are written at once.
    fn pack(&mut self) {
        while self.outbox.len() < WRITE_BYTES
            && let Some(packet) = self.queue.pop()
        {
            let (mode, channel) = (packet.mode.to_raw(), packet.channel.0);
            put(&mut self.outbox, mode, channel, &[packet.prefix.as_slice(), &packet.payload]);
            self.stats.packets_sent += 1;
            self.stats.bytes_sent += packet.len() as u64;
        }
        // A pong must not overtake queued packets. One pong answers many pings, so that they cannot
        // fill the outbox.
        let has_room = self.queue.is_empty() && self.outbox.len() < WRITE_BYTES;
        if has_room && self.is_connected() && self.closing.is_none() {
            if std::mem::take(&mut self.ping) {
                put_number(&mut self.outbox, PING, self.resumes);
            }
            if let Some(number) = self.pong.take() {
                put_number(&mut self.outbox, PONG, number);
            }
        }
    }

    /// Reads and discards input. Returns a reason after the remote peer has closed.
    fn discard_input(&mut self) -> Option<DisconnectReason> {
        let mut thrown = 0;
        while thrown < RECEIVE_BYTES {
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

/// Appends available input. Returns false if there is none; an error is the reason of the end.
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
