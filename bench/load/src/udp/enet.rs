//! mp's ENet host with one peer.
//!
//! It never drops queued packets (ENet's throttle does, which would look like loss), and does not
//! change the server's throttle. Acknowledgements are sent before the program sees the packets, as
//! in the C library and in Godot, so that servers receive as many datagrams as from real players.

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use bytes::Bytes;
use mp_core::{ConnectionId, Rng};
use mp_transport_enet::proto::{
    Admission, Host, HostEvent, HostSettings, MTU_DEFAULT, MTU_MAX, PacketFlags, TimeoutConfig,
};

use super::dialect::peer_id;
use super::socket::{receive_now, send_now};
use super::transport::{Transport, TransportEvent};
use crate::clock::instant;

pub(super) struct EnetTransport {
    socket: UdpSocket,
    address: SocketAddr,
    host: Host,
    server: Option<ConnectionId>,
    channels: u8,
    index: u16,
    buffer: Box<[u8]>,
}

impl EnetTransport {
    /// Creates the client at an index. `channels`: Godot's clients request 255.
    pub(super) fn new(socket: UdpSocket, address: SocketAddr, index: u16, channels: u8) -> Self {
        let mut settings = HostSettings::default();
        settings.max_peers = 1;
        settings.admission = Admission::Nobody;
        // Long: a server that announces thousands of clients to each other is slow, but alive.
        settings.timeout = TimeoutConfig { limit: u32::MAX, minimum: TIMEOUT, maximum: TIMEOUT };
        settings.reliable_progress_timeout = TIMEOUT;
        let mut seed = [0; 32];
        seed[..2].copy_from_slice(&index.to_le_bytes());
        let host = Host::new(settings, Rng::from_seed(seed));
        let buffer = vec![0; usize::from(MTU_MAX) + 1].into();
        Self { socket, address, host, server: None, channels, index, buffer }
    }
}

impl Transport for EnetTransport {
    fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    fn connect(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        let id = peer_id(self.index).cast_unsigned();
        self.server = self.host.connect(self.address, self.channels, id);
        self.flush(now)
    }

    fn receive(&mut self, now: u64, most: usize) -> Result<(), Box<dyn Error>> {
        for _ in 0..most {
            let Some(len) = receive_now(&self.socket, &mut self.buffer)? else { break };
            self.host.handle_datagram(instant(now), self.address, &self.buffer[..len]);
        }
        self.flush(now)
    }

    fn next_event(&mut self) -> Option<TransportEvent> {
        Some(match self.host.poll_event()? {
            HostEvent::Packet { payload, .. } => TransportEvent::Packet(payload),
            HostEvent::Connected { .. } => TransportEvent::Connected,
            lost => TransportEvent::Lost(format!("{lost:?}")),
        })
    }

    fn send(&mut self, packet: Bytes, reliable: bool) {
        let (channel, flags) = match reliable {
            true => (0, PacketFlags::RELIABLE),
            false => (1, PacketFlags::UNSEQUENCED | PacketFlags::UNRELIABLE_FRAGMENT),
        };
        let server = self.server.expect("it is connected");
        let sent = self.host.send(server, channel, flags, packet.into());
        sent.expect("the packet is small, and the channel exists");
    }

    fn flush(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        let now = instant(now);
        self.host.end_turn(now);
        let mtu = usize::from(MTU_DEFAULT);
        while let Some(transmit) = self.host.poll_transmit(now, &mut self.buffer[..mtu]) {
            let datagram_len = transmit.segment_size.unwrap_or(transmit.len);
            for datagram in self.buffer[..transmit.len].chunks(datagram_len) {
                send_now(&self.socket, datagram)?;
            }
        }
        Ok(())
    }

    fn run_timers(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        if self.host.poll_timeout().is_some_and(|due| due <= instant(now)) {
            self.host.handle_timeout(instant(now));
            self.flush(now)?;
        }
        Ok(())
    }
}

const TIMEOUT: Duration = Duration::from_secs(120);
