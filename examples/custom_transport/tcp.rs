//! A transport of one's own: `MultiplayerPeer` over TCP, with nothing but the standard library's sockets.
//!
//! Read `TcpMultiplayerPeer` first: it does what the contract asks for, link by link. `tcp/link.rs` is one
//! link: queues and timers; `tcp/frame.rs` is the bytes.
//!
//! What TCP cannot give: a lost segment delays everything behind it, whatever its mode and channel. Unreliable packets are
//! dropped all the same where a queue is full or a receiver is held, which is what they are for.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use mp_core::{
    ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, Farewell, Instant,
    MultiplayerPeer, Outgoing, PeerEvent, PeerId, SendError,
};

use self::frame::Awaits;
use self::link::Link;

mod frame;
mod link;

/// The largest packet in bytes. A link keeps a packet that is under way, so that this is what a stranger can make us hold.
pub(crate) const PACKET_BYTES_MAX: usize = 1 << 20;

/// Links of a server, those that have not said hello included; more are refused.
pub(crate) const LINKS_MAX: usize = 64;

/// How long a client tries to reach its server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A server, or a client of one.
pub(crate) struct TcpMultiplayerPeer {
    id: PeerId,
    /// A server's; gone when it is closed.
    listener: Option<TcpListener>,
    /// A client's way to its server: std connects in a blocking way only, so that a thread does it.
    joining: Option<JoinHandle<io::Result<TcpStream>>>,
    links: BTreeMap<ConnectionId, Link>,
    /// Links so far, which makes the generation of the next one unlike any other.
    count: u32,
    events: VecDeque<PeerEvent>,
    refusing: bool,
    /// Of the last turn, for methods that are not told the time.
    now: Instant,
}

impl TcpMultiplayerPeer {
    /// A server at `address`; port 0 means any that is free.
    pub(crate) fn create_server(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener: Some(listener), ..Self::new(PeerId::SERVER) })
    }

    /// A client with the id `id`, on its way to the server at `address`.
    pub(crate) fn create_client(address: SocketAddr, id: PeerId) -> io::Result<Self> {
        let connect = move || TcpStream::connect_timeout(&address, CONNECT_TIMEOUT);
        let joining = std::thread::Builder::new().name("connect".to_owned()).spawn(connect)?;
        Ok(Self { joining: Some(joining), ..Self::new(id) })
    }

    /// Where a server is reached.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    fn new(id: PeerId) -> Self {
        Self {
            id,
            listener: None,
            joining: None,
            links: BTreeMap::new(),
            count: 0,
            events: VecDeque::new(),
            refusing: false,
            now: Instant::ZERO,
        }
    }

    /// Takes in those who knock at a server.
    fn accept(&mut self) {
        // At most as many as there can be links, so that nobody keeps this turn from ending by knocking.
        for _ in 0..LINKS_MAX {
            let Some(Ok((stream, _))) = self.listener.as_ref().map(TcpListener::accept) else {
                return;
            };
            if !self.refusing && self.links.len() < LINKS_MAX {
                self.add(stream, Awaits::Hello);
            }
            // A socket that is dropped is closed, and its other side sees that.
        }
    }

    /// A client's connection, once the thread has it.
    fn join(&mut self) {
        if let Some(joining) = self.joining.take_if(|joining| joining.is_finished())
            && let Ok(Ok(stream)) = joining.join()
        {
            self.add(stream, Awaits::Welcome);
        }
    }

    fn add(&mut self, stream: TcpStream, awaits: Awaits) {
        // A socket that fails here has already gone.
        let Ok(link) = Link::new(stream, awaits, self.id, self.now) else { return };
        let taken = |slot: u32| self.links.keys().any(|connection| connection.slot == slot);
        let slot = (0..).find(|&slot| !taken(slot)).unwrap_or(u32::MAX);
        self.links.insert(ConnectionId { slot, generation: self.count }, link);
        self.count = self.count.wrapping_add(1);
    }
}

