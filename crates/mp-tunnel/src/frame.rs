//! [`Frame`]: the messages of a link, one per packet of its transport.
//!
//! ```text
//! Hello    ff "mptunnel" version session[16] received[8]
//! Welcome  01 session[16] resumed received[8] grace_ms[4]
//! Reject   02 reason
//! Open     03 guest[4] id[4]
//! Packet   04 guest[4] flags channel order[2] payload…     flags: transfer mode, 4: more parts
//! Close    05 guest[4] reason
//! Ack      06 received[8]
//! Leave    07
//! ```
//!
//! Numbers are little-endian. A session without a number is 16 zeros.

use std::fmt;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mp_core::{Channel, PeerId, Reason, TransferMode};

use crate::limits::PART_BYTES_MAX;

/// Version of the protocol.
pub const VERSION: u8 = 1;

/// First bytes of a `Hello`. No packet of SceneMultiplayer begins with them: `ff` would be a SYS
/// message with unknown flags.
const MAGIC: &[u8] = b"\xffmptunnel";

/// A message of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The host begins a session, or resumes one.
    Hello {
        version: u8,
        session: Option<SessionId>,
        /// Number of sequenced frames of the session that the host has received.
        received: u64,
    },
    /// The room accepts the host.
    Welcome {
        session: SessionId,
        /// True if the session and its guests are those of the `Hello`.
        is_resumed: bool,
        /// Number of sequenced frames of the session that the room has received.
        received: u64,
        /// Time in which the session can be resumed.
        grace: Duration,
    },
    /// The room does not accept the host.
    Reject(HostRefusal),
    /// A guest has joined. Sequenced.
    Open { guest: GuestNumber, id: PeerId },
    /// A packet, or a part of one. Sequenced if its mode is reliable.
    Packet(PacketFrame),
    /// A guest, or its connection to the game, has ended. Sequenced.
    Close { guest: GuestNumber, reason: GuestEnd },
    /// Acknowledges sequenced frames.
    Ack { received: u64 },
    /// The host stops: its guests leave at once.
    Leave,
}

/// A packet of or for a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PacketFrame {
    pub(crate) guest: GuestNumber,
    pub(crate) mode: TransferMode,
    pub(crate) channel: Channel,
    /// True if further parts of the packet follow.
    pub(crate) has_more: bool,
    /// Number of an unreliable ordered packet of its guest and channel.
    pub(crate) order: u16,
    pub(crate) payload: Bytes,
}

/// The number of a guest. A session never uses one twice.
pub(crate) type GuestNumber = u32;

/// The secret by which a host resumes its session: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionId([u8; 16]);

impl SessionId {
    pub(crate) fn random(rng: &mut mp_core::Rng) -> Self {
        // A session without a number is sent as zeros.
        let bits = (u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64())).max(1);
        Self(bits.to_le_bytes())
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId")
    }
}

mp_core::reasons! {
    /// The reason for which a room refuses a host.
    pub enum HostRefusal {
        /// The connection has not the role of a host.
        NotHost = "not_host" => "the server does not accept this program as a host",
        /// Another program hosts the room.
        HostPresent = "host_present" => "another program hosts the room",
        /// The room does not answer as one whose host is a game behind a tunnel. Rooms do not send
        /// it.
        NoTunnel = "no_tunnel" => "the room has not host = \"tunnel\"",
        /// The room has another version of the protocol.
        OtherVersion = "other_version" => "the server has another version of the tunnel",
    }
}

mp_core::reasons! {
    /// The reason for which a guest leaves the game.
    pub enum GuestEnd {
        /// The guest has left the room.
        Left = "left" => "the guest has left",
        /// The game has closed the guest's connection.
        GameClosed = "game_closed" => "the game has closed the connection",
        /// The game does not answer.
        GameTimeout = "game_timeout" => "the game does not answer",
        /// More reliable packets wait than the link delivers.
        QueueFull = "queue_full" => "too many packets wait for the game",
        /// A reliable packet is too large.
        PacketTooLarge = "packet_too_large" => "a packet is too large",
        /// The program beside the game has stopped.
        HostLeft = "host_left" => "the host of the room has left",
        /// The room has no host.
        NoHost = "no_host" => "the room has no host yet",
    }
}

/// The reason why a frame is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed frame")]
pub(crate) struct MalformedFrame;

impl Frame {
    /// Returns whether a packet is a `Hello`, well-formed or not.
    pub(crate) fn is_hello(packet: &[u8]) -> bool {
        packet.starts_with(MAGIC)
    }

