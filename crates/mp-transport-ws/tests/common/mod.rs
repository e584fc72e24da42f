//! Shared parts of the tests: a virtual network, peers on it, and remote ends that exchange raw
//! bytes.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mp_core::{
    Channel, ConnectionId, DisconnectReason, Instant, MultiplayerPeer, OutgoingPacket, PeerEvent,
    Prefix, Rng, TransferMode,
};
use mp_tls::{ClientTlsOptions, DevelopmentCertificate};
use mp_transport_ws::io::{ByteStream, StreamSource};
use mp_transport_ws::testing::{StreamConditions, VirtualNetwork, VirtualSource, VirtualStream};
use mp_transport_ws::{ClientOptions, ServerOptions, WebSocketMultiplayerPeer};

pub(crate) type Peer = WebSocketMultiplayerPeer<VirtualSource>;

/// The key of RFC 6455's example, whose response is known.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

pub(crate) fn made_certificate(name: &str) -> DevelopmentCertificate {
    DevelopmentCertificate::new(&[name]).unwrap()
}

pub(crate) fn trusting(made: &DevelopmentCertificate) -> ClientTlsOptions {
    ClientTlsOptions::new().trusted_chain(made.certificate_pem()).unwrap()
}

/// A virtual network under virtual time.
pub(crate) struct World {
    pub(crate) network: VirtualNetwork,
    pub(crate) now: Instant,
}

impl World {
    pub(crate) fn new(conditions: StreamConditions) -> Self {
        let network = VirtualNetwork::new(Rng::seed_from_u64(7), conditions);
        let now = Instant::from_millis(1_000);
        network.advance(now);
        Self { network, now }
    }

    pub(crate) fn server(&self, options: ServerOptions) -> Peer {
        let options = seeded(options);
        WebSocketMultiplayerPeer::server(self.network.listener(), options).unwrap()
    }

    pub(crate) fn client(&self, options: ClientOptions) -> Peer {
        let options = options.seed([2; 32]);
        WebSocketMultiplayerPeer::client(self.network.dialer(), "ws://game", options).unwrap()
    }

    /// Connects to the server without sending anything.
    pub(crate) fn raw_peer(&self) -> RawPeer {
        RawPeer { stream: self.network.connect().unwrap(), received: Vec::new(), end: None }
    }

    /// Runs a turn of `peer`, 1 ms later. Returns its events.
    pub(crate) fn turn(&mut self, peer: &mut Peer) -> Vec<PeerEvent> {
        self.pass(Duration::from_millis(1));
        turn(peer, self.now)
    }

    /// Advances the time by `time` and runs `peer` whenever a turn is due. Returns its events.
    pub(crate) fn run(&mut self, peer: &mut Peer, time: Duration) -> Vec<PeerEvent> {
        let end = self.now + time;
        let mut events = Vec::new();
        while let Some(due) = peer.poll_timeout().filter(|due| *due < end) {
            self.pass((due - self.now).max(Duration::from_millis(1)));
            events.extend(turn(peer, self.now));
        }
        self.pass(end - self.now);
        events.extend(turn(peer, self.now));
        events
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.network.advance(self.now);
    }

    /// Connects to `server` and completes the handshake. Returns the remote end and the connection.
    pub(crate) fn joined(&mut self, server: &mut Peer) -> (RawPeer, ConnectionId) {
        let mut raw_peer = self.raw_peer();
        raw_peer.send(&request("/", ""));
        let events = self.turn(server);
        let [PeerEvent::Connected { connection, .. }] = events[..] else { panic!("{events:?}") };
        raw_peer.receive();
        assert!(raw_peer.received.starts_with(b"HTTP/1.1 101"), "{}", raw_peer.text());
        raw_peer.received.clear();
        (raw_peer, connection)
    }
}

pub(crate) fn seeded(options: ServerOptions) -> ServerOptions {
    options.seed([1; 32])
}

/// Runs one turn of `peer` like a host. Returns its events.
pub(crate) fn turn(peer: &mut Peer, now: Instant) -> Vec<PeerEvent> {
    peer.poll(now);
    let events = std::iter::from_fn(|| peer.next_event()).collect();
    peer.flush(now);
    events
}