impl MultiplayerPeer for TcpMultiplayerPeer {
    /// Owes: input and timers become events, here and nowhere else; a bounded amount of work; order within each link.
    fn poll(&mut self, now: Instant) {
        self.now = now;
        if !self.events.is_empty() {
            // The host has not taken what there is: the rest stays with its senders.
            return;
        }
        self.accept();
        self.join();
        let mut over = Vec::new();
        for (&connection, link) in &mut self.links {
            let end = link.take_in(connection, now, self.refusing, &mut self.events);
            // What has just arrived counts, so that a host that slept too long ends nobody.
            if let Some(reason) = end.or_else(|| link.overdue(now)) {
                over.push((connection, reason));
            }
        }
        for (connection, reason) in over {
            // Who has not been reported as connected is not reported as gone either.
            if let Some(link) = self.links.remove(&connection)
                && link.is_connected()
            {
                self.events.push_back(PeerEvent::Disconnected { connection, reason });
            }
        }
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    /// Owes: all or nothing when the packet cannot be sent; silence about links that have gone.
    fn send(&mut self, outgoing: Outgoing) -> Result<(), SendError> {
        if self.connection_status() != ConnectionStatus::Connected {
            return Err(SendError::NotConnected);
        }
        let (len, max) = (outgoing.len(), self.max_packet_size());
        if len > max {
            return Err(SendError::TooLarge { len, max });
        }
        for connection in outgoing.to.as_slice() {
            if let Some(link) = self.links.get_mut(connection) {
                // A clone shares the bytes.
                link.send(outgoing.clone());
            }
        }
        Ok(())
    }

    /// Owes: what was queued goes to the network. What that does not take now goes with the next flush.
    fn flush(&mut self, now: Instant) {
        self.now = now;
        self.links.values_mut().for_each(|link| link.flush(now));
    }

    /// Owes: an event with this `reason` later on, or none at all when the end is abrupt.
    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        farewell: Farewell,
    ) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        match farewell {
            Farewell::Drain => link.leave(reason, true),
            Farewell::Polite => link.leave(reason, false),
            Farewell::Abrupt => {
                // Closing the socket is the goodbye: the operating system tells the other side.
                self.links.remove(&connection);
                self.events.retain(|event| !is_about(event, connection));
            }
        }
    }

    /// Owes: an end to everything, without events.
    fn close(&mut self) {
        self.listener = None;
        self.joining = None;
        self.links.clear();
        self.events.clear();
    }

    fn unique_id(&self) -> PeerId {
        self.id
    }

    /// Owes: a client is `Connecting` until it reports `Connected`, and `Disconnected` once its only link has gone.
    fn connection_status(&self) -> ConnectionStatus {
        if self.listener.is_some() {
            return ConnectionStatus::Connected;
        }
        match self.links.values().next() {
            Some(link) if link.is_connected() => ConnectionStatus::Connected,
            None if self.joining.is_none() => ConnectionStatus::Disconnected,
            _ => ConnectionStatus::Connecting,
        }
    }

    /// Owes: the time of the next timer. Input is no timer; for that the default `readiness` asks for a turn every 5 ms,
    /// as std cannot wait for many sockets.
    fn poll_timeout(&self) -> Option<Instant> {
        self.links.values().map(Link::due).min()
    }

    /// Owes: nothing comes out of a held link. TCP makes that easy: what is not read stays with its sender.
    fn hold(&mut self, connection: ConnectionId, held: bool) {
        if let Some(link) = self.links.get_mut(&connection) {
            link.hold(held, self.now);
        }
    }

    fn is_server_relay_supported(&self) -> bool {
        true
    }

    fn is_refusing_new_connections(&self) -> bool {
        self.refusing
    }

    fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.refusing = refuse;
    }

    fn max_packet_size(&self) -> usize {
        PACKET_BYTES_MAX
    }

    fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        self.links.get(&connection).map(Link::stats)
    }
}

fn is_about(event: &PeerEvent, link: ConnectionId) -> bool {
    match event {
        PeerEvent::Connected { connection, .. } | PeerEvent::Disconnected { connection, .. } => {
            *connection == link
        }
        PeerEvent::Packet(packet) => packet.from == link,
        _ => false,
    }
}
