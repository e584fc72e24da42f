//! Packets, and the events that a transport reports.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "transports and programs construct packets and match on the enums"
)]

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use crate::{CarriedSession, Channel, ConnectionId, PeerId, Reason, TransferMode};

/// A received packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Connection on which it was received.
    pub from: ConnectionId,
    /// Transfer mode, as far as the transport knows it (WebSocket: always reliable).
    pub mode: TransferMode,
    /// Transfer channel (WebSocket: always 0).
    pub channel: Channel,
    /// Payload.
    pub payload: Bytes,
}

/// A packet to send. Godot's properties `set_target_peer`, `transfer_mode` and `transfer_channel`
/// are fields of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingPacket {
    /// Connections to send it to.
    pub to: Connections,
    /// Transfer mode.
    pub mode: TransferMode,
    /// Transfer channel.
    pub channel: Channel,
    /// Bytes before the payload. A relayed packet gets its header here and shares the received
    /// payload.
    pub prefix: Prefix,
    /// The bytes after the prefix, shared by all connections.
    pub payload: Bytes,
}

impl OutgoingPacket {
    /// Returns the length of prefix and payload in bytes.
    pub fn len(&self) -> usize {
        self.prefix.as_slice().len() + self.payload.len()
    }

    /// Returns whether prefix and payload are empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns prefix and payload as one buffer. Does not copy if the prefix is empty.
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

/// The connections that a packet is sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connections {
    /// One connection.
    One(ConnectionId),
    /// Several connections of one endpoint.
    Many(Arc<[ConnectionId]>),
}

impl Connections {
    /// Returns the connections, in order.
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

/// Up to [`Prefix::CAPACITY`] bytes, stored inline.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Prefix {
    bytes: [u8; Self::CAPACITY],
    len: u8,
}

impl Prefix {
    /// Maximum length in bytes. Godot's relay header has 6.
    pub const CAPACITY: usize = 8;

    /// The empty prefix.
    pub const EMPTY: Self = Self { bytes: [0; Self::CAPACITY], len: 0 };

    /// Returns a prefix with the bytes `from`.
    ///
    /// # Panics
    ///
    /// If `from` is longer than [`Prefix::CAPACITY`]. Codecs build prefixes from fixed layouts,
    /// never from received data.
    pub fn new(from: &[u8]) -> Self {
        let mut prefix = Self::EMPTY;
        prefix.bytes[..from.len()].copy_from_slice(from);
        prefix.len = from.len() as u8;
        prefix
    }

    /// Returns the bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

/// An event of a transport. Events form one ordered stream, in which a connection's packets lie
/// between its `Connected` and its `Disconnected`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerEvent {
    /// The local peer's id, on a client whose server assigns ids (WebSocket). Reported once, before
    /// all other events. [`unique_id`](crate::MultiplayerPeer::unique_id) returns the same id from
    /// then on.
    UniqueId(PeerId),
    /// A connection is established.
    Connected {
        /// The connection.
        connection: ConnectionId,
        /// The peer id that the remote peer claims. On a client it is the server's 1. On a server
        /// it is the id that the client chose (ENet) or was assigned (WebSocket). The branch
        /// decides whether to accept it.
        claimed_id: Option<PeerId>,
        /// Source of the connection.
        origin: ConnectionOrigin,
    },
    /// Events of the connection are held from now on, on request of the branch
    /// ([`ToEndpoint::Hold`](crate::ToEndpoint::Hold)). Endpoints report it; transports do not.
    Held {
        /// The connection.
        connection: ConnectionId,
    },
    /// A connection was moved to this branch from another one
    /// ([`ToEndpoint::Move`](crate::ToEndpoint::Move)), or the move was rejected and the connection
    /// is returned to its branch. Endpoints report it instead of `Connected`; transports do not.
    Moved {
        /// The connection.
        connection: ConnectionId,
        /// The peer id that the remote peer claims, as in `Connected`.
        claimed_id: Option<PeerId>,
        /// Source of the connection.
        origin: ConnectionOrigin,
        /// State of the session in the earlier branches.
        carried: Box<CarriedSession>,
    },
    /// A connection is established that resumes the session of a peer of the branch
    /// ([`Route::Resume`](crate::Route::Resume)). Endpoints report it instead of `Connected`;
    /// transports do not.
    Resumed {
        /// The connection.
        connection: ConnectionId,
        /// The peer id that the remote peer claims, as in `Connected`. It may differ from `of`.
        claimed_id: Option<PeerId>,
        /// Source of the connection.
        origin: ConnectionOrigin,
        /// The peer whose session the connection resumes.
        of: PeerId,
    },
    /// A packet was received.
    Packet(Packet),
    /// A connection has ended. No event of it follows.
    Disconnected {
        /// The connection.
        connection: ConnectionId,
        /// The reason.
        reason: DisconnectReason,
    },
}

