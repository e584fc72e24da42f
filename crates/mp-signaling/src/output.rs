//! Actions that the server requests from its host.

use std::net::IpAddr;

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
        /// The id that the peer has in the game, and was sent. It is another one than `peer` if the
        /// program [chooses](crate::SignalingServer::set_id_by_name) it; `peer` is the id by which
        /// the server and its WebRTC peer distinguish connections.
        claimed_id: PeerId,
        /// The address of its socket.
        address: IpAddr,
        /// The name in its JOIN if the lobby [accepts any
        /// name](crate::SignalingServer::set_any_name), else empty.
        requested: String,
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

mp_core::reasons! {
    /// The reason why the server closes a socket. Its text is that of the close frame, which is the
    /// demo's where the demo has one.
    pub enum CloseReason {
        /// No lobby was joined in time.
        NotJoined = "not_joined" => "Have not joined lobby yet",
        /// A message was malformed or not allowed.
        InvalidMessage = "invalid_message" => "Invalid message format",
        /// Too many messages were received.
        TooManyMessages = "too_many_messages" => "Too many messages",
        /// A lobby was joined a second time.
        AlreadyJoined = "already_joined" => "Already in a lobby",
        /// The lobby does not exist.
        NoLobby = "no_lobby" => "Lobby does not exist",
        /// The lobby is sealed.
        Sealed = "sealed" => "Lobby is sealed",
        /// The lobby has the maximum number of members.
        LobbyFull = "lobby_full" => "Lobby is full",
        /// The server has the maximum number of lobbies or sockets.
        ServerFull = "server_full" => "Server is full",
        /// The destination is not a member of the lobby.
        NoDestination = "no_destination" => "Invalid destination",
        /// The host of the lobby left.
        HostLeft = "host_left" => "Room host has disconnected",
        /// The lobby is complete: [`SEAL_TIMEOUT`](crate::limits::SEAL_TIMEOUT) has passed since
        /// SEAL.
        SealComplete = "seal_complete" => "Seal complete",
        /// The member sent no offer in time to the server that hosts the lobby.
        NoOffer = "no_offer" => "No offer received",
        /// The member's connection to the server that hosts the lobby ended, or could not be
        /// established.
        ConnectionEnded = "connection_ended" => "Connection has ended",
    }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_names_in_snake_case() {
        mp_core::testing::assert_labels_are_names::<CloseReason>();
    }
}