    /// Returns whether frames of this kind are numbered, kept until they are acknowledged, and sent
    /// again when a session is resumed.
    pub(crate) fn is_sequenced(&self) -> bool {
        match self {
            Self::Open { .. } | Self::Close { .. } => true,
            Self::Packet(packet) => packet.mode.is_reliable(),
            Self::Hello { .. }
            | Self::Welcome { .. }
            | Self::Reject(_)
            | Self::Ack { .. }
            | Self::Leave => false,
        }
    }

    /// Returns the transfer mode on the link.
    pub(crate) fn mode(&self) -> TransferMode {
        match self {
            Self::Packet(packet) if !packet.mode.is_reliable() => TransferMode::Unreliable,
            _ => TransferMode::Reliable,
        }
    }

    pub(crate) fn encode(&self) -> Bytes {
        let payload = match self {
            Self::Packet(packet) => packet.payload.len(),
            _ => 0,
        };
        let mut out = BytesMut::with_capacity(HEADER_BYTES_MAX + payload);
        match self {
            Self::Hello { version, session, received } => {
                out.put_slice(MAGIC);
                out.put_u8(*version);
                out.put_slice(&session.map_or([0; 16], |session| session.0));
                out.put_u64_le(*received);
            }
            Self::Welcome { session, is_resumed, received, grace } => {
                out.put_u8(WELCOME);
                out.put_slice(&session.0);
                out.put_u8(u8::from(*is_resumed));
                out.put_u64_le(*received);
                out.put_u32_le(u32::try_from(grace.as_millis()).unwrap_or(u32::MAX));
            }
            Self::Reject(refusal) => out.put_slice(&[REJECT, code(*refusal)]),
            Self::Open { guest, id } => {
                out.put_u8(OPEN);
                out.put_u32_le(*guest);
                out.put_i32_le(id.get());
            }
            Self::Packet(packet) => {
                out.put_u8(PACKET);
                out.put_u32_le(packet.guest);
                out.put_u8(packet.mode.to_raw() | if packet.has_more { MORE } else { 0 });
                out.put_u8(packet.channel.0);
                out.put_u16_le(packet.order);
                out.put_slice(&packet.payload);
            }
            Self::Close { guest, reason } => {
                out.put_u8(CLOSE);
                out.put_u32_le(*guest);
                out.put_u8(code(*reason));
            }
            Self::Ack { received } => {
                out.put_u8(ACK);
                out.put_u64_le(*received);
            }
            Self::Leave => out.put_u8(LEAVE),
        }
        out.freeze()
    }

    /// Decodes a packet of the link's transport.
    pub(crate) fn decode(mut packet: Bytes) -> Result<Self, MalformedFrame> {
        if let Some(rest) = packet.strip_prefix(MAGIC) {
            return Self::decode_hello(rest);
        }
        let kind = packet.try_get_u8().map_err(|_| MalformedFrame)?;
        let malformed = |_| MalformedFrame;
        let frame = match kind {
            WELCOME => Self::Welcome {
                session: session(&mut packet)?.ok_or(MalformedFrame)?,
                is_resumed: match packet.try_get_u8().map_err(malformed)? {
                    0 => false,
                    1 => true,
                    _ => return Err(MalformedFrame),
                },
                received: packet.try_get_u64_le().map_err(malformed)?,
                grace: Duration::from_millis(packet.try_get_u32_le().map_err(malformed)?.into()),
            },
            REJECT => Self::Reject(reason(&mut packet)?),
            OPEN => Self::Open {
                guest: packet.try_get_u32_le().map_err(malformed)?,
                id: PeerId::new(packet.try_get_i32_le().map_err(malformed)?)
                    .filter(|id| !id.is_server())
                    .ok_or(MalformedFrame)?,
            },
            PACKET => return Self::decode_packet(packet),
            CLOSE => Self::Close {
                guest: packet.try_get_u32_le().map_err(malformed)?,
                reason: reason(&mut packet)?,
            },
            ACK => Self::Ack { received: packet.try_get_u64_le().map_err(malformed)? },
            LEAVE => Self::Leave,
            _ => return Err(MalformedFrame),
        };
        if packet.is_empty() { Ok(frame) } else { Err(MalformedFrame) }
    }

    /// Decodes what follows the first bytes of a `Hello`. Other versions may add bytes.
    fn decode_hello(mut rest: &[u8]) -> Result<Self, MalformedFrame> {
        let malformed = |_| MalformedFrame;
        let version = rest.try_get_u8().map_err(malformed)?;
        let session = session(&mut rest)?;
        let received = rest.try_get_u64_le().map_err(malformed)?;
        if version == VERSION && !rest.is_empty() {
            return Err(MalformedFrame);
        }
        Ok(Self::Hello { version, session, received })
    }

