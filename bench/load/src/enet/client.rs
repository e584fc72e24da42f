//! One client: a socket, and mp's ENet host with one peer, or nothing.
//!
//! mp's host is used because it never drops what it is given (ENet's packet throttle does, so that one could not tell whether
//! a message was lost), and because it leaves the server's throttle alone. Acknowledgements leave before the program sees the
//! packets, as those of the C library and of Godot do, so that no server is spared a datagram that real players send.

use std::collections::VecDeque;
use std::error::Error;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use bytes::Bytes;
use mp_core::{ConnectionId, Rng};
use mp_transport_enet::proto::{
    Admission, Host, HostEvent, HostSettings, MTU_DEFAULT, MTU_MAX, PacketFlags, Patience,
};

use super::dialect::{Dialect, Heard, peer_id};
use crate::clock::instant;

pub(crate) struct Client {
    socket: UdpSocket,
    server: SocketAddr,
    line: Line,
    dialect: Dialect,
    channels: u8,
    place: u16,
    is_connected: bool,
    /// Other clients that the server has told of.
    known: usize,
    packets: VecDeque<Bytes>,
    buffer: Box<[u8]>,
}

enum Line {
    Enet { host: Box<Host>, server: Option<ConnectionId> },
    Datagram,
}

impl Client {
    /// The client at a place, not connected yet. ENet `channels`: Godot's clients ask for 255.
    pub(crate) fn new(
        server: SocketAddr,
        place: u16,
        dialect: Dialect,
        channels: u8,
    ) -> Result<Self, Box<dyn Error>> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        let line = if dialect == Dialect::Datagram {
            Line::Datagram
        } else {
            let mut settings = HostSettings::default();
            settings.max_peers = 1;
            settings.admission = Admission::Nobody;
            // A server that has to tell thousands of each other is slow, not gone.
            settings.patience = Patience { limit: u32::MAX, minimum: PATIENCE, maximum: PATIENCE };
            settings.reliable_progress_timeout = PATIENCE;
            let mut seed = [0; 32];
            seed[..2].copy_from_slice(&place.to_le_bytes());
            let host = Host::new(settings, Rng::from_seed(seed));
            Line::Enet { host: Box::new(host), server: None }
        };
        Ok(Self {
            socket,
            server,
            line,
            dialect,
            channels,
            place,
            is_connected: false,
            known: 0,
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

    /// Other clients that the server has told of.
    pub(crate) const fn known(&self) -> usize {
        self.known
    }

    pub(crate) fn connect(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        match &mut self.line {
            Line::Enet { host, server } => {
                let id = peer_id(self.place).cast_unsigned();
                *server = host.connect(self.server, self.channels, id);
            }
            Line::Datagram => drop(self.socket.send(b"hello")?),
        }
        self.flush(now)
    }

    /// Takes in `most` datagrams that have arrived; what they brought is in [`next_packet`](Self::next_packet).
    pub(crate) fn receive(&mut self, now: u64, most: usize) -> Result<(), Box<dyn Error>> {
        for _ in 0..most {
            let len = match self.socket.recv(&mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                received => received?,
            };
            match &mut self.line {
                Line::Enet { host, .. } => {
                    host.handle_datagram(instant(now), self.server, &self.buffer[..len]);
                }
                Line::Datagram => {
                    if std::mem::replace(&mut self.is_connected, true) {
                        self.packets.push_back(Bytes::copy_from_slice(&self.buffer[..len]));
                    }
                }
            }
        }
        match &self.line {
            Line::Enet { .. } => self.flush(now),
            Line::Datagram => Ok(()),
        }
    }

    /// The next packet that is not about who is there.
    pub(crate) fn next_packet(&mut self) -> Option<Bytes> {
        loop {
            let packet = match &mut self.line {
                Line::Enet { host, .. } => match host.poll_event()? {
                    HostEvent::Packet { payload, .. } => payload,
                    HostEvent::Connected { .. } => {
                        self.is_connected = true;
                        continue;
                    }
                    lost => panic!("client {} has lost its server: {lost:?}", self.place),
                },
                Line::Datagram => self.packets.pop_front()?,
            };
            match self.dialect.read(&packet) {
                Heard::AddPeer => self.known += 1,
                _ => return Some(packet),
            }
        }
    }

    /// Queues a packet, unsequenced unless it is reliable.
    pub(crate) fn send(&mut self, packet: Bytes, reliable: bool) {
        match &mut self.line {
            Line::Enet { host, server: Some(server) } => {
                let (channel, flags) = match reliable {
                    true => (0, PacketFlags::RELIABLE),
                    false => (1, PacketFlags::UNSEQUENCED | PacketFlags::UNRELIABLE_FRAGMENT),
                };
                let sent = host.send(*server, channel, flags, packet.into());
                sent.expect("the packet is small, and the channel is there");
            }
            Line::Enet { server: None, .. } => unreachable!("it is connected"),
            Line::Datagram => self.packets.push_back(packet),
        }
    }

    pub(crate) fn flush(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        let now = instant(now);
        match &mut self.line {
            Line::Enet { host, .. } => {
                host.end_turn(now);
                let mtu = usize::from(MTU_DEFAULT);
                while let Some(transmit) = host.poll_transmit(now, &mut self.buffer[..mtu]) {
                    let datagram_len = transmit.segment_size.unwrap_or(transmit.len);
                    for datagram in self.buffer[..transmit.len].chunks(datagram_len) {
                        send_now(&self.socket, datagram)?;
                    }
                }
            }
            Line::Datagram => {
                for packet in self.packets.drain(..) {
                    send_now(&self.socket, &packet)?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn run_timers(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        if let Line::Enet { host, .. } = &mut self.line
            && host.poll_timeout().is_some_and(|due| due <= instant(now))
        {
            host.handle_timeout(instant(now));
            self.flush(now)?;
        }
        Ok(())
    }
}

/// Sends; a server that is behind makes a client wait, as its buffer is the server's.
fn send_now(socket: &UdpSocket, datagram: &[u8]) -> Result<(), Box<dyn Error>> {
    loop {
        match socket.send(datagram) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            sent => {
                return sent
                    .map(drop)
                    .map_err(|error| format!("the server is gone: {error}").into());
            }
        }
    }
}

const RECEIVE_BUFFER: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(120);
