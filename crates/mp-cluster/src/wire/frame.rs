//! [`BusFrame`]: a message between nodes, one per message of the bus.
//!
//! ```text
//! version: u8   header length: u16   header: postcard   kind: u8   body
//!
//! Batch 1   sequence and chain: postcard, then per item: length << 2 | piece: varint, bytes
//! Beat  2   postcard
//! Marks 3   postcard
//! End   4   reason: u8
//! ```
//!
//! Nodes of neighboring versions work together, so that a cluster is upgraded node by node. A later
//! version may append fields to the header, to a body other than a batch, and to an item; earlier
//! ones ignore them. It sends new kinds only to nodes that are registered with that version.
//! Frames of other versions are refused as [`OtherVersion`](FrameRefusal::OtherVersion).

use bytes::{Buf, Bytes};
use mp_core::Reason;
use mp_rooms::RoomName;
use serde::{Deserialize, Serialize};

use super::bounded::{List, Text};
use super::item::Stream;
use crate::gateway::GatewayEnd;
use crate::id::{ClusterId, ClusterNodeId, Epoch, LinkId};
use crate::limits::{BATCH_ITEMS_MAX, CONNECTIONS_MAX, FRAME_BYTES_MAX};

/// Version of the frames of this node.
pub const VERSION: u8 = 1;

/// A message between the two gateways of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusFrame {
    pub(crate) header: FrameHeader,
    pub(crate) body: Body,
    /// True if the sender has a later version.
    pub(crate) is_newer: bool,
}

impl BusFrame {
    /// Returns the room and its epoch.
    pub fn room(&self) -> (&RoomName, Epoch) {
        (&self.header.room, self.header.epoch)
    }

    /// Returns whether the frame speaks for the room: the room's node sends it, and not to refuse a
    /// link.
    pub fn speaks_for_room(&self) -> bool {
        let is_refusal =
            matches!(self.body, Body::End(GatewayEnd::UnknownLink | GatewayEnd::LinkEnded));
        self.header.side == GatewaySide::Far && !is_refusal
    }
}

/// The part that all frames have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// The node that sends the frame.
    pub(crate) node: ClusterNodeId,
    pub(crate) link: LinkId,
    /// The gateway that sends the frame.
    pub(crate) side: GatewaySide,
    pub(crate) room: RoomName,
    pub(crate) epoch: Epoch,
    /// Sequence number of the first batch that the sender has not delivered.
    pub(crate) credit: u64,
}

/// A gateway of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum GatewaySide {
    /// At the endpoint.
    Near,
    /// At the branch.
    Far,
}

/// The content of a frame. Batches and marks share sequence numbers, which begin at 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Batch {
        sequence: u64,
        /// The batches before this one of all streams that are continued in it.
        chain: Vec<Mark>,
        pieces: Vec<(Piece, Bytes)>,
    },
    /// Shows that the gateway exists.
    Beat {
        /// Sequence number of the next batch.
        next: u64,
        /// True if batches were lost since the last [`Body::Marks`].
        has_lost: bool,
    },
    /// The last batches of all streams.
    Marks { sequence: u64, marks: Vec<Mark> },
    /// The gateway has ended.
    End(GatewayEnd),
}

/// A batch of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) stream: Stream,
    /// Number of batches from that one to the frame with the mark; 0 if there is none.
    pub(crate) back: u64,
}

/// An item, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Whole,
    First,
    Middle,
    Last,
}

mp_core::reasons! {
    /// The reason for which a frame is refused.
    pub enum FrameRefusal {
        /// The frame is too long, or has too many items.
        TooLong = "too_long" => "the frame is too long",
        /// The header is malformed.
        MalformedHeader = "malformed_header" => "the header is malformed",
        /// The body is malformed.
        MalformedBody = "malformed_body" => "the body is malformed",
        /// An item is malformed, or not for this gateway.
        MalformedItem = "malformed_item" => "an item is malformed",
        /// The kind of the body is not known.
        UnknownKind = "unknown_kind" => "the kind of the frame is not known",
        /// The version is neither this node's nor a neighboring one.
        OtherVersion = "other_version" => "the version is neither this node's nor a neighboring one",
        /// The frame is of another cluster.
        OtherCluster = "other_cluster" => "the frame is of another cluster",
        /// The link has ended, or was not opened.
        UnknownLink = "unknown_link" => "the link does not exist",
        /// The frame is of another room or node than its link.
        OtherRoom = "other_room" => "the frame is of another room or node than its link",
        /// The frame is of an earlier owner of the room.
        StaleEpoch = "stale_epoch" => "the room has another owner since",
        /// The sender exceeds its credit.
        BeyondCredit = "beyond_credit" => "the sender exceeds its credit",
        /// The frame was received before, or too late.
        Repeated = "repeated" => "the frame was received before, or too late",
    }
}