/// Returns a packet for one connection.
pub(crate) fn packet(
    to: ConnectionId,
    mode: TransferMode,
    payload: impl Into<bytes::Bytes>,
) -> OutgoingPacket {
    OutgoingPacket {
        to: to.into(),
        mode,
        channel: Channel(0),
        prefix: Prefix::EMPTY,
        payload: payload.into(),
    }
}

/// A remote end of a connection that exchanges raw bytes.
pub(crate) struct RawPeer {
    stream: VirtualStream,
    pub(crate) received: Vec<u8>,
    /// True if the remote end closed the connection, false if it was reset; `None` while it is
    /// open.
    pub(crate) end: Option<bool>,
}

impl RawPeer {
    pub(crate) fn new(stream: VirtualStream) -> Self {
        Self { stream, received: Vec::new(), end: None }
    }

    /// Accepts the next client of `listener`.
    pub(crate) fn accepted(listener: &mut VirtualSource) -> Self {
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok((stream, _))) = listener.poll_stream(&mut cx) else {
            panic!("no client has connected")
        };
        Self::new(stream)
    }

    pub(crate) fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.try_send(bytes);
            assert!(taken > 0, "the stream accepts no more bytes");
            bytes = &bytes[taken..];
        }
    }

    /// Returns the number of bytes that the stream accepted.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> usize {
        let mut cx = Context::from_waker(Waker::noop());
        match self.stream.poll_write(&mut cx, bytes) {
            Poll::Ready(Ok(taken)) => taken,
            _ => 0,
        }
    }

    /// Receives all available bytes.
    pub(crate) fn receive(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut buffer = [0; 65_536];
        while let Poll::Ready(read) = self.stream.poll_read(&mut cx, &mut buffer) {
            match read {
                Ok(0) => return self.end = Some(true),
                Ok(len) => self.received.extend_from_slice(&buffer[..len]),
                Err(_) => return self.end = Some(false),
            }
        }
    }

    /// Removes and returns the bytes received since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.receive();
        std::mem::take(&mut self.received)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    pub(crate) fn shutdown(&mut self) {
        self.stream.shutdown();
    }
}

/// Returns a request for a WebSocket at `path` with the additional headers `more`.
pub(crate) fn request(path: &str, more: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: game:7778\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
    .into_bytes()
}

/// Returns the frame with this first byte, masked like a client's if `mask` is given.
pub(crate) fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(bit | len as u8),
        len @ 126..=0xFFFF => {
            frame.push(bit | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(bit | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(mask.unwrap_or_default().iter().take(if mask.is_some() { 4 } else { 0 }));
    let mask = mask.unwrap_or_default();
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Returns a client's frame.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, Some([0x12, 0xAB, 0x34, 0xCD]))
}

/// A received frame: its first byte, and its payload without the mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) first: u8,
    pub(crate) is_masked: bool,
    pub(crate) payload: Vec<u8>,
}

/// Removes and returns the complete frames at the start of `bytes`.
pub(crate) fn frames(bytes: &mut Vec<u8>) -> Vec<Read> {
    let mut read = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((frame, after)) = first_frame(rest) {
        read.push(frame);
        rest = after;
    }
    *bytes = rest.to_vec();
    read
}

fn first_frame(bytes: &[u8]) -> Option<(Read, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (&second, rest) = rest.split_first()?;
    let (len, rest) = match second & 0x7F {
        126 => (u16::from_be_bytes(*rest.first_chunk()?) as usize, rest.get(2..)?),
        127 => (u64::from_be_bytes(*rest.first_chunk()?) as usize, rest.get(8..)?),
        len => (usize::from(len), rest),
    };
    let is_masked = second & 0x80 != 0;
    let (mask, rest) = match is_masked {
        true => (*rest.first_chunk::<4>()?, rest.get(4..)?),
        false => ([0; 4], rest),
    };
    let payload = rest.get(..len)?;
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    Some((Read { first, is_masked, payload }, &rest[len..]))
}

/// Returns the reason of the first `Disconnected` event.
pub(crate) fn end_of(events: &[PeerEvent]) -> Option<DisconnectReason> {
    events.iter().find_map(|event| match event {
        PeerEvent::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    })
}

/// Returns the payloads of the packets among `events`.
pub(crate) fn packets(events: &[PeerEvent]) -> Vec<Vec<u8>> {
    let payload = |event: &PeerEvent| match event {
        PeerEvent::Packet(packet) => Some(packet.payload.to_vec()),
        _ => None,
    };
    events.iter().filter_map(payload).collect()
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}
