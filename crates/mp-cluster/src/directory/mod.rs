//! The directory of a cluster: which nodes there are, which of them has a room, which tickets are
//! valid, and who is banned.
//!
//! A [`Directory`] stores small values with compare-and-set and lifetimes. State machines
//! ([`Lease`](crate::Lease), [`Claims`](crate::Claims)) return [`Request`]s and accept their
//! results, so that a directory in memory, a simulated one and a remote one serve alike.
#![expect(clippy::exhaustive_enums, reason = "implementations match on operations")]

mod ban;
mod contact;
mod memory;
mod record;

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use mp_core::Instant;
use mp_rooms::{RoomName, TicketHash};

pub use self::ban::BanRecord;
pub use self::contact::{
    AddressKind, ClusterNodeName, InvalidClusterNodeName, InvalidNodeAddress, NodeAddress,
    NodeContact,
};
pub use self::memory::MemoryDirectory;
pub use self::record::{NodeRecord, RoomRecord, TicketRecord};
use crate::id::ClusterNodeId;

/// A store with compare-and-set and lifetimes, which all nodes of a cluster share. Operations on a
/// key are linearizable. Clones are the same store, so that several operations may be pending.
pub trait Directory: Clone + Send + Sync + 'static {
    /// Carries out an operation. `now` is the time of the caller. The future ends by itself, also
    /// if the store does not respond.
    fn apply(
        &self,
        now: Instant,
        operation: Operation,
    ) -> impl Future<Output = Result<OperationOutcome, Unavailable>> + Send;
}

/// The key of an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKey {
    /// The registration of a node, a [`NodeRecord`]. Its lifetime is the node's lease.
    Node(ClusterNodeId),
    /// The owner of a room, a [`RoomRecord`]. It stays when the owner's lease expires.
    Room(RoomName),
    /// A ticket that a player may use on any node, a [`TicketRecord`].
    Ticket(TicketHash),
    /// A ban, by the SHA-256 of the text of its target; the value is a [`BanRecord`].
    Ban([u8; 32]),
}

/// A kind of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// Registrations of nodes.
    Node,
    /// Owners of rooms.
    Room,
    /// Tickets.
    Ticket,
    /// Bans.
    Ban,
}

/// The number of an entry's last change. Numbers of a directory ascend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(u64);

/// A value with its revision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "directories construct it")]
pub struct Entry {
    /// The value, at most [`VALUE_BYTES_MAX`](crate::limits::VALUE_BYTES_MAX) bytes.
    pub value: Bytes,
    /// The revision.
    pub revision: Revision,
}

/// An operation on a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reads an entry. The outcome is [`OperationOutcome::Entry`].
    Get(EntryKey),
    /// Writes an entry if it has not changed. The outcome is [`OperationOutcome::Written`] or
    /// [`OperationOutcome::Conflict`].
    Put {
        /// The key.
        key: EntryKey,
        /// The value.
        value: Bytes,
        /// Revision of the entry; `None` if there must be none.
        expected: Option<Revision>,
        /// Time after which the entry is removed; `None`: never.
        lifetime: Option<Duration>,
    },
    /// Removes an entry if it has not changed. The outcome is [`OperationOutcome::Removed`] or
    /// [`OperationOutcome::Conflict`].
    Remove {
        /// The key.
        key: EntryKey,
        /// Revision of the entry.
        expected: Revision,
    },
    /// Reads all entries of a kind. The outcome is [`OperationOutcome::Entries`]. It may lack the
    /// latest changes: read an entry before you rely on its absence.
    List(EntryKind),
}

/// The outcome of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationOutcome {
    /// The entry; `None` if there is none.
    Entry(Option<Entry>),
    /// The entry was written.
    Written(Revision),
    /// The entry was removed.
    Removed,
    /// The entry has another revision, or the directory is full.
    Conflict,
    /// The entries, in the order of their keys.
    Entries(Vec<(EntryKey, Entry)>),
}

/// The error of an operation whose outcome is not known: the directory does not respond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the directory of the cluster does not respond")]
#[expect(clippy::exhaustive_structs, reason = "directories construct it")]
pub struct Unavailable;

/// An operation that a state machine requests.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// Number of the request, which its result has.
    pub id: OperationId,
    /// The operation.
    pub operation: Operation,
}

/// The number of a request, among those of its state machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperationId(pub(crate) u64);

impl OperationId {
    /// Returns the number of the next request.
    pub(crate) fn advance(&mut self) -> Self {
        self.0 += 1;
        *self
    }
}

impl Revision {
    /// Returns the revision with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl EntryKey {
    /// Returns the kind.
    pub fn kind(&self) -> EntryKind {
        match self {
            Self::Node(_) => EntryKind::Node,
            Self::Room(_) => EntryKind::Room,
            Self::Ticket(_) => EntryKind::Ticket,
            Self::Ban(_) => EntryKind::Ban,
        }
    }
}

/// Writes the key as text that NATS accepts: the kind, a dot, and the id. A dot in the name of a
/// room is `=`.
impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node.{node}"),
            Self::Room(room) => write!(f, "room.{}", room.as_str().replace('.', "=")),
            Self::Ticket(hash) => write!(f, "ticket.{}", HEXLOWER.encode(hash.as_bytes())),
            Self::Ban(hash) => write!(f, "ban.{}", HEXLOWER.encode(hash)),
        }
    }
}

impl FromStr for EntryKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let (kind, id) = text.split_once('.').ok_or(InvalidKey)?;
        let key = match kind {
            "node" => u64::from_str_radix(id, 16).ok().map(|it| Self::Node(ClusterNodeId::new(it))),
            "room" => RoomName::new(&id.replace('=', ".")).ok().map(Self::Room),
            "ticket" => hash(id).map(|hash| Self::Ticket(TicketHash::from_bytes(hash))),
            "ban" => hash(id).map(Self::Ban),
            _ => None,
        };
        // Each key has one text.
        key.filter(|key| key.to_string() == text).ok_or(InvalidKey)
    }
}

fn hash(text: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// The error of a text that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a key of the directory")]
#[non_exhaustive]
pub struct InvalidKey;

impl EntryKind {
    /// Returns the first part of the texts of keys.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Node => "node.",
            Self::Room => "room.",
            Self::Ticket => "ticket.",
            Self::Ban => "ban.",
        }
    }
}
