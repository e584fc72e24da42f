//! Text sessions beside the multiplayer peer of a server, for example for WebRTC signaling.
#![expect(clippy::exhaustive_enums, reason = "the server must handle each action")]

use std::fmt;
use std::net::IpAddr;
use std::task::{Context, Poll};

use mp_core::{ConnectionId, Instant};

/// A sans-IO service for plain WebSocket sessions with text messages.
///
/// Ids of sessions are never reused. A session that sends a binary message is closed with code
/// 1003, one that sends a message above the limit with 1009.
pub trait TextService: fmt::Debug + Send {
    /// Handles a new session. `address` is that of the client, or the one that trusted proxies
    /// report.
    fn handle_opened(&mut self, now: Instant, session: ConnectionId, address: IpAddr);

    /// Handles a message of a session.
    fn handle_message(&mut self, now: Instant, session: ConnectionId, text: &str);

    /// Handles the end of a session. No event of it follows.
    fn handle_closed(&mut self, now: Instant, session: ConnectionId);

    /// Runs expired timers.
    fn handle_timeout(&mut self, now: Instant);

    /// Removes and returns the oldest action.
    fn next_action(&mut self) -> Option<TextAction>;

    /// Returns the time at which [`handle_timeout`](Self::handle_timeout) is due.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Returns `Ready` if [`handle_timeout`](Self::handle_timeout) is due for a reason other than
    /// time; otherwise registers the task to be woken. Default: `Pending`.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// An action that a [`TextService`] requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextAction {
    /// Sends a message. A session with more than
    /// [`TEXT_QUEUE_BYTES_MAX`](crate::limits::TEXT_QUEUE_BYTES_MAX) queued bytes is closed.
    Send {
        /// The session. Ignored if it has ended.
        session: ConnectionId,
        /// The message.
        text: String,
    },
    /// Closes a session. Messages that its socket has not accepted are dropped.
    Close {
        /// The session. Ignored if it has ended.
        session: ConnectionId,
        /// Close code.
        code: u16,
        /// Close reason; at most 123 bytes are sent.
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

    /// Sets the maximum number of sessions (default: 4,096). Further ones receive HTTP status 503.
    /// Sessions do not count as clients of the multiplayer peer.
    pub const fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }
}
