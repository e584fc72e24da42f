//! What travels between a transport and a branch: packets, and one ordered stream of events.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "transports and programs build packets and match on what these enums list"
)]

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use crate::{Channel, ConnectionId, PeerId, TransferMode};

/// A packet that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The link that brought it.
    pub from: ConnectionId,
    /// How it travelled, as far as the transport can tell (WebSocket: always reliable).
    pub mode: TransferMode,
    /// The channel it travelled on (WebSocket: always 0).
    pub channel: Channel,
    /// Its bytes.
    pub payload: Bytes,
}

/// A packet to send. What Godot keeps as state (`set_target_peer`, `transfer_mode`, `transfer_channel`) are fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The links it goes to.
    pub to: Connections,
    /// How it travels.
    pub mode: TransferMode,
    /// The channel it travels on.
    pub channel: Channel,
    /// Bytes in front of the payload, so that a relayed packet shares the payload it came with.
    pub prefix: Prefix,
    /// The rest of its bytes, shared by all links.
    pub payload: Bytes,
}

impl Outgoing {
    /// Length of prefix and payload in bytes.
    pub fn len(&self) -> usize {
        self.prefix.as_slice().len() + self.payload.len()
    }

    /// Whether there is no byte at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Prefix and payload as one buffer; free of copying when there is no prefix.
    pub fn joined(&self) -> Bytes {
        if self.prefix.as_slice().is_empty() {
            return self.payload.clone();
        }
        let mut joined = BytesMut::with_capacity(self.len());
        joined.put_slice(self.prefix.as_slice());
        joined.put_slice(&self.payload);
        joined.freeze()
    }
}

/// The links that a packet goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connections {
    /// One link.
    One(ConnectionId),
    /// Several links of one endpoint.
    Many(Arc<[ConnectionId]>),
}

impl Connections {
    /// The links, in order.
    pub fn as_slice(&self) -> &[ConnectionId] {
        match self {
            Self::One(connection) => std::slice::from_ref(connection),
            Self::Many(connections) => connections,
        }
    }
}

impl From<ConnectionId> for Connections {
    fn from(connection: ConnectionId) -> Self {
        Self::One(connection)
    }
}

/// Up to [`Prefix::CAPACITY`] bytes kept inline.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Prefix {
    bytes: [u8; Self::CAPACITY],
    len: u8,
}

impl Prefix {
    /// Longest prefix in bytes. Godot's relay header is 6.
    pub const CAPACITY: usize = 8;

    /// No bytes.
    pub const EMPTY: Self = Self { bytes: [0; Self::CAPACITY], len: 0 };

    /// The bytes `from`.
    ///
    /// # Panics
    ///
    /// When there are more than [`Prefix::CAPACITY`]: a prefix is made by a codec from a fixed layout, never from input.
    pub fn new(from: &[u8]) -> Self {
        let mut prefix = Self::EMPTY;
        prefix.bytes[..from.len()].copy_from_slice(from);
        prefix.len = from.len() as u8;
        prefix
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

/// Everything a transport reports, in one ordered stream: a connection's packets lie between its `Connected` and its
/// `Disconnected`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerEvent {
    /// This side's own id, on a client of a transport whose servers draw the ids (WebSocket). It comes once, before
    /// everything else; [`unique_id`](crate::MultiplayerPeer::unique_id) says the same from here on.
    UniqueId(PeerId),
    /// A link is ready for packets.
    Connected {
        /// The link.
        connection: ConnectionId,
        /// The peer it says it is: on a client the server's 1, on a server what the client chose (ENet) or was given
        /// (WebSocket). The branch decides.
        claimed_id: Option<PeerId>,
        /// Where it comes from.
        origin: Origin,
    },
    /// A packet arrived.
    Packet(Packet),
    /// A link has ended; it is not mentioned again.
    Disconnected {
        /// The link.
        connection: ConnectionId,
        /// Why.
        reason: DisconnectReason,
    },
}

/// Where a link comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// This process.
    Process,
    /// A socket address of the other side.
    Address(SocketAddr),
    /// A socket address of the other side, and the URL by which a client asks for a server (WebSocket).
    Url {
        /// Its address: the client's own when trusted proxies stand in between.
        address: SocketAddr,
        /// The whole URL, such as `ws://host:7778/room?seat=3`.
        url: Arc<str>,
    },
}

impl Origin {
    /// The socket address, where there is one.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Process => None,
            Self::Address(address) | Self::Url { address, .. } => Some(*address),
        }
    }

    /// The URL, where there is one.
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Url { url, .. } => Some(url),
            _ => None,
        }
    }

    /// The path of the URL, from its first `/` to before a `?`: what a
    /// [router](crate::ConnectionRouter) may choose a branch by.
    pub fn path(&self) -> Option<&str> {
        let url = self.url()?;
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path = rest.find('/').map_or("/", |start| &rest[start..]);
        path.split('?').next()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => f.write_str("this process"),
            Self::Address(address) => address.fmt(f),
            Self::Url { address, url } => write!(f, "{address} for {url}"),
        }
    }
}

/// Why a link ended or was refused. Godot's wire carries no reason: the other side only learns that it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// This side closed it.
    Closed,
    /// The branch it belonged to panicked.
    BranchPanicked,
    /// Another peer of the branch has this id.
    DuplicateId,
    /// The id is not in 2..2³¹.
    InvalidId,
    /// This side asked this peer to leave (Godot: `disconnect_peer`).
    Kicked,
    /// It was moved to another branch, where it goes on.
    Moved,
    /// It sent more nonsense than its budget allows.
    Misbehaved,
    /// One of the two sides authenticates, and the other does not.
    OneSidedAuthentication,
    /// Its reliable queue passed its bound, or made no progress for too long.
    QueueFull,
    /// New connections are refused, or there is no room.
    Refused,
    /// The other side closed it; the number is ENet's `data` (Godot sends 0), or WebSocket's close code (0 when there was none).
    Remote(u32),
    /// The other side stopped answering.
    Timeout,
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed by this side",
            Self::BranchPanicked => "its branch panicked",
            Self::DuplicateId => "peer id already in use",
            Self::InvalidId => "invalid peer id",
            Self::Kicked => "kicked",
            Self::Moved => "moved to another branch",
            Self::Misbehaved => "sent too much that could not be understood",
            Self::OneSidedAuthentication => "only one of the two sides authenticates",
            Self::QueueFull => "could not keep up with what was sent to it",
            Self::Refused => "refused",
            Self::Remote(_) => "closed by the other side",
            Self::Timeout => "timed out",
        })
    }
}

/// How a link is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Farewell {
    /// What was accepted is delivered first, then as `Polite` (ENet: `disconnect_later`).
    Drain,
    /// Queues are dropped, the goodbye is acknowledged, then [`PeerEvent::Disconnected`] follows
    /// (Godot: `disconnect_peer(id)`).
    Polite,
    /// The link is forgotten at once, without an event; the other side is told as far as one goodbye can
    /// (Godot: `disconnect_peer(id, true)`).
    Abrupt,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_origin_is_that_of_its_url() {
        let address = SocketAddr::from(([192, 0, 2, 1], 5));
        for (url, path) in [
            ("ws://host:7778/rooms/3?seat=2", "/rooms/3"),
            ("wss://host/", "/"),
            ("ws://host", "/"),
            ("host:1/a", "/a"),
        ] {
            let origin = Origin::Url { address, url: url.into() };
            assert_eq!(origin.path(), Some(path), "{url}");
            assert_eq!(origin.address(), Some(address));
        }
        assert_eq!(Origin::Address(address).path(), None);
    }
}
