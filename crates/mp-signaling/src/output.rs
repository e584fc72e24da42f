//! Actions that the server requests from its host.

use mp_core::PeerId;

use crate::message::Message;
use crate::server::SocketId;

/// An action for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Sends a text message.
    Send {
        /// The socket.
        socket: SocketId,
        /// The message.
        message: Message,
    },
    /// Closes a socket. No action for it follows.
    Close {
        /// The socket.
        socket: SocketId,
        /// The reason, which has WebSocket's close code and text.
        reason: CloseReason,
    },
    /// Adds a peer to the WebRTC peer that hosts a lobby of this server.
    AddPeer {
        /// The lobby.
        lobby: String,
        /// The peer. It sends the offer, since its id is larger than 1.
        peer: PeerId,
    },
    /// Passes an offer, answer or candidate of a peer to the WebRTC peer that hosts a lobby of this
    /// server.
    Deliver {
        /// The lobby.
        lobby: String,
        /// The sender.
        peer: PeerId,
        /// The message.
        message: Message,
    },
    /// Reports that a member of a lobby that this server hosts left the signaling. Its WebRTC
    /// connection may continue.
    PeerLeft {
        /// The lobby.
        lobby: String,
        /// The peer.
        peer: PeerId,
    },
}

/// The reason why the server closes a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// No lobby was joined in time.
    NotJoined,
    /// A message was malformed or not allowed.
    InvalidMessage,
    /// Too many messages were received.
    TooManyMessages,
    /// A lobby was joined a second time.
    AlreadyJoined,
    /// The lobby does not exist.
    NoLobby,
    /// The lobby is sealed.
    Sealed,
    /// The lobby has the maximum number of members.
    LobbyFull,
    /// The server has the maximum number of lobbies or sockets.
    ServerFull,
    /// The destination is not a member of the lobby.
    NoDestination,
    /// The host of the lobby left.
    HostLeft,
    /// The lobby is complete: [`SEAL_TIMEOUT`](crate::limits::SEAL_TIMEOUT) has passed since SEAL.
    SealComplete,
    /// The member sent no offer in time to the server that hosts the lobby.
    NoOffer,
    /// The member's connection to the server that hosts the lobby ended, or could not be
    /// established.
    ConnectionEnded,
}

impl CloseReason {
    /// Returns the close code: 1000 for the regular end of a sealed lobby, otherwise 4000, as the
    /// demo's Node server.
    pub const fn code(self) -> u16 {
        match self {
            Self::SealComplete => 1_000,
            _ => 4_000,
        }
    }

    /// Returns the text of the close frame, which is the demo's where the demo has one.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotJoined => "Have not joined lobby yet",
            Self::InvalidMessage => "Invalid message format",
            Self::TooManyMessages => "Too many messages",
            Self::AlreadyJoined => "Already in a lobby",
            Self::NoLobby => "Lobby does not exist",
            Self::Sealed => "Lobby is sealed",
            Self::LobbyFull => "Lobby is full",
            Self::ServerFull => "Server is full",
            Self::NoDestination => "Invalid destination",
            Self::HostLeft => "Room host has disconnected",
            Self::SealComplete => "Seal complete",
            Self::NoOffer => "No offer received",
            Self::ConnectionEnded => "Connection has ended",
        }
    }
}
