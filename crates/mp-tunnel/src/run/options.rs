//! The settings of a tunnel with sockets, and what it reports.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use mp_core::PeerId;
use mp_tls::ClientTlsOptions;
use mp_transport_enet::{ClientOptions, DtlsClientOptions};

use crate::{HostRefusal, LinkEvent};

/// Settings of [`run`](super::run()).
#[derive(Clone, Debug)]
#[must_use = "nothing starts before `run`"]
pub struct TunnelOptions {
    pub(super) link: LinkAddress,
    pub(super) game: SocketAddr,
    pub(super) game_options: ClientOptions,
}

impl TunnelOptions {
    /// Returns the settings of a tunnel from the room at `link` to the game at `game`.
    pub fn new(link: LinkAddress, game: SocketAddr) -> Self {
        let game_options = ClientOptions::default().reliable_queue_bytes(GAME_QUEUE_BYTES);
        Self { link, game, game_options }
    }

    /// Changes the options of the connections to the game, for example their compression or
    /// encryption, which must be those of the game.
    pub fn game_options(mut self, change: impl FnOnce(ClientOptions) -> ClientOptions) -> Self {
        self.game_options = change(self.game_options);
        self
    }
}

/// The address of a room.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "programs construct it")]
pub enum LinkAddress {
    /// A WebSocket listener. The URL contains the room and the credentials.
    WebSocket {
        /// `ws://…` or `wss://…`.
        url: String,
        /// Verification of the server.
        tls: ClientTlsOptions,
    },
    /// An ENet listener that selects rooms by authentication packet.
    Enet {
        /// Name or address of the server.
        host: String,
        /// Port of the server.
        port: u16,
        /// Encryption; `None`: none.
        dtls: Option<DtlsClientOptions>,
        /// The data of the authentication packet, such as `room=a&token=b`.
        credentials: Bytes,
    },
}

/// A report for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// An event of the session.
    Event(LinkEvent),
    /// The connection to the room has ended, or could not be established.
    LinkLost {
        /// The reason.
        reason: String,
        /// Time until the next attempt.
        retry_in: Duration,
    },
    /// A guest cannot be connected to the game.
    GameUnreachable {
        /// The guest.
        guest: PeerId,
        /// The reason.
        reason: String,
    },
}

/// The reason why a tunnel ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TunnelError {
    /// An option is invalid.
    #[error("{0}")]
    Setup(String),
    /// The server rejects the connection.
    #[error("the server refuses this program: {text} ({code})")]
    Rejected {
        /// Code of the reason, such as `wrong_code`.
        code: String,
        /// Text of the reason; the code, if the server has sent no text.
        text: String,
    },
    /// The room refuses this host.
    #[error("{0}")]
    Refused(HostRefusal),
}

/// Bytes of reliable packets that wait for the game on one connection. More means that the game
/// does not run, or is too slow for its guest.
const GAME_QUEUE_BYTES: usize = 32 * 1024 * 1024;
