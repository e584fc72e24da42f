//! [`Frame`]: an event of a recorded branch, and its encoding.
//!
//! A frame in a block is the time since the frame before it in microseconds, and a [`Wire`], both
//! encoded by postcard.
#![expect(clippy::exhaustive_enums, reason = "a new frame is a new version of the format")]

use bytes::Bytes;
use mp_core::{
    CarriedSession, Channel, CloseMode, ConnectionId, ConnectionOrigin, DisconnectReason,
    EndpointId, EndpointInfo, Instant, Packet, PeerEvent, PeerId, Reason, ToBranch, TransferMode,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Checkpoint, mask};

/// An event of a recorded branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The branch has received a message.
    Input(ToBranch),
    /// The branch was closed.
    Close(DisconnectReason, CloseMode),
    /// The program has called the branch outside its turn. A recording does not contain what the
    /// call did.
    Call,
    /// A turn has ended.
    EndTurn,
    /// The branch has offered its output after [`EndTurn`](Self::EndTurn). A turn without output
    /// has no such frame.
    Delivered(TurnOutput),
    /// The program has answered a question of the branch, see [`Facts`](crate::Facts). It precedes
    /// the next frame, but belongs to the one before it.
    Fact {
        /// The question.
        key: u64,
        /// The answer.
        value: u64,
    },
    /// The recording ends.
    End(RecordingEnd),
    /// The state of the branch. The first frame of a recording whose beginning was dropped; a
    /// replay ignores others.
    Checkpoint(Box<Checkpoint>),
}

/// The output of a turn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TurnOutput {
    /// Size and checksum of the output.
    pub digest: OutputDigest,
    /// Numbers of the messages that endpoints refused, counted from 0 in the order in which they
    /// were offered.
    pub refused: Vec<u32>,
}

/// Size and checksum of the output of a turn: endpoints, connections, transfer modes, channels and
/// bytes of all packets, in order, and all other messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OutputDigest {
    /// Number of messages to endpoints.
    pub messages: u32,
    /// Number of bytes over which the checksum is computed.
    pub bytes: u64,
    /// The CRC-32.
    pub checksum: u32,
}

/// The reason why a recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordingEnd {
    /// The branch has ended.
    BranchEnded,
    /// The writer was slower than the branch, so that the rest could not be recorded.
    WriterSlow,
    /// The file, or the files of all recordings, have reached their quota.
    QuotaReached,
    /// The file could not be written.
    WriteFailed,
    /// The program has stopped it.
    Stopped,
}

/// A frame in its encoding. `E` are the events of a batch.
#[derive(Serialize, Deserialize)]
pub(crate) enum Wire<E> {
    Opened(EndpointId, EndpointInfo),
    Events(EndpointId, E),
    Closed(EndpointId, WireReason),
    Close(WireReason, u8),
    Call,
    EndTurn,
    Delivered(TurnOutput),
    Fact { key: u64, value: u64 },
    End(RecordingEnd),
    Checkpoint(Box<Checkpoint>),
}

/// The events of a batch, which are encoded without a copy.
pub(crate) struct Batch<'a>(&'a [PeerEvent]);

/// A [`DisconnectReason`]: its index, and the number of the remote peer.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct WireReason(u8, u32);

#[derive(Serialize, Deserialize)]
pub(crate) enum WireEvent<'a> {
    UniqueId(PeerId),
    Connected(ConnectionId, Option<PeerId>, WireOrigin),
    Held(ConnectionId),
    Moved(ConnectionId, Option<PeerId>, WireOrigin, Box<CarriedSession>),
    Resumed(ConnectionId, Option<PeerId>, WireOrigin, PeerId),
    Packet(ConnectionId, TransferMode, Channel, #[serde(borrow)] Payload<'a>),
    Disconnected(ConnectionId, WireReason),
}

/// The kind of an origin. Addresses and URLs are not recorded.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) enum WireOrigin {
    Process,
    Network,
}

/// The bytes of a packet.
pub(crate) struct Payload<'a>(mask::Masked<'a>);

impl<'a> Wire<Batch<'a>> {
    /// Returns the encoding of a message; `None` if this version does not know the message.
    pub(crate) fn of_input(input: &'a ToBranch) -> Option<Self> {
        Some(match input {
            ToBranch::Opened(endpoint, info) => Self::Opened(*endpoint, *info),
            ToBranch::Events(endpoint, events) => Self::Events(*endpoint, Batch(events)),
            ToBranch::Closed(endpoint, reason) => Self::Closed(*endpoint, WireReason::of(*reason)),
            _ => return None,
        })
    }

    pub(crate) fn of_close(reason: DisconnectReason, close_mode: CloseMode) -> Self {
        let mode = CLOSE_MODES.iter().position(|it| *it == close_mode).unwrap_or_default();
        Self::Close(WireReason::of(reason), mode as u8)
    }
}