    fn decode_packet(mut packet: Bytes) -> Result<Self, MalformedFrame> {
        let malformed = |_| MalformedFrame;
        let guest = packet.try_get_u32_le().map_err(malformed)?;
        let flags = packet.try_get_u8().map_err(malformed)?;
        let channel = Channel(packet.try_get_u8().map_err(malformed)?);
        let order = packet.try_get_u16_le().map_err(malformed)?;
        let mode = TransferMode::from_raw(flags & !MORE).ok_or(MalformedFrame)?;
        let has_more = flags & MORE != 0;
        if has_more && !mode.is_reliable() || packet.len() > PART_BYTES_MAX {
            return Err(MalformedFrame);
        }
        Ok(Self::Packet(PacketFrame { guest, mode, channel, has_more, order, payload: packet }))
    }
}

fn session(packet: &mut impl Buf) -> Result<Option<SessionId>, MalformedFrame> {
    let mut bytes = [0; 16];
    packet.try_copy_to_slice(&mut bytes).map_err(|_| MalformedFrame)?;
    Ok((bytes != [0; 16]).then_some(SessionId(bytes)))
}

fn code(reason: impl Reason) -> u8 {
    // There are few reasons.
    reason.index() as u8
}

fn reason<R: Reason>(packet: &mut impl Buf) -> Result<R, MalformedFrame> {
    let code = packet.try_get_u8().map_err(|_| MalformedFrame)?;
    R::ALL.get(usize::from(code)).copied().ok_or(MalformedFrame)
}

const WELCOME: u8 = 1;
const REJECT: u8 = 2;
const OPEN: u8 = 3;
const PACKET: u8 = 4;
const CLOSE: u8 = 5;
const ACK: u8 = 6;
const LEAVE: u8 = 7;

/// Flag of a packet whose parts follow.
const MORE: u8 = 4;

/// Maximum length of a frame without its payload.
const HEADER_BYTES_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(mode: TransferMode) -> PacketFrame {
        let payload = Bytes::from_static(b"hello");
        let (guest, channel, has_more) = (7, Channel(3), mode.is_reliable());
        PacketFrame { guest, mode, channel, has_more, order: 9, payload }
    }

    fn frames() -> Vec<Frame> {
        let session = SessionId([5; 16]);
        let grace = Duration::from_millis(1_500);
        vec![
            Frame::Hello { version: VERSION, session: None, received: 0 },
            Frame::Hello { version: VERSION, session: Some(session), received: 3 },
            Frame::Welcome { session, is_resumed: true, received: 1 << 40, grace },
            Frame::Reject(HostRefusal::HostPresent),
            Frame::Open { guest: 1, id: PeerId::new(99).unwrap() },
            Frame::Packet(packet(TransferMode::Reliable)),
            Frame::Packet(packet(TransferMode::UnreliableOrdered)),
            Frame::Close { guest: 2, reason: GuestEnd::GameTimeout },
            Frame::Ack { received: 12 },
            Frame::Leave,
        ]
    }

    #[test]
    fn frames_are_read_as_they_were_written_and_not_when_cut() {
        for frame in frames() {
            let bytes = frame.encode();
            assert_eq!(Frame::decode(bytes.clone()), Ok(frame.clone()));
            let is_packet = matches!(frame, Frame::Packet(_));
            let shortest = if is_packet { PACKET_HEADER } else { bytes.len() };
            for len in 0..shortest {
                assert_eq!(Frame::decode(bytes.slice(..len)), Err(MalformedFrame), "{frame:?}");
            }
            if !is_packet {
                let longer = [&bytes[..], &[0]].concat().into();
                assert_eq!(Frame::decode(longer), Err(MalformedFrame), "{frame:?}");
            }
        }
    }

    #[test]
    fn parts_are_bounded_and_reliable_and_peer_1_is_no_guest() {
        let long = PacketFrame {
            payload: vec![0; PART_BYTES_MAX + 1].into(),
            ..packet(TransferMode::Reliable)
        };
        let part = PacketFrame { has_more: true, ..packet(TransferMode::Unreliable) };
        for frame in
            [Frame::Packet(long), Frame::Packet(part), Frame::Open { guest: 1, id: PeerId::SERVER }]
        {
            assert_eq!(Frame::decode(frame.encode()), Err(MalformedFrame), "{frame:?}");
        }
    }

    #[test]
    fn hello_of_a_later_version_is_read_whatever_follows() {
        let hello = Frame::Hello { version: 2, session: None, received: 0 };
        let longer = [&hello.encode()[..], b"more"].concat();
        assert_eq!(Frame::decode(longer.into()), Ok(hello));
    }

    #[test]
    fn labels_of_reasons_are_their_names() {
        mp_core::testing::assert_labels_are_names::<GuestEnd>();
        mp_core::testing::assert_labels_are_names::<HostRefusal>();
    }

    const PACKET_HEADER: usize = 9;
}
