//! Values of the directory: [`NodeRecord`], [`RoomRecord`] and [`TicketRecord`].
#![expect(clippy::exhaustive_structs, reason = "servers construct them")]

use std::sync::Arc;

use bytes::Bytes;
use mp_core::PeerId;
use mp_identity::Subject;
use mp_identity::limits::SUBJECT_BYTES_MAX;
use mp_rooms::RoomName;
use mp_rooms::limits::NAME_BYTES_MAX;
use serde::{Deserialize, Serialize};

use super::contact::NodeContact;
use crate::VERSION;
use crate::id::ClusterNodeId;
use crate::limits::VALUE_BYTES_MAX;
use crate::wire::bounded::Text;

/// The registration of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRecord {
    /// Version of the frames that the node sends.
    pub version: u8,
    /// Players that the node has.
    pub players: u32,
    /// Players that the node can have.
    pub capacity: u32,
    /// False if the node accepts no rooms, because it is about to stop.
    pub accepts_rooms: bool,
    /// Name and addresses of the node.
    pub contact: Arc<NodeContact>,
}

/// The owner of a room. The revision of the record is the room's [`Epoch`](crate::Epoch).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRecord {
    /// The node that has the room.
    pub owner: ClusterNodeId,
    /// False if another node has placed the room on the owner, which has not opened it yet.
    pub is_open: bool,
    /// True if another node has moved the room to the owner, which goes on from its snapshot.
    pub is_moved: bool,
    /// Template of the room, from which a node that adopts the room creates it anew. `None`: the
    /// next join creates it.
    pub template: Option<RoomName>,
}

/// A ticket that is valid on every node. Its key is the ticket's hash; the ticket itself is not
/// stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketRecord {
    /// The room that the ticket is for.
    pub room: RoomName,
    /// The peer whose session the ticket resumes; `None`: it is the ticket of a seat.
    pub peer: Option<PeerId>,
    /// The player to whom the ticket belongs; `None`: it belongs to no player in
    /// particular.
    pub subject: Option<Subject>,
}

/// The fields that all versions have.
#[derive(Serialize, Deserialize)]
struct WireNode {
    version: u8,
    players: u32,
    capacity: u32,
    accepts_rooms: bool,
}

#[derive(Serialize, Deserialize)]
struct WireTicket<'a> {
    #[serde(borrow)]
    room: Text<'a, NAME_BYTES_MAX>,
    peer: Option<i32>,
    #[serde(borrow)]
    subject: Option<Text<'a, SUBJECT_BYTES_MAX>>,
}

#[derive(Serialize, Deserialize)]
struct WireRoom<'a> {
    owner: ClusterNodeId,
    is_open: bool,
    #[serde(borrow)]
    template: Option<Text<'a, NAME_BYTES_MAX>>,
}

impl NodeRecord {
    /// Returns the record of an empty node of this version.
    pub fn with_capacity(capacity: u32) -> Self {
        let contact = Arc::default();
        Self { version: VERSION, players: 0, capacity, accepts_rooms: true, contact }
    }

    /// Returns the value.
    pub fn encode(&self) -> Bytes {
        let Self { version, players, capacity, accepts_rooms, ref contact } = *self;
        encode(&(WireNode { version, players, capacity, accepts_rooms }, contact.to_wire()))
    }

    /// Returns the record of a value; `None` if it is malformed. One of an earlier version has no
    /// contact.
    pub fn decode(value: &[u8]) -> Option<Self> {
        let (node, rest) = decode_first(value)?;
        let WireNode { version, players, capacity, accepts_rooms } = node;
        let contact = match rest {
            [] => NodeContact::default(),
            rest => NodeContact::from_wire(&decode(rest)?)?,
        };
        let contact = Arc::new(contact);
        Some(Self { version, players, capacity, accepts_rooms, contact })
    }
}

impl TicketRecord {
    /// Returns the value.
    pub fn encode(&self) -> Bytes {
        let subject = self.subject.as_ref().map(|subject| Text(subject.as_str()));
        let (room, peer) = (Text(self.room.as_str()), self.peer.map(PeerId::get));
        encode(&WireTicket { room, peer, subject })
    }

    /// Returns the record of a value; `None` if it is malformed.
    pub fn decode(value: &[u8]) -> Option<Self> {
        let WireTicket { room, peer, subject } = decode(value)?;
        let peer = match peer {
            Some(peer) => Some(PeerId::new(peer)?),
            None => None,
        };
        let subject = match subject {
            Some(subject) => Some(Subject::new(subject.0).ok()?),
            None => None,
        };
        Some(Self { room: RoomName::new(room.0).ok()?, peer, subject })
    }
}

