//! A client: a socket, and mp's ENet host with one peer, or no protocol.
//!
//! Uses mp's host because it never drops queued packets (ENet's throttle does, which would look
//! like loss), and because it does not change the server's throttle. Acknowledgements are sent
//! before the program sees the packets, as in the C library and in Godot, so that servers receive
//! as many datagrams as from real players.

use std::collections::VecDeque;
use std::error::Error;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use bytes::Bytes;
use mp_core::{ConnectionId, Rng};
use mp_transport_enet::proto::{
    Admission, Host, HostEvent, HostSettings, MTU_DEFAULT, MTU_MAX, PacketFlags, TimeoutConfig,
};

use super::dialect::{Dialect, ReceivedPacket, peer_id};
use crate::clock::instant;

pub(crate) struct Client {
    socket: UdpSocket,
    server: SocketAddr,
    line: Protocol,
    dialect: Dialect,
    channels: u8,
    index: u16,
    is_connected: bool,
    /// Other clients that the server has announced.
    known_peers: usize,
    packets: VecDeque<Bytes>,
    buffer: Box<[u8]>,
}

enum Protocol {
    Enet { host: Box<Host>, server: Option<ConnectionId> },
    Datagram,
}

impl Client {
    /// Creates the client at an index, not connected yet. ENet `channels`: Godot's clients request
    /// 255.
    pub(crate) fn new(
        server: SocketAddr,
        index: u16,
        dialect: Dialect,
        channels: u8,
    ) -> Result<Self, Box<dyn Error>> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        let line = if dialect == Dialect::Datagram {
            Protocol::Datagram
        } else {
            let mut settings = HostSettings::default();
            settings.max_peers = 1;
            settings.admission = Admission::Nobody;
            // Long: a server that announces thousands of clients to each other is slow, but alive.
            settings.timeout = TimeoutConfig { limit: u32::MAX, minimum: TIMEOUT, maximum: TIMEOUT };
            settings.reliable_progress_timeout = TIMEOUT;
            let mut seed = [0; 32];
            seed[..2].copy_from_slice(&index.to_le_bytes());
            let host = Host::new(settings, Rng::from_seed(seed));
            Protocol::Enet { host: Box::new(host), server: None }
        };
        Ok(Self {
            socket,
            server,
            line,
            dialect,
            channels,
            index,
            is_connected: false,
            known_peers: 0,
            packets: VecDeque::new(),
            buffer: vec![0; usize::from(MTU_MAX) + 1].into(),
        })
    }

    pub(crate) const fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    pub(crate) const fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Returns the number of other clients that the server has announced.
    pub(crate) const fn known_peers(&self) -> usize {
        self.known_peers
    }

    pub(crate) fn connect(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        match &mut self.line {
            Protocol::Enet { host, server } => {
                let id = peer_id(self.index).cast_unsigned();
                *server = host.connect(self.server, self.channels, id);
            }
            Protocol::Datagram => drop(self.socket.send(b"hello")?),
        }
        self.flush(now)
    }

    /// Receives up to `most` datagrams; [`next_packet`](Self::next_packet) returns their packets.
    pub(crate) fn receive(&mut self, now: u64, most: usize) -> Result<(), Box<dyn Error>> {
        for _ in 0..most {
            let len = match self.socket.recv(&mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                received => received?,
            };
            match &mut self.line {
                Protocol::Enet { host, .. } => {
                    host.handle_datagram(instant(now), self.server, &self.buffer[..len]);
                }
                Protocol::Datagram => {
                    if std::mem::replace(&mut self.is_connected, true) {
                        self.packets.push_back(Bytes::copy_from_slice(&self.buffer[..len]));
                    }
                }
            }
        }
        match &self.line {
            Protocol::Enet { .. } => self.flush(now),
            Protocol::Datagram => Ok(()),
        }
    }

    /// Returns the next packet that is not an announcement.
    pub(crate) fn next_packet(&mut self) -> Option<Bytes> {
        loop {
            let packet = match &mut self.line {
                Protocol::Enet { host, .. } => match host.poll_event()? {
                    HostEvent::Packet { payload, .. } => payload,
                    HostEvent::Connected { .. } => {
                        self.is_connected = true;
                        continue;
                    }
                    lost => {
                        panic!("client {} is disconnected from the server: {lost:?}", self.index)
                    }
                },
                Protocol::Datagram => self.packets.pop_front()?,
            };
            match self.dialect.read(&packet) {
                ReceivedPacket::AddPeer => self.known_peers += 1,
                _ => return Some(packet),
            }
        }
    }

    /// Queues a packet, unsequenced unless it is reliable.
    pub(crate) fn send(&mut self, packet: Bytes, reliable: bool) {
        match &mut self.line {
            Protocol::Enet { host, server: Some(server) } => {
                let (channel, flags) = match reliable {
                    true => (0, PacketFlags::RELIABLE),
                    false => (1, PacketFlags::UNSEQUENCED | PacketFlags::UNRELIABLE_FRAGMENT),
                };
                let sent = host.send(*server, channel, flags, packet.into());
                sent.expect("the packet is small, and the channel exists");
            }
            Protocol::Enet { server: None, .. } => unreachable!("it is connected"),
            Protocol::Datagram => self.packets.push_back(packet),
        }
    }

    pub(crate) fn flush(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        let now = instant(now);
        match &mut self.line {
            Protocol::Enet { host, .. } => {
                host.end_turn(now);
                let mtu = usize::from(MTU_DEFAULT);
                while let Some(transmit) = host.poll_transmit(now, &mut self.buffer[..mtu]) {
                    let datagram_len = transmit.segment_size.unwrap_or(transmit.len);
                    for datagram in self.buffer[..transmit.len].chunks(datagram_len) {
                        send_now(&self.socket, datagram)?;
                    }
                }
            }
            Protocol::Datagram => {
                for packet in self.packets.drain(..) {
                    send_now(&self.socket, &packet)?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn run_timers(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        if let Protocol::Enet { host, .. } = &mut self.line
            && host.poll_timeout().is_some_and(|due| due <= instant(now))
        {
            host.handle_timeout(instant(now));
            self.flush(now)?;
        }
        Ok(())
    }
}

/// Sends a datagram. Waits if the receive buffer of the server is full.
fn send_now(socket: &UdpSocket, datagram: &[u8]) -> Result<(), Box<dyn Error>> {
    loop {
        match socket.send(datagram) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            sent => {
                return sent
                    .map(drop)
                    .map_err(|error| format!("cannot send to the server: {error}").into());
            }
        }
    }
}

const RECEIVE_BUFFER: usize = 1 << 20;
const TIMEOUT: Duration = Duration::from_secs(120);
