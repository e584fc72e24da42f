//! The fuzz targets of this crate. They accept any bytes, and panic if a property is violated. See
//! `fuzz/` in the repository.

#[cfg(feature = "dtls")]
mod dtls;

use std::net::SocketAddr;

use bytes::Bytes;
use mp_core::fuzz::pieces;
use mp_core::{ConnectionId, Instant, Rng};

#[cfg(feature = "dtls")]
pub use self::dtls::{dtls_client_hello, dtls_record};
use crate::proto::command::Command;
use crate::proto::header::Header;
use crate::proto::{
    Admission, CompressionMode, Compressor, Host, HostEvent, HostSettings, MTU_MAX, PacketFlags,
};

/// Passes pieces of the input to a connected server and client as datagrams of each other. The
/// first byte of a piece selects the receiver and the time that passes before.
pub fn enet_datagram(data: &[u8]) {
    let mut pair = Pair::connected();
    for piece in pieces(data) {
        let Some((&first, datagram)) = piece.split_first() else { continue };
        pair.receive(first, datagram);
    }
}

/// Passes pieces of the input as commands of the connected peer, behind a valid header. Commands
/// that can be parsed must encode to the same bytes.
pub fn enet_commands(data: &[u8]) {
    let mut pair = Pair::connected();
    for piece in pieces(data) {
        let Some((&first, commands)) = piece.split_first() else { continue };
        let mut rest = commands;
        while let Ok((command, after)) = Command::parse(rest) {
            let len = rest.len() - after.len();
            let mut again = vec![0; command.encoded_len()];
            command.emit(&mut again);
            assert_eq!(again, rest[..len], "{command}");
            rest = after;
        }
        let header = Header { peer_id: 0, session: 0, compressed: false, sent_time: Some(7) };
        let mut datagram = vec![0; header.encoded_len()];
        header.emit(&mut datagram);
        datagram.extend_from_slice(commands);
        datagram.truncate(MTU_MAX.into());
        pair.receive(first, &datagram);
    }
}

/// Decompresses the input in each compression mode, and compresses it. The compressed input must
/// decompress to the same bytes.
pub fn enet_compression(data: &[u8]) {
    let data = &data[..data.len().min(MTU_MAX.into())];
    let mut block = vec![0; 2 * usize::from(MTU_MAX)];
    let mut out = vec![0; MTU_MAX.into()];
    for &mode in CompressionMode::ALL {
        let mut compressor = Compressor::new(mode);
        if let Some(len) = compressor.expand(data, &mut out) {
            assert!(len <= out.len());
        }
        if let Some(len) = compressor.compress(data, &mut block) {
            let expanded = compressor.expand(&block[..len], &mut out).expect("a whole block");
            assert_eq!(&out[..data.len()], data, "{mode:?}");
            // FastLZ may append zeros.
            assert!(out[data.len()..expanded].iter().all(|&byte| byte == 0), "{mode:?}");
        }
    }
}

/// A server and a client, connected to each other.
struct Pair {
    hosts: [Host; 2],
    connections: [ConnectionId; 2],
    now: Instant,
}

const SERVER: usize = 0;
const CLIENT: usize = 1;

impl Pair {
    fn connected() -> Self {
        let settings = HostSettings { max_peers: 4, ..HostSettings::default() };
        let server = Host::new(settings.clone(), Rng::seed_from_u64(1));
        let settings = HostSettings { admission: Admission::Nobody, ..settings };
        let mut client = Host::new(settings, Rng::seed_from_u64(2));
        let connection = client.connect(address(SERVER), 255, 2_000).expect("a free slot");
        let mut pair = Self {
            hosts: [server, client],
            connections: [connection; 2],
            now: Instant::from_millis(10_000),
        };
        pair.exchange();
        for side in [SERVER, CLIENT] {
            let Some(HostEvent::Connected { connection, .. }) = pair.hosts[side].poll_event()
            else {
                panic!("the handshake failed")
            };
            pair.connections[side] = connection;
        }
        pair
    }

    /// Exchanges datagrams until neither host has anything to send. No time passes.
    fn exchange(&mut self) {
        let mut buf = [0; 4_096];
        for _ in 0..ROUNDS_MAX {
            let mut is_quiet = true;
            for side in [CLIENT, SERVER] {
                let mut sent = Vec::new();
                let host = &mut self.hosts[side];
                host.end_turn(self.now);
                while let Some(transmit) = host.poll_transmit(self.now, &mut buf) {
                    let segment = transmit.segment_size.unwrap_or(transmit.len).max(1);
                    sent.extend(buf[..transmit.len].chunks(segment).map(<[u8]>::to_vec));
                }
                is_quiet &= sent.is_empty();
                let other = &mut self.hosts[1 - side];
                for datagram in sent {
                    other.handle_datagram(self.now, address(side), &datagram);
                }
            }
            if is_quiet {
                return;
            }
        }
        panic!("the hosts reply to each other forever");
    }

    /// Passes a datagram to a host as if the other had sent it, and runs both.
    fn receive(&mut self, first: u8, datagram: &[u8]) {
        let to = usize::from(first & 1);
        self.now += std::time::Duration::from_millis(u64::from(first >> 1) * 8);
        for host in &mut self.hosts {
            host.handle_timeout(self.now);
        }
        self.hosts[to].handle_datagram(self.now, address(1 - to), datagram);
        for (host, &connection) in self.hosts.iter_mut().zip(&self.connections) {
            assert!(host.waiting_bytes(connection).unwrap_or(0) <= WAITING_MAX);
            // So that forged acknowledgements have a command in flight.
            let _ =
                host.send(connection, 0, PacketFlags::RELIABLE, Bytes::from_static(b"x").into());
        }
        for host in &mut self.hosts {
            while host.poll_event().is_some() {}
            host.handle_timeout(self.now);
        }
        self.exchange();
        for host in &self.hosts {
            let next = host.poll_timeout();
            assert!(
                next.is_none_or(|next| next > self.now),
                "the next turn must not be due immediately again"
            );
        }
    }
}

/// Maximum number of bytes that one peer can make a host buffer: reliable and unreliable packets
/// out of order, and one packet of the maximum length.
const WAITING_MAX: usize = (4 + 4 + 32) << 20;

/// Maximum number of rounds of an exchange without loss. A full window needs far fewer.
const ROUNDS_MAX: usize = 1_000;

fn address(side: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1 + side as u8], 7_777))
}