/// The source of a connection. Neither `Display` nor `Debug` shows the query of a URL, which may
/// contain secrets.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionOrigin {
    /// This process.
    Process,
    /// The remote socket address.
    Address(SocketAddr),
    /// The remote socket address, and the URL that the client requested (WebSocket; WebRTC, if the
    /// signaling knows one).
    Url {
        /// Remote address; behind trusted proxies, the client's own.
        address: SocketAddr,
        /// Complete URL, such as `ws://host:7778/room?seat=3`.
        url: Arc<str>,
    },
}

impl ConnectionOrigin {
    /// Returns the remote socket address, if there is one.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Process => None,
            Self::Address(address) | Self::Url { address, .. } => Some(*address),
        }
    }

    /// Returns the URL, if there is one.
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Url { url, .. } => Some(url),
            _ => None,
        }
    }

    /// Returns the path of the URL, from its first `/` up to a `?`. A
    /// [router](crate::ConnectionRouter) may choose a branch by it.
    pub fn path(&self) -> Option<&str> {
        let url = self.url()?;
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path = rest.find('/').map_or("/", |start| &rest[start..]);
        path.split('?').next()
    }
}

impl fmt::Display for ConnectionOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => f.write_str("this process"),
            Self::Address(address) => address.fmt(f),
            Self::Url { address, url } => write!(f, "{address} for {}", MaskedUrl(url)),
        }
    }
}

impl fmt::Debug for ConnectionOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionOrigin({self})")
    }
}

/// A URL, or the end of one, for logs and errors: the query is replaced by `…`, since it may
/// contain tokens and codes, and so is a password.
#[derive(Clone, Copy)]
pub struct MaskedUrl<'u>(pub &'u str);

impl fmt::Display for MaskedUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, query) = match self.0.split_once(['?', '#']) {
            Some((place, _)) => (place, "?…"),
            None => (self.0, ""),
        };
        let (scheme, rest) = match place.find("://") {
            Some(start) => place.split_at(start + "://".len()),
            None => ("", place),
        };
        let authority = rest.split('/').next().unwrap_or_default();
        match authority.rfind('@') {
            Some(at) => write!(f, "{scheme}…{}{query}", &rest[at..]),
            None => write!(f, "{scheme}{rest}{query}"),
        }
    }
}

