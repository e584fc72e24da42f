//! Values of the directory: [`NodeRecord`] and [`RoomRecord`].
#![expect(clippy::exhaustive_structs, reason = "servers construct them")]

use bytes::Bytes;
use mp_rooms::RoomName;
use mp_rooms::limits::NAME_BYTES_MAX;
use serde::{Deserialize, Serialize};

use crate::VERSION;
use crate::id::ClusterNodeId;
use crate::limits::VALUE_BYTES_MAX;
use crate::wire::bounded::Text;

/// The registration of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// Version of the frames that the node sends.
    pub version: u8,
    /// Players that the node has.
    pub players: u32,
    /// Players that the node can have.
    pub capacity: u32,
    /// False if the node accepts no rooms, because it is about to stop.
    pub accepts_rooms: bool,
}

/// The owner of a room. The revision of the record is the room's [`Epoch`](crate::Epoch).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRecord {
    /// The node that has the room.
    pub owner: ClusterNodeId,
    /// False if another node has placed the room on the owner, which has not opened it yet.
    pub is_open: bool,
    /// Template of the room, from which a node that adopts the room creates it anew. `None`: the
    /// next join creates it.
    pub template: Option<RoomName>,
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
        Self { version: VERSION, players: 0, capacity, accepts_rooms: true }
    }

    /// Returns the value.
    pub fn encode(&self) -> Bytes {
        encode(self)
    }

    /// Returns the record of a value; `None` if it is malformed.
    pub fn decode(value: &[u8]) -> Option<Self> {
        decode(value)
    }
}

impl RoomRecord {
    /// Returns the value.
    pub fn encode(&self) -> Bytes {
        let (owner, is_open) = (self.owner, self.is_open);
        let template = self.template.as_ref().map(|name| Text(name.as_str()));
        encode(&WireRoom { owner, is_open, template })
    }

    /// Returns the record of a value; `None` if it is malformed.
    pub fn decode(value: &[u8]) -> Option<Self> {
        let WireRoom { owner, is_open, template } = decode(value)?;
        let template = match template {
            Some(name) => Some(RoomName::new(name.0).ok()?),
            None => None,
        };
        Some(Self { owner, is_open, template })
    }
}

pub(super) fn encode(record: &impl Serialize) -> Bytes {
    // An encoding into memory has no errors.
    postcard::to_stdvec(record).unwrap_or_default().into()
}

/// Decodes a value. Later versions may append fields.
pub(super) fn decode<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Option<T> {
    let value = value.get(..value.len().min(VALUE_BYTES_MAX))?;
    postcard::take_from_bytes(value).ok().map(|(record, _)| record)
}