/// Encoder and decoder of a node.
#[derive(Clone, Copy, Debug)]
pub struct FrameCodec {
    cluster: ClusterId,
    version: u8,
}

#[derive(Serialize, Deserialize)]
struct WireHeader<'a> {
    cluster: ClusterId,
    node: ClusterNodeId,
    link: LinkId,
    side: GatewaySide,
    #[serde(borrow)]
    room: Text<'a, 64>,
    epoch: Epoch,
    credit: u64,
}

#[derive(Serialize, Deserialize)]
struct WireMarks {
    sequence: u64,
    marks: List<Mark, MARKS_MAX>,
}

#[derive(Serialize, Deserialize)]
struct WireBeat {
    next: u64,
    has_lost: bool,
}

impl FrameCodec {
    /// Returns the codec of a node of `cluster`.
    pub fn new(cluster: ClusterId) -> Self {
        Self { cluster, version: VERSION }
    }

    /// Sets the version, for tests of nodes of different versions.
    #[doc(hidden)]
    #[must_use]
    pub fn with_version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// Returns the bytes of a frame.
    pub(crate) fn encode(&self, header: &FrameHeader, body: &Body) -> Bytes {
        let mut out = self.begin(header);
        match body {
            Body::Batch { sequence, chain, pieces } => {
                put_batch_head(&mut out, *sequence, chain.clone());
                pieces.iter().for_each(|(piece, bytes)| put_piece(&mut out, *piece, bytes));
            }
            Body::Beat { next, has_lost } => {
                out.push(BEAT);
                put(&mut out, &WireBeat { next: *next, has_lost: *has_lost });
            }
            Body::Marks { sequence, marks } => {
                out.push(MARKS);
                put(&mut out, &WireMarks { sequence: *sequence, marks: List(marks.clone()) });
            }
            // There are few reasons.
            Body::End(end) => out.extend([END, end.index() as u8]),
        }
        out.into()
    }

    /// Returns the bytes of a batch whose pieces are encoded.
    pub(crate) fn encode_batch(
        &self,
        header: &FrameHeader,
        sequence: u64,
        chain: Vec<Mark>,
        pieces: &[u8],
    ) -> Bytes {
        let mut out = self.begin(header);
        out.reserve(pieces.len() + 16 + 12 * chain.len());
        put_batch_head(&mut out, sequence, chain);
        out.extend_from_slice(pieces);
        out.into()
    }

    fn begin(&self, header: &FrameHeader) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.extend([self.version, 0, 0]);
        let wire = WireHeader {
            cluster: self.cluster,
            node: header.node,
            link: header.link,
            side: header.side,
            room: Text(header.room.as_str()),
            epoch: header.epoch,
            credit: header.credit,
        };
        put(&mut out, &wire);
        let len = (out.len() - HEADER_START) as u16;
        out[1..HEADER_START].copy_from_slice(&len.to_le_bytes());
        out
    }

    /// Decodes a message of the bus. Items are decoded later; payloads share the bytes.
    ///
    /// # Errors
    ///
    /// The reason for which the frame is refused.
    pub fn decode(&self, bytes: &Bytes) -> Result<BusFrame, FrameRefusal> {
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(FrameRefusal::TooLong);
        }
        let [version, len @ .., _] = bytes.get(..=HEADER_START).unwrap_or_default() else {
            return Err(FrameRefusal::MalformedHeader);
        };
        if version.abs_diff(self.version) > 1 {
            return Err(FrameRefusal::OtherVersion);
        }
        let is_newer = *version > self.version;
        let len = <[u8; 2]>::try_from(len).map_or(0, u16::from_le_bytes);
        let mut rest = bytes.slice(HEADER_START..);
        if rest.len() <= usize::from(len) {
            return Err(FrameRefusal::MalformedHeader);
        }
        let header = self.decode_header(&rest.split_to(usize::from(len)), is_newer)?;
        let body = decode_body(rest, is_newer)?;
        Ok(BusFrame { header, body, is_newer })
    }

    fn decode_header(&self, bytes: &[u8], is_newer: bool) -> Result<FrameHeader, FrameRefusal> {
        let malformed = FrameRefusal::MalformedHeader;
        let (wire, rest) =
            postcard::take_from_bytes::<WireHeader<'_>>(bytes).map_err(|_| malformed)?;
        if !rest.is_empty() && !is_newer {
            return Err(malformed);
        }
        if wire.cluster != self.cluster {
            return Err(FrameRefusal::OtherCluster);
        }
        Ok(FrameHeader {
            node: wire.node,
            link: wire.link,
            side: wire.side,
            room: RoomName::new(wire.room.0).map_err(|_| malformed)?,
            epoch: wire.epoch,
            credit: wire.credit,
        })
    }
}

