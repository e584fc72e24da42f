//! Journal of a world: the facts that checkers know, in the order in which they happened.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use mp_core::{ConnectionId, DisconnectReason, EndpointId, Instant, PeerId};
use mp_scene::Signal;

use crate::net::SlotId;
use crate::workload::ProgramMessage;

/// One run of a program, from start to end. A client that rejoins is another run with another peer
/// id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u32);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {}", self.0)
    }
}

/// Something that happened in a program or at its mailbox.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Virtual time.
    pub at: Instant,
    /// Program that it happened in.
    pub run: RunId,
    /// Event.
    pub kind: FactKind,
}

/// Event of a fact.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FactKind {
    /// The program starts.
    Started {
        /// Slot of the program.
        slot: SlotId,
        /// Peer id.
        id: PeerId,
        /// True if the program has the password.
        has_credentials: bool,
    },
    /// The program has ended.
    Ended(ProcessEnd),
    /// The program asked to close after delivering all accepted packets.
    LeaveRequested,
    /// The program disconnects a peer.
    Kicked(PeerId),
    /// The branch accepted a message for sending.
    Sent(ProgramMessage),
    /// The program received a message, as a raw packet or as a call.
    Received {
        /// Sender, as reported to the receiver.
        from: PeerId,
        /// Received message.
        message: ProgramMessage,
    },
    /// The program received bytes that are no valid message.
    ReceivedMalformed {
        /// Sender, as reported to the receiver.
        from: PeerId,
        /// Length in bytes.
        len: usize,
    },
    /// A method ran that only the authority, the server, may call.
    AuthorityMethodCalled {
        /// Caller.
        by: PeerId,
    },
    /// A method of the avatar ran, a node that is repeatedly respawned under the same name.
    AvatarCalled {
        /// Caller.
        by: PeerId,
        /// Incarnation that the caller meant.
        expected: i64,
        /// Incarnation whose method ran.
        actual: i64,
        /// True if the receiver cannot detect a difference: the call went by path, and was received
        /// when this incarnation existed.
        may_differ: bool,
    },
    /// The branch gets no turns for this long, because the program is busy.
    Busy(Duration),
    /// An endpoint gets no turns for this long.
    EndpointHangs(EndpointId, Duration),
    /// The branch abandons an endpoint that accepts no messages.
    EndpointAbandoned(EndpointId),
    /// The program received a signal other than a packet.
    Signal(Signal),
    /// An endpoint put a message into the mailbox of its branch.
    Endpoint {
        /// Sending endpoint.
        endpoint: EndpointId,
        /// Content of the message.
        event: EndpointEvent,
    },
}

/// Message from an endpoint to its branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointEvent {
    /// The endpoint serves the branch.
    Opened,
    /// A connection opened, with the peer id that it claims.
    Connected(ConnectionId, Option<PeerId>),
    /// A packet was received.
    Packet(ConnectionId),
    /// A connection closed.
    Disconnected(ConnectionId, DisconnectReason),
    /// The endpoint no longer serves the branch.
    Closed(DisconnectReason),
}

/// Reason of a program's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessEnd {
    /// The process crashed: nothing was closed.
    Crashed,
    /// All endpoints have closed.
    Closed,
    /// The endpoints took too long to close.
    TimedOut,
}

/// Shared list of facts. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Journal(Rc<Pages>);

#[derive(Debug, Default)]
struct Pages {
    now: Cell<Instant>,
    facts: RefCell<Vec<Fact>>,
}

impl Journal {
    /// Appends a fact at the current virtual time.
    pub fn record(&self, run: RunId, kind: FactKind) {
        let at = self.0.now.get();
        self.0.facts.borrow_mut().push(Fact { at, run, kind });
    }

    pub(crate) fn advance(&self, now: Instant) {
        self.0.now.set(now);
    }

    /// Moves all new facts into `into`, oldest first.
    pub(crate) fn take(&self, into: &mut Vec<Fact>) {
        into.append(&mut self.0.facts.borrow_mut());
    }
}

/// Records facts of one program.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// Program.
    pub run: RunId,
    /// Slot of the program; the server's is 0.
    pub slot: SlotId,
    /// True if the program has the password.
    pub has_credentials: bool,
    journal: Journal,
}

impl Recorder {
    pub(crate) fn new(run: RunId, slot: SlotId, has_credentials: bool, journal: Journal) -> Self {
        Self { run, slot, has_credentials, journal }
    }

    /// Returns true for the server's recorder.
    pub fn is_server(&self) -> bool {
        self.slot == crate::net::SERVER_SLOT
    }

    /// Records received bytes, which should be an encoded [`ProgramMessage`].
    pub fn record_received(&self, from: PeerId, bytes: &[u8]) {
        self.record(match ProgramMessage::decode(bytes) {
            Some(message) => FactKind::Received { from, message },
            None => FactKind::ReceivedMalformed { from, len: bytes.len() },
        });
    }

    /// Appends a fact of this program.
    pub fn record(&self, kind: FactKind) {
        self.journal.record(self.run, kind);
    }
}

impl fmt::Display for FactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { slot, id, has_credentials } => {
                write!(f, "starts in slot {slot} as peer {id}")?;
                if *has_credentials { Ok(()) } else { f.write_str(", without the password") }
            }
            Self::Ended(ProcessEnd::Crashed) => f.write_str("crashes"),
            Self::Ended(ProcessEnd::Closed) => f.write_str("ends"),
            Self::Ended(ProcessEnd::TimedOut) => {
                f.write_str("ends: its endpoints took too long to close")
            }
            Self::LeaveRequested => f.write_str("leaves"),
            Self::Kicked(peer) => write!(f, "kicks peer {peer}"),
            Self::Sent(message) => write!(f, "sends {message}"),
            Self::Received { from, message } => write!(f, "receives from peer {from}: {message}"),
            Self::ReceivedMalformed { from, len } => {
                write!(f, "receives {len} malformed bytes from {from}")
            }
            Self::AuthorityMethodCalled { by } => {
                write!(f, "executes an authority method for peer {by}")
            }
            Self::AvatarCalled { by, expected, actual, may_differ } => {
                write!(f, "executes a call of peer {by} for incarnation {expected} on {actual}")?;
                if *may_differ { f.write_str(", by path") } else { Ok(()) }
            }
            Self::Busy(time) => write!(f, "is busy for {time:?}"),
            Self::EndpointHangs(endpoint, time) => {
                write!(f, "has endpoint {} hang for {time:?}", endpoint.0)
            }
            Self::EndpointAbandoned(endpoint) => write!(f, "abandons endpoint {}", endpoint.0),
            Self::Signal(signal) => write!(f, "signal {signal:?}"),
            Self::Endpoint { endpoint, event } => write!(f, "endpoint {}: {event}", endpoint.0),
        }
    }
}

impl fmt::Display for EndpointEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => f.write_str("opened"),
            Self::Connected(connection, None) => write!(f, "connection {connection} opened"),
            Self::Connected(connection, Some(peer)) => {
                write!(f, "connection {connection} opened as peer {peer}")
            }
            Self::Packet(connection) => write!(f, "packet on connection {connection}"),
            Self::Disconnected(connection, reason) => {
                write!(f, "connection {connection} closed: {reason}")
            }
            Self::Closed(reason) => write!(f, "closed: {reason}"),
        }
    }
}
