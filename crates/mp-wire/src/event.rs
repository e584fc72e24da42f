//! Events of a proxy.
#![expect(clippy::exhaustive_enums, clippy::exhaustive_structs, reason = "observers match on them")]

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use mp_core::{Channel, ConnectionOrigin, DisconnectReason, Instant, PeerId, TransferMode};

/// The number of a client of a proxy, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientNumber(pub u32);

impl fmt::Display for ClientNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The direction of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl Direction {
    /// Returns the other direction.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }
}

/// A packet that a proxy passes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WirePacket {
    /// Client that sends or receives it.
    pub client: ClientNumber,
    /// Time at which the proxy received it.
    pub at: Instant,
    /// Direction.
    pub direction: Direction,
    /// Transfer mode (WebSocket: always reliable).
    pub mode: TransferMode,
    /// Transfer channel (WebSocket: always 0).
    pub channel: Channel,
    /// Payload.
    pub payload: Bytes,
}

/// A datagram between a client and a proxy over ENet. With DTLS it is not encrypted here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireDatagram {
    /// Address of the client.
    pub client: SocketAddr,
    /// Direction.
    pub direction: Direction,
    /// Header and commands, compressed as on the wire.
    pub bytes: Bytes,
}

/// An event of a proxy. Those of a client begin with `Connected` and end with `Closed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireEvent {
    /// A client has connected to the proxy, which now connects to the server.
    Connected {
        /// The client.
        client: ClientNumber,
        /// Time.
        at: Instant,
        /// Address, and over WebSocket the URL. Its text masks the query.
        origin: ConnectionOrigin,
    },
    /// The peer id of a client is known: the client's own (ENet), or the one that the server
    /// assigned in its first message (WebSocket).
    PeerId {
        /// The client.
        client: ClientNumber,
        /// Time.
        at: Instant,
        /// Peer id.
        id: PeerId,
    },
    /// A packet is passed on.
    Packet(WirePacket),
    /// Packets of a direction cannot be decoded any more, but are passed on: the WebSocket framing
    /// is invalid, compressed, or a message is too long.
    Undecodable {
        /// The client.
        client: ClientNumber,
        /// Time.
        at: Instant,
        /// Direction.
        direction: Direction,
    },
    /// A connection has ended.
    Closed {
        /// The client.
        client: ClientNumber,
        /// Time.
        at: Instant,
        /// Reason.
        reason: WireCloseReason,
    },
}

/// The reason why the connection of a client has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireCloseReason {
    /// The client closed it, or timed out.
    Client(DisconnectReason),
    /// The server closed it, or timed out.
    Server(DisconnectReason),
    /// The server could not be reached, or refused the client.
    Unreachable(String),
    /// The proxy was stopped.
    Stopped,
}

impl fmt::Display for WireCloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(DisconnectReason::Remote(0)) => f.write_str("closed by the client"),
            Self::Client(DisconnectReason::Remote(code)) => {
                write!(f, "closed by the client with code {code}")
            }
            Self::Client(reason) => write!(f, "connection of the client: {reason}"),
            Self::Server(DisconnectReason::Remote(0)) => f.write_str("closed by the server"),
            Self::Server(DisconnectReason::Remote(code)) => {
                write!(f, "closed by the server with code {code}")
            }
            Self::Server(reason) => write!(f, "connection to the server: {reason}"),
            Self::Unreachable(reason) => write!(f, "cannot reach the server: {reason}"),
            Self::Stopped => f.write_str("the proxy was stopped"),
        }
    }
}

impl WireEvent {
    /// Returns the client.
    pub fn client(&self) -> ClientNumber {
        match self {
            Self::Connected { client, .. }
            | Self::PeerId { client, .. }
            | Self::Undecodable { client, .. }
            | Self::Closed { client, .. } => *client,
            Self::Packet(packet) => packet.client,
        }
    }

    /// Returns the time.
    pub fn at(&self) -> Instant {
        match self {
            Self::Connected { at, .. }
            | Self::PeerId { at, .. }
            | Self::Undecodable { at, .. }
            | Self::Closed { at, .. } => *at,
            Self::Packet(packet) => packet.at,
        }
    }
}
