//! Text sessions: what they share, without I/O.

use std::collections::VecDeque;
use std::net::IpAddr;

use bytes::Bytes;
use mp_core::ConnectionId;

/// The text sessions of a server.
#[derive(Debug, Default)]
pub(crate) struct TextSessions {
    /// Size in bytes of the largest message that is accepted.
    pub(crate) message_bytes_max: usize,
    /// Sessions at a time.
    pub(crate) sessions_max: usize,
    /// Events that the service has not taken.
    pub(crate) events: VecDeque<TextEvent>,
    /// Open sessions, and those that wait for the end of their connection.
    open: usize,
    /// Sessions opened since the server was created.
    opened: u64,
}

/// An event of a text session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TextEvent {
    /// It is open.
    Opened { session: ConnectionId, address: IpAddr },
    /// A message was received; it is UTF-8.
    Message { session: ConnectionId, text: Bytes },
    /// It has ended, or will be ended whatever is done.
    Closed { session: ConnectionId },
}

impl TextSessions {
    pub(crate) fn has_room(&self) -> bool {
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

    /// Number of sessions.
    pub(crate) const fn len(&self) -> usize {
        self.open
    }

    /// Sessions opened since the server was created.
    pub(crate) const fn opened(&self) -> u64 {
        self.opened
    }
}
