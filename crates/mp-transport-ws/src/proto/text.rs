//! State that the text sessions of a server share, sans-IO.

use std::collections::VecDeque;
use std::net::IpAddr;

use bytes::Bytes;
use mp_core::ConnectionId;

/// The text sessions of a server.
#[derive(Debug, Default)]
pub(crate) struct TextSessions {
    /// Size in bytes of the largest message that is accepted.
    pub(crate) message_bytes_max: usize,
    /// Maximum number of sessions.
    pub(crate) sessions_max: usize,
    /// Events that the service has not handled.
    pub(crate) events: VecDeque<TextEvent>,
    /// Number of sessions whose connection has not ended.
    open: usize,
    /// Sessions opened since the server was created.
    opened: u64,
}

/// An event of a text session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TextEvent {
    /// The session has opened.
    Opened { session: ConnectionId, address: IpAddr },
    /// A message was received. It is UTF-8.
    Message { session: ConnectionId, text: Bytes },
    /// The session has ended.
    Closed { session: ConnectionId },
}

impl TextSessions {
    pub(crate) fn has_capacity(&self) -> bool {
        self.open < self.sessions_max
    }

    pub(crate) fn open(&mut self, session: ConnectionId, address: IpAddr) {
        self.open += 1;
        self.opened += 1;
        self.events.push_back(TextEvent::Opened { session, address });
    }

    pub(crate) fn close(&mut self, session: ConnectionId) {
        self.open -= 1;
        self.events.push_back(TextEvent::Closed { session });
    }

    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Returns the number of sessions.
    pub(crate) const fn len(&self) -> usize {
        self.open
    }

    /// Returns the number of sessions opened since the server was created.
    pub(crate) const fn opened(&self) -> u64 {
        self.opened
    }
}
