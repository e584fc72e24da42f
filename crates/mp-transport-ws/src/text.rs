//! Text sessions beside the multiplayer peer of a server, for signaling and the like.
#![expect(clippy::exhaustive_enums, reason = "the server must do whatever a service asks for")]

use std::fmt;
use std::net::IpAddr;
use std::task::{Context, Poll};

use mp_core::{ConnectionId, Instant};

/// A service for plain WebSocket sessions with text messages, without I/O.
///
/// A session's id is never used again. A session that sends a binary message is closed with code
/// 1003, one that sends a message that is too long with 1009.
pub trait TextService: fmt::Debug + Send {
    /// A session has opened. `address` is that of the client, or what trusted proxies say that it
    /// is.
    fn handle_opened(&mut self, now: Instant, session: ConnectionId, address: IpAddr);

    /// A session has received a message.
    fn handle_message(&mut self, now: Instant, session: ConnectionId, text: &str);

    /// A session has ended. Nothing follows for it.
    fn handle_closed(&mut self, now: Instant, session: ConnectionId);

    /// Does what is due.
    fn handle_timeout(&mut self, now: Instant);

    /// Returns the oldest action that was not taken yet.
    fn next_action(&mut self) -> Option<TextAction>;

    /// Time at which [`handle_timeout`](Self::handle_timeout) has something to do.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Ready when [`handle_timeout`](Self::handle_timeout) has something to do for another reason
    /// than time; else the task is woken when it has. As provided, there is no such reason.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// An action that a [`TextService`] asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextAction {
    /// Send a message. A session that has more than
    /// [`TEXT_QUEUE_BYTES_MAX`](crate::limits::TEXT_QUEUE_BYTES_MAX) queued ends.
    Send {
        /// The session; one that has ended is ignored.
        session: ConnectionId,
        /// The message.
        text: String,
    },
    /// Close a session. Messages that its socket has not taken are dropped.
    Close {
        /// The session; one that has ended is ignored.
        session: ConnectionId,
        /// WebSocket's close code.
        code: u16,
        /// The reason, of which 123 bytes are sent.
        reason: String,
    },
}

/// Options of text sessions.
#[derive(Clone, Debug)]
#[must_use = "a setter returns the changed options"]
pub struct TextOptions {
    pub(crate) path: String,
    pub(crate) max_message_bytes: usize,
    pub(crate) max_sessions: usize,
}

impl TextOptions {
    /// Creates options with the defaults for the requests of `path`, such as `/webrtc`, without a
    /// query. Other paths remain the multiplayer peer's.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), max_message_bytes: 32 * 1024, max_sessions: 4_096 }
    }

    /// Sets the size in bytes of the largest message that is received (default: 32 KiB).
    pub const fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// Sets the most sessions at a time (default: 4,096). The next ones get HTTP status 503.
    /// Sessions do not count as clients of the multiplayer peer.
    pub const fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }
}
