//! Actions of the server for its host.

use mp_core::PeerId;

use crate::message::Message;
use crate::server::SocketId;

/// An action for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Send a text message.
    Send {
        /// The socket.
        socket: SocketId,
        /// The message.
        message: Message,
    },
    /// Close a socket; it is not mentioned again.
    Close {
        /// The socket.
        socket: SocketId,
        /// Why, with WebSocket's close code.
        reason: CloseReason,
    },
    /// Add a peer to the WebRTC peer that hosts a lobby of this server.
    AddPeer {
        /// The lobby.
        lobby: String,
        /// The peer. It makes the offer, since its id is larger than 1.
        peer: PeerId,
    },
    /// Pass a message of a peer to the WebRTC peer that hosts a lobby of this server: an offer,
    /// answer or candidate.
    Deliver {
        /// The lobby.
        lobby: String,
        /// The peer it is from.
        peer: PeerId,
        /// The message.
        message: Message,
    },
    /// A member of a lobby that this server hosts has left the signaling. Its WebRTC connection may
    /// go on.
    PeerLeft {
        /// The lobby.
        lobby: String,
        /// The peer.
        peer: PeerId,
    },
}

/// Why the server closes a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// It joined no lobby in time.
    NotJoined,
    /// Its message was malformed or not allowed.
    InvalidMessage,
    /// It sent too many messages.
    TooManyMessages,
    /// It joined a second time.
    AlreadyJoined,
    /// There is no such lobby.
    NoLobby,
    /// The lobby is sealed.
    Sealed,
    /// The lobby has as many members as it may have.
    LobbyFull,
    /// There are as many lobbies or sockets as there may be.
    ServerFull,
    /// The destination is no member of the lobby.
    NoDestination,
    /// The lobby's host left.
    HostLeft,
    /// The lobby is complete, and its time after SEAL is over.
    SealComplete,
}

impl CloseReason {
    /// The close code: 1000 for the regular end of a sealed lobby, otherwise 4000 as in the demo's
    /// Node server.
    pub const fn code(self) -> u16 {
        match self {
            Self::SealComplete => 1_000,
            _ => 4_000,
        }
    }

    /// The text of the close frame.
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
        }
    }
}