impl<'a> Wire<Vec<WireEvent<'a>>> {
    pub(crate) fn into_frame(self) -> Option<Frame> {
        Some(match self {
            Self::Opened(endpoint, info) => Frame::Input(ToBranch::Opened(endpoint, info)),
            Self::Events(endpoint, events) => {
                let events: Option<_> = events.into_iter().map(WireEvent::into_event).collect();
                Frame::Input(ToBranch::Events(endpoint, events?))
            }
            Self::Closed(endpoint, reason) => {
                Frame::Input(ToBranch::Closed(endpoint, reason.get()?))
            }
            Self::Close(reason, mode) => {
                Frame::Close(reason.get()?, *CLOSE_MODES.get(usize::from(mode))?)
            }
            Self::Call => Frame::Call,
            Self::EndTurn => Frame::EndTurn,
            Self::Delivered(delivery) => {
                let is_bounded = delivery.refused.len() <= crate::limits::REFUSALS_MAX;
                is_bounded.then_some(Frame::Delivered(delivery))?
            }
            Self::Fact { key, value } => Frame::Fact { key, value },
            Self::End(end) => Frame::End(end),
            Self::Checkpoint(checkpoint) => Frame::Checkpoint(checkpoint),
        })
    }
}

const CLOSE_MODES: [CloseMode; 3] = [CloseMode::Drain, CloseMode::Graceful, CloseMode::Immediate];

impl Serialize for Batch<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // An event that this version does not know is left out, so that the length is not known.
        let known = |event| WireEvent::of(event).is_some();
        let events = self.0.iter().filter(|event| known(event)).count();
        let mut sequence = serializer.serialize_seq(Some(events))?;
        for event in self.0.iter().filter_map(WireEvent::of) {
            serde::ser::SerializeSeq::serialize_element(&mut sequence, &event)?;
        }
        serde::ser::SerializeSeq::end(sequence)
    }
}

impl<'a> WireEvent<'a> {
    fn of(event: &'a PeerEvent) -> Option<Self> {
        Some(match event {
            PeerEvent::UniqueId(id) => Self::UniqueId(*id),
            PeerEvent::Connected { connection, claimed_id, origin } => {
                Self::Connected(*connection, *claimed_id, WireOrigin::of(origin))
            }
            PeerEvent::Held { connection } => Self::Held(*connection),
            PeerEvent::Moved { connection, claimed_id, origin, carried } => {
                Self::Moved(*connection, *claimed_id, WireOrigin::of(origin), carried.clone())
            }
            PeerEvent::Resumed { connection, claimed_id, origin, of } => {
                Self::Resumed(*connection, *claimed_id, WireOrigin::of(origin), *of)
            }
            PeerEvent::Packet(packet) => {
                let payload = Payload(mask::Masked::of(&packet.payload));
                Self::Packet(packet.from, packet.mode, packet.channel, payload)
            }
            PeerEvent::Disconnected { connection, reason } => {
                Self::Disconnected(*connection, WireReason::of(*reason))
            }
            _ => return None,
        })
    }

    fn into_event(self) -> Option<PeerEvent> {
        Some(match self {
            Self::UniqueId(id) => PeerEvent::UniqueId(id),
            Self::Connected(connection, claimed_id, origin) => {
                PeerEvent::Connected { connection, claimed_id, origin: origin.get() }
            }
            Self::Held(connection) => PeerEvent::Held { connection },
            Self::Moved(connection, claimed_id, origin, carried) => {
                PeerEvent::Moved { connection, claimed_id, origin: origin.get(), carried }
            }
            Self::Resumed(connection, claimed_id, origin, of) => {
                PeerEvent::Resumed { connection, claimed_id, origin: origin.get(), of }
            }
            Self::Packet(from, mode, channel, Payload(payload)) => {
                let payload = Bytes::copy_from_slice(payload.visible());
                PeerEvent::Packet(Packet { from, mode, channel, payload })
            }
            Self::Disconnected(connection, reason) => {
                PeerEvent::Disconnected { connection, reason: reason.get()? }
            }
        })
    }
}

impl WireReason {
    pub(crate) fn of(reason: DisconnectReason) -> Self {
        let number = match reason {
            DisconnectReason::Remote(number) => number,
            _ => 0,
        };
        Self(reason.index() as u8, number)
    }

    fn get(self) -> Option<DisconnectReason> {
        Some(match DisconnectReason::ALL.get(usize::from(self.0))? {
            DisconnectReason::Remote(_) => DisconnectReason::Remote(self.1),
            reason => *reason,
        })
    }
}

impl WireOrigin {
    fn of(origin: &ConnectionOrigin) -> Self {
        match origin {
            ConnectionOrigin::Process => Self::Process,
            _ => Self::Network,
        }
    }

    fn get(self) -> ConnectionOrigin {
        match self {
            Self::Process => ConnectionOrigin::Process,
            Self::Network => ConnectionOrigin::Address(MASKED_ADDRESS),
        }
    }
}

/// The address of each connection in a recording.
const MASKED_ADDRESS: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.masked() {
            Some(masked) => serializer.serialize_bytes(&masked),
            None => serializer.serialize_bytes(self.0.visible()),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Payload<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(deserializer).map(|bytes| Self(mask::Masked::of(bytes)))
    }
}

/// A frame with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimedFrame {
    /// Time on the clock of the recorded program.
    pub at: Instant,
    /// The frame.
    pub frame: Frame,
}
