//! What the programs of a world said, heard and were told, as facts in the order in which they came about: all that checkers
//! know.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use mp_core::{ConnectionId, DisconnectReason, EndpointId, Instant, PeerId};
use mp_scene::Signal;

use crate::net::PlaceId;
use crate::workload::Message;

/// One run of a program, from its start to its end. A client that comes again is another run, with another peer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run(pub u32);

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {}", self.0)
    }
}

/// Something that happened in a program, or at its mailbox.
#[derive(Clone, Debug)]
pub struct Fact {
    /// When.
    pub at: Instant,
    /// To whom.
    pub run: Run,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum What {
    /// The program starts.
    Began {
        /// Where.
        place: PlaceId,
        /// As whom.
        id: PeerId,
        /// Whether it has what it needs to authenticate itself.
        has_credentials: bool,
    },
    /// The program is no more.
    Ended(End),
    /// The program asked to leave, with everything delivered that was accepted.
    Leaves,
    /// The program disconnects a peer.
    Kicks(PeerId),
    /// The branch accepted a message.
    Says(Message),
    /// A message came, as a packet or as a call.
    Hears {
        /// Who sent it, by what this side is told.
        from: PeerId,
        /// The message.
        message: Message,
    },
    /// Something came that nobody said.
    HearsNonsense {
        /// Who sent it, by what this side is told.
        from: PeerId,
        /// Its bytes.
        len: usize,
    },
    /// A method ran that only the server may call.
    IsOrdered {
        /// Who called it.
        by: PeerId,
    },
    /// A method ran of a node that is announced anew under the same name again and again.
    IsHit {
        /// The caller.
        by: PeerId,
        /// The incarnation that the call is for.
        meant: i64,
        /// The incarnation whose method ran.
        is: i64,
        /// True when the receiver could not know that they differ: the call went by path, and
        /// arrived when this incarnation was there.
        may_differ: bool,
    },
    /// The program takes so long over something that its branch comes to no turn.
    IsBusy(Duration),
    /// An endpoint comes to no turn for so long.
    Hangs(EndpointId, Duration),
    /// The branch abandons an endpoint that accepts nothing.
    Abandons(EndpointId),
    /// A signal that is no packet.
    Told(Signal),
    /// An endpoint's message was put into the branch's mailbox.
    Mail {
        /// The endpoint.
        endpoint: EndpointId,
        /// What it says.
        news: News,
    },
}

/// What an endpoint tells its branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum News {
    /// It serves the branch.
    Opened,
    /// A link stands, with whom it says it is.
    Connected(ConnectionId, Option<PeerId>),
    /// A packet came.
    Packet(ConnectionId),
    /// A link has ended.
    Disconnected(ConnectionId, DisconnectReason),
    /// It serves the branch no more.
    Closed(DisconnectReason),
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// Without a word.
    Crashed,
    /// Its last endpoint has closed.
    Closed,
    /// It asked to leave and its endpoints took too long.
    GaveUp,
}

/// Where facts are written down.
#[derive(Clone, Debug, Default)]
pub struct Journal(Rc<Pages>);

#[derive(Debug, Default)]
struct Pages {
    now: Cell<Instant>,
    facts: RefCell<Vec<Fact>>,
}

impl Journal {
    /// Writes a fact down.
    pub fn note(&self, run: Run, what: What) {
        let at = self.0.now.get();
        self.0.facts.borrow_mut().push(Fact { at, run, what });
    }

    pub(crate) fn advance(&self, now: Instant) {
        self.0.now.set(now);
    }

    /// Moves the facts not yet taken into `into`, oldest first.
    pub(crate) fn take(&self, into: &mut Vec<Fact>) {
        into.append(&mut self.0.facts.borrow_mut());
    }
}

/// What the hooks and nodes of one program write down.
#[derive(Clone, Debug)]
pub struct Ear {
    /// The program.
    pub run: Run,
    /// Where it runs: the server's is 0.
    pub place: PlaceId,
    /// Whether it has what it needs to authenticate itself.
    pub has_credentials: bool,
    journal: Journal,
}

impl Ear {
    pub(crate) fn new(run: Run, place: PlaceId, has_credentials: bool, journal: Journal) -> Self {
        Self { run, place, has_credentials, journal }
    }

    /// Whether this is the server's.
    pub fn is_server(&self) -> bool {
        self.place == crate::net::SERVER_PLACE
    }

    /// Writes down that bytes came, which should be a [`Message`].
    pub fn hears(&self, from: PeerId, bytes: &[u8]) {
        self.note(match Message::decode(bytes) {
            Some(message) => What::Hears { from, message },
            None => What::HearsNonsense { from, len: bytes.len() },
        });
    }

    /// Writes a fact down.
    pub fn note(&self, what: What) {
        self.journal.note(self.run, what);
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began { place, id, has_credentials } => {
                write!(f, "begins at place {place} as peer {id}")?;
                if *has_credentials { Ok(()) } else { f.write_str(", without credentials") }
            }
            Self::Ended(End::Crashed) => f.write_str("crashes"),
            Self::Ended(End::Closed) => f.write_str("ends"),
            Self::Ended(End::GaveUp) => f.write_str("ends without waiting any longer"),
            Self::Leaves => f.write_str("leaves"),
            Self::Kicks(peer) => write!(f, "kicks peer {peer}"),
            Self::Says(message) => write!(f, "says {message}"),
            Self::Hears { from, message } => write!(f, "hears from peer {from}: {message}"),
            Self::HearsNonsense { from, len } => write!(f, "hears {len} B of nonsense from {from}"),
            Self::IsOrdered { by } => write!(f, "is ordered about by peer {by}"),
            Self::IsHit { by, meant, is, may_differ } => {
                write!(f, "is called as incarnation {is} by peer {by}, which means {meant}")?;
                if *may_differ { f.write_str(", by path") } else { Ok(()) }
            }
            Self::IsBusy(time) => write!(f, "is busy for {time:?}"),
            Self::Hangs(endpoint, time) => {
                write!(f, "has endpoint {} hang for {time:?}", endpoint.0)
            }
            Self::Abandons(endpoint) => write!(f, "abandons endpoint {}", endpoint.0),
            Self::Told(signal) => write!(f, "is told {signal:?}"),
            Self::Mail { endpoint, news } => write!(f, "mail from endpoint {}: {news}", endpoint.0),
        }
    }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => f.write_str("opened"),
            Self::Connected(link, None) => write!(f, "link {link} connected"),
            Self::Connected(link, Some(peer)) => write!(f, "link {link} connected as peer {peer}"),
            Self::Packet(link) => write!(f, "link {link} brought a packet"),
            Self::Disconnected(link, reason) => write!(f, "link {link} ended: {reason}"),
            Self::Closed(reason) => write!(f, "closed: {reason}"),
        }
    }
}
