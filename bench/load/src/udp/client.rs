//! A client: a transport with its socket, and the encoding of its packets.

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};

use bytes::Bytes;

use super::datagram::{DatagramTransport, Packets};
use super::dialect::{self, Dialect, ReceivedPacket};
use super::enet::EnetTransport;
use super::peer::{PeerKind, PeerTransport};
use super::replica::Replica;
use super::socket;
use super::transport::{Transport, TransportEvent, TransportKind};

pub(crate) struct Client {
    transport: Box<dyn Transport>,
    dialect: Dialect,
    index: u16,
    /// Number of the room that it selects; `None`: the server has one room.
    room: Option<u16>,
    is_connected: bool,
    /// Other clients that the server has announced.
    known_peers: usize,
    /// Nodes of the host, if the room has one.
    replica: Option<Replica>,
}

impl Client {
    /// Creates the client at an index, not connected yet. ENet `channels`: Godot's clients request
    /// 255. `room`: number of the room that it selects by authentication packet, if there are
    /// several. `packets`: those of [`TransportKind::Datagram`].
    pub(crate) fn new(
        server: SocketAddr,
        index: u16,
        kind: TransportKind,
        dialect: Dialect,
        channels: u8,
        room: Option<u16>,
        packets: Packets,
    ) -> Result<Self, Box<dyn Error>> {
        let socket = socket::bind()?;
        if matches!(kind, TransportKind::Enet | TransportKind::Datagram) {
            socket.connect(server)?;
        }
        let transport: Box<dyn Transport> = match kind {
            TransportKind::Enet => Box::new(EnetTransport::new(socket, server, index, channels)),
            TransportKind::EnetDtls => {
                Box::new(PeerTransport::new(socket, server, PeerKind::EnetDtls { channels }))
            }
            TransportKind::WebRtc => {
                Box::new(PeerTransport::new(socket, server, PeerKind::WebRtc { index }))
            }
            TransportKind::Datagram => Box::new(DatagramTransport::new(socket, packets)),
        };
        let (is_connected, known_peers, replica) = (false, 0, None);
        Ok(Self { transport, dialect, index, room, is_connected, known_peers, replica })
    }

    pub(crate) fn socket(&self) -> &UdpSocket {
        self.transport.socket()
    }

    /// Returns whether it is connected, and in its room if it selects one.
    pub(crate) const fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Returns the number of other clients that the server has announced.
    pub(crate) const fn known_peers(&self) -> usize {
        self.known_peers
    }

    /// Accepts the nodes of a host.
    pub(crate) fn has_host(&mut self) {
        self.replica = Some(Replica::default());
    }

    /// Returns the nodes of the host, if the room has one.
    pub(crate) const fn replica(&self) -> Option<&Replica> {
        self.replica.as_ref()
    }

    pub(crate) fn connect(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        self.transport.connect(now)
    }

    /// Receives up to `most` datagrams; [`next_packet`](Self::next_packet) returns their packets.
    pub(crate) fn receive(&mut self, now: u64, most: usize) -> Result<(), Box<dyn Error>> {
        self.transport.receive(now, most)
    }

    /// Returns the next packet that is not an announcement.
    pub(crate) fn next_packet(&mut self) -> Option<Bytes> {
        loop {
            let packet = match self.transport.next_event()? {
                TransportEvent::Packet(packet) => packet,
                TransportEvent::Connected => {
                    match self.room {
                        Some(room) => dialect::authentication(room)
                            .into_iter()
                            .for_each(|packet| self.transport.send(packet, true)),
                        None => self.is_connected = true,
                    }
                    continue;
                }
                TransportEvent::Lost(why) => {
                    panic!("client {} is disconnected from the server: {why}", self.index)
                }
            };
            match self.dialect.read(&packet) {
                ReceivedPacket::AddPeer => self.known_peers += 1,
                ReceivedPacket::Replication => {
                    match self.replica.as_mut().and_then(|replica| replica.take(&packet)) {
                        Some(answer) => {
                            answer.into_iter().for_each(|answer| self.transport.send(answer, true))
                        }
                        None => return Some(packet),
                    }
                }
                ReceivedPacket::Admitted if !self.is_connected => self.is_connected = true,
                _ => return Some(packet),
            }
        }
    }

    /// Queues a packet, unordered unless it is reliable.
    pub(crate) fn send(&mut self, packet: Bytes, reliable: bool) {
        self.transport.send(packet, reliable);
    }

    pub(crate) fn flush(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        self.transport.flush(now)
    }

    pub(crate) fn run_timers(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        self.transport.run_timers(now)
    }
}
