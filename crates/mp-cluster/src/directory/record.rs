//! Values of the directory: [`NodeRecord`] and [`RoomRecord`].
#![expect(clippy::exhaustive_structs, reason = "servers construct them")]

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::VERSION;
use crate::id::ClusterNodeId;
use crate::limits::VALUE_BYTES_MAX;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRecord {
    /// The node that has the room.
    pub owner: ClusterNodeId,
    /// False if another node has placed the room on the owner, which has not opened it yet.
    pub is_open: bool,
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
        encode(self)
    }

    /// Returns the record of a value; `None` if it is malformed.
    pub fn decode(value: &[u8]) -> Option<Self> {
        decode(value)
    }
}

fn encode(record: &impl Serialize) -> Bytes {
    // An encoding into memory has no errors.
    postcard::to_stdvec(record).unwrap_or_default().into()
}

/// Decodes a value. Later versions may append fields.
fn decode<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Option<T> {
    let value = value.get(..value.len().min(VALUE_BYTES_MAX))?;
    postcard::take_from_bytes(value).ok().map(|(record, _)| record)
}