impl fmt::Debug for MaskedUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The reason why a connection ended or was rejected. Godot's protocol does not transmit the
/// reason: the remote peer only learns that the connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The local peer closed the connection.
    Closed,
    /// The branch of the connection panicked.
    BranchPanicked,
    /// Another peer of the branch has the same id.
    DuplicateId,
    /// An impossible state was found in the local process: a bug of mp, which
    /// [`bug!`](crate::bug!) has reported.
    InternalError,
    /// The peer id is not in 2..2³¹.
    InvalidId,
    /// The local peer disconnected the remote peer (Godot: `disconnect_peer`).
    Kicked,
    /// The connection was moved to another branch, where it continues.
    Moved,
    /// The remote peer violated a protocol, or sent more malformed packets than its budget allows.
    ProtocolViolation,
    /// Only one of the two peers requires authentication.
    OneSidedAuthentication,
    /// The reliable queue exceeded its limit, or stalled.
    QueueFull,
    /// The remote peer sent more than its rate limit for too long.
    RateExceeded,
    /// New connections are refused, or there is no capacity.
    Refused,
    /// The local peer rejected or disconnected the remote peer for a reason that the remote peer
    /// receives where the protocol can carry it, see [`Rejection`].
    Rejected(Rejection),
    /// The remote peer closed the connection. The number is ENet's `data` (Godot sends 0) or
    /// WebSocket's close code (0 if there was none).
    Remote(u32),
    /// The remote peer stopped responding.
    Timeout,
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A reason with a code for programs and a text for people, which the remote peer receives: the
/// code as the reason of WebSocket's close frame; of a server with rooms (`mp_rooms`), both in a
/// packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rejection {
    code: &'static str,
    text: &'static str,
}

impl Rejection {
    /// Returns a reason. `code` has at most 64 bytes, in snake_case.
    pub const fn new(code: &'static str, text: &'static str) -> Self {
        assert!(code.len() <= 64, "the code of a rejection is too long");
        Self { code, text }
    }

    /// Returns the code, such as `room_full`.
    pub const fn code(self) -> &'static str {
        self.code
    }

    /// Returns the text for people.
    pub const fn text(self) -> &'static str {
        self.text
    }
}

/// Uses the reason's label as the code.
impl<R: Reason> From<R> for Rejection {
    fn from(reason: R) -> Self {
        Self::new(reason.label(), reason.text())
    }
}

/// The way in which a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseMode {
    /// Accepted packets are delivered first, then as `Graceful` (ENet: `disconnect_later`).
    Drain,
    /// Queued packets are dropped, the disconnect is acknowledged, then [`PeerEvent::Disconnected`]
    /// follows (Godot: `disconnect_peer(id)`).
    Graceful,
    /// The connection is removed immediately, without an event. One disconnect packet is sent and
    /// not repeated (Godot: `disconnect_peer(id, true)`).
    Immediate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_urls_are_not_shown() {
        for (url, shown) in [
            ("ws://host:7778/a", "ws://host:7778/a"),
            ("ws://host/a?room=b&token=secret", "ws://host/a?…"),
            ("ws://host?token=secret?", "ws://host?…"),
            ("webrtc:///a?code=secret", "webrtc:///a?…"),
            ("/a?token=secret", "/a?…"),
            ("wss://kay:secret@host/a@b", "wss://…@host/a@b"),
            ("ws://host/a#token=secret", "ws://host/a?…"),
        ] {
            assert_eq!(MaskedUrl(url).to_string(), shown);
            let origin =
                ConnectionOrigin::Url { address: ([192, 0, 2, 1], 5).into(), url: url.into() };
            for text in
                [format!("{origin}"), format!("{origin:?}"), format!("{:?}", MaskedUrl(url))]
            {
                assert!(!text.contains("secret") && text.contains(shown), "{text}");
            }
        }
    }

    #[test]
    fn path_of_an_origin_is_the_path_of_its_url() {
        let address = SocketAddr::from(([192, 0, 2, 1], 5));
        for (url, path) in [
            ("ws://host:7778/rooms/3?seat=2", "/rooms/3"),
            ("wss://host/", "/"),
            ("ws://host", "/"),
            ("host:1/a", "/a"),
        ] {
            let origin = ConnectionOrigin::Url { address, url: url.into() };
            assert_eq!(origin.path(), Some(path), "{url}");
            assert_eq!(origin.address(), Some(address));
        }
        assert_eq!(ConnectionOrigin::Address(address).path(), None);
    }
}