fn put_batch_head(out: &mut Vec<u8>, sequence: u64, chain: Vec<Mark>) {
    out.push(BATCH);
    put(out, &WireMarks { sequence, marks: List(chain) });
}

/// Appends an item or a part of one.
pub(crate) fn put_piece(out: &mut Vec<u8>, piece: Piece, bytes: &[u8]) {
    put(out, &((bytes.len() as u32) << 2 | piece as u32));
    out.extend_from_slice(bytes);
}

fn put(out: &mut Vec<u8>, value: &impl Serialize) {
    // An encoding into memory has no errors.
    *out = postcard::to_extend(value, std::mem::take(out)).unwrap_or_default();
}

fn decode_body(mut bytes: Bytes, is_newer: bool) -> Result<Body, FrameRefusal> {
    let malformed = FrameRefusal::MalformedBody;
    let kind = bytes.try_get_u8().map_err(|_| malformed)?;
    let (body, rest) = match kind {
        BATCH => return decode_batch(&bytes),
        BEAT => {
            let (beat, rest) =
                postcard::take_from_bytes::<WireBeat>(&bytes).map_err(|_| malformed)?;
            (Body::Beat { next: beat.next, has_lost: beat.has_lost }, rest)
        }
        MARKS => {
            let (it, rest) =
                postcard::take_from_bytes::<WireMarks>(&bytes).map_err(|_| malformed)?;
            (Body::Marks { sequence: it.sequence, marks: it.marks.0 }, rest)
        }
        END => {
            let (code, rest) = bytes.split_first().ok_or(malformed)?;
            // A reason of a later version.
            let end = GatewayEnd::ALL.get(usize::from(*code)).copied();
            (Body::End(end.unwrap_or(GatewayEnd::Closed)), rest)
        }
        _ => return Err(FrameRefusal::UnknownKind),
    };
    if rest.is_empty() || is_newer { Ok(body) } else { Err(malformed) }
}

fn decode_batch(bytes: &Bytes) -> Result<Body, FrameRefusal> {
    let malformed = |_| FrameRefusal::MalformedBody;
    let (head, mut rest) = postcard::take_from_bytes::<WireMarks>(bytes).map_err(malformed)?;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        if pieces.len() == BATCH_ITEMS_MAX {
            return Err(FrameRefusal::TooLong);
        }
        let (word, after) = postcard::take_from_bytes::<u32>(rest).map_err(malformed)?;
        let (item, after) =
            after.split_at_checked((word >> 2) as usize).ok_or(FrameRefusal::MalformedBody)?;
        let piece = [Piece::Whole, Piece::First, Piece::Middle, Piece::Last][(word & 3) as usize];
        pieces.push((piece, bytes.slice_ref(item)));
        rest = after;
    }
    Ok(Body::Batch { sequence: head.sequence, chain: head.marks.0, pieces })
}

/// Streams of a link, and those that begin in a batch while others end.
const MARKS_MAX: usize = CONNECTIONS_MAX + 1 + BATCH_ITEMS_MAX;

const BATCH: u8 = 1;
const BEAT: u8 = 2;
const MARKS: u8 = 3;
const END: u8 = 4;

/// Bytes of version and header length.
const HEADER_START: usize = 3;