impl RoomRecord {
    /// Returns the value.
    pub fn encode(&self) -> Bytes {
        let Self { owner, is_open, is_moved, .. } = *self;
        let template = self.template.as_ref().map(|name| Text(name.as_str()));
        encode(&(WireRoom { owner, is_open, template }, is_moved))
    }

    /// Returns the record of a value; `None` if it is malformed. An earlier version moves no rooms.
    pub fn decode(value: &[u8]) -> Option<Self> {
        let (WireRoom { owner, is_open, template }, rest) = decode_first(value)?;
        let is_moved = match rest {
            [] => false,
            rest => decode(rest)?,
        };
        let template = match template {
            Some(name) => Some(RoomName::new(name.0).ok()?),
            None => None,
        };
        Some(Self { owner, is_open, is_moved, template })
    }
}

pub(super) fn encode(record: &impl Serialize) -> Bytes {
    // An encoding into memory has no errors.
    postcard::to_stdvec(record).unwrap_or_default().into()
}

/// Decodes a value. Later versions may append fields.
pub(super) fn decode<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Option<T> {
    decode_first(value).map(|(record, _)| record)
}

/// Decodes the first part of a value. Returns it with the rest.
fn decode_first<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Option<(T, &'a [u8])> {
    postcard::take_from_bytes(value.get(..value.len().min(VALUE_BYTES_MAX))?).ok()
}

#[cfg(test)]
mod tests {
    use super::super::contact::AddressKind;
    use super::*;
    use crate::limits::{ADDRESS_BYTES_MAX, NODE_NAME_BYTES_MAX};

    #[test]
    fn longest_registration_is_a_value_of_the_directory() {
        let name = "n".repeat(NODE_NAME_BYTES_MAX).parse().unwrap();
        let mut contact = NodeContact::default().with_name(Some(name));
        for kind in AddressKind::ALL {
            contact = contact.with_address(kind, "a".repeat(ADDRESS_BYTES_MAX).parse().unwrap());
        }
        let capacity = u32::MAX;
        let record = NodeRecord {
            players: u32::MAX,
            contact: Arc::new(contact),
            ..NodeRecord::with_capacity(capacity)
        };
        let value = record.encode();
        assert!(value.len() <= VALUE_BYTES_MAX, "{}", value.len());
        assert_eq!(NodeRecord::decode(&value), Some(record));
    }

    #[test]
    fn registrations_of_neighboring_versions_are_read() {
        let wire = WireNode { version: 1, players: 2, capacity: 3, accepts_rooms: true };
        let earlier = NodeRecord::decode(&encode(&wire)).unwrap();
        assert_eq!((earlier.players, &*earlier.contact), (2, &NodeContact::default()));

        // A kind of address and a field that this version does not have.
        let addresses = vec![(200_u8, "tcp://a"), (AddressKind::WebSocket as u8, "ws://a:1/")];
        let later = encode(&(wire, (Some("b"), addresses), 7_u64));
        let later = NodeRecord::decode(&later).unwrap();
        assert_eq!(later.contact.name(), Some("b"));
        assert_eq!(later.contact.address(AddressKind::WebSocket), Some("ws://a:1/"));
    }

    #[test]
    fn malformed_contacts_are_refused() {
        let wire = || WireNode { version: 1, players: 2, capacity: 3, accepts_rooms: true };
        let none: [(u8, &str); 0] = [];
        let names = ["", "a b", "\u{e4}", &"n".repeat(NODE_NAME_BYTES_MAX + 1)];
        for name in names {
            let value = encode(&(wire(), (Some(name), none)));
            assert_eq!(NodeRecord::decode(&value), None, "{name:?}");
        }
        let long = "a".repeat(ADDRESS_BYTES_MAX + 1);
        for address in ["", "a\n", "a b", long.as_str()] {
            let value = encode(&(wire(), (None::<&str>, vec![(0_u8, address)])));
            assert_eq!(NodeRecord::decode(&value), None, "{address:?}");
        }
        let cut = encode(&(wire(), (Some("name"), none)));
        assert_eq!(NodeRecord::decode(&cut[..cut.len() - 2]), None);
    }

    #[test]
    fn tickets_survive_encoding_and_decoding() {
        let room = RoomName::new("arena").unwrap();
        for (peer, subject) in [(PeerId::new(7), Subject::new("kay").ok()), (None, None)] {
            let record = TicketRecord { room: room.clone(), peer, subject };
            assert_eq!(TicketRecord::decode(&record.encode()), Some(record));
        }
        let zero = encode(&("arena", Some(0), None::<&str>));
        assert_eq!(TicketRecord::decode(&zero), None, "0 is no peer id");
        assert_eq!(TicketRecord::decode(b""), None);
    }
}
