//! The commands inside a datagram: a 4-byte head, a fixed part, and for five of them the bytes of a packet.
//!
//! | byte | field |
//! |---|---|
//! | 0 | bit 7 acknowledgement wanted · bit 6 unsequenced · bits 3..0 number of the command |
//! | 1 | channel; 0xff is the peer itself |
//! | 2..4 | reliable sequence number |
//!
//! Integers are big-endian. The connect id is four opaque bytes that travel as they are.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "the fields and variants are those of the wire"
)]

use std::fmt;

use super::fields::{Reader, Writer};

/// Bit of [`Command::flags`]: the sender wants an acknowledgement.
pub const FLAG_ACKNOWLEDGE: u8 = 0x80;
/// Bit of [`Command::flags`]: outside every sequence.
pub const FLAG_UNSEQUENCED: u8 = 0x40;
/// The channel of commands that concern the peer as a whole.
pub const CONTROL_CHANNEL: u8 = 0xff;

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// The upper four bits of the first byte.
    pub flags: u8,
    /// The channel, or [`CONTROL_CHANNEL`].
    pub channel: u8,
    /// The reliable sequence number: the command's own when it is reliable, the channel's current one when it is
    /// unreliable, 0 when it is unsequenced.
    pub sequence: u16,
    /// What the command says.
    pub body: Body<'a>,
}

/// What a command says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// A command arrived (1).
    Acknowledge {
        /// Its sequence number.
        sequence: u16,
        /// The time in the header of the datagram that brought it.
        sent_time: u16,
    },
    /// A client wants in (2).
    Connect(Connect),
    /// The server's answer (3).
    VerifyConnect(Terms),
    /// The sender leaves (4).
    Disconnect {
        /// A value for the application; Godot sends 0.
        data: u32,
    },
    /// Are you there (5)?
    Ping,
    /// A reliable packet (6).
    SendReliable {
        /// The packet.
        payload: &'a [u8],
    },
    /// An unreliable packet (7).
    SendUnreliable {
        /// Its unreliable sequence number.
        sequence: u16,
        /// The packet.
        payload: &'a [u8],
    },
    /// A piece of a reliable packet (8).
    SendFragment(Fragment<'a>),
    /// An unreliable packet outside every sequence (9).
    SendUnsequenced {
        /// Its number among the sender's unsequenced packets.
        group: u16,
        /// The packet.
        payload: &'a [u8],
    },
    /// The sender's limits in bytes per second, 0 for none (10).
    BandwidthLimit {
        /// What it takes.
        incoming: u32,
        /// What it sends.
        outgoing: u32,
    },
    /// How the receiver shall throttle what it sends (11).
    ThrottleConfigure(ThrottleParameters),
    /// A piece of an unreliable packet (12).
    SendUnreliableFragment(Fragment<'a>),
}

/// The fixed part of CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect {
    /// What both sides must agree on.
    pub terms: Terms,
    /// A value for the application: Godot 4 sends the client's unique id.
    pub data: u32,
}

/// What CONNECT proposes and VERIFY_CONNECT settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The sender's slot for the receiver.
    pub peer_id: u16,
    /// CONNECT: the client's incoming session; VERIFY_CONNECT: the one it shall expect. 0xff on a fresh slot.
    pub incoming_session: u8,
    /// CONNECT: the client's outgoing session; VERIFY_CONNECT: the one it shall use. 0xff on a fresh slot.
    pub outgoing_session: u8,
    /// Bytes of the largest datagram.
    pub mtu: u32,
    /// Reliable bytes that may be on their way.
    pub window_size: u32,
    /// Channels, 1 to 255.
    pub channel_count: u32,
    /// Bytes per second the sender takes, 0 for no limit.
    pub incoming_bandwidth: u32,
    /// Bytes per second the sender sends, 0 for no limit.
    pub outgoing_bandwidth: u32,
    /// The packet throttle.
    pub throttle: ThrottleParameters,
    /// Chosen at random by the client.
    pub connect_id: [u8; 4],
}

/// Parameters of the packet throttle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleParameters {
    /// Milliseconds over which the lowest round trip is remembered.
    pub interval: u32,
    /// Steps up when the round trip is good.
    pub acceleration: u32,
    /// Steps down when it is bad.
    pub deceleration: u32,
}

impl Default for ThrottleParameters {
    /// ENet's: 5,000 ms, 2 up, 2 down.
    fn default() -> Self {
        Self { interval: 5_000, acceleration: 2, deceleration: 2 }
    }
}

/// A piece of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The sequence number that all pieces share: reliable of the first piece, or unreliable of the packet.
    pub start: u16,
    /// How many pieces there are.
    pub count: u32,
    /// Which one this is, from 0.
    pub number: u32,
    /// Bytes of the packet.
    pub total: u32,
    /// Where the piece belongs.
    pub offset: u32,
    /// The piece.
    pub payload: &'a [u8],
}

/// Why no command could be read; what follows in the datagram is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The datagram ends inside the command.
    #[error("the datagram ends inside a command")]
    Truncated,
    /// There is no such command. Zero bytes at the end of a datagram read as number 0.
    #[error("there is no command {0}")]
    Unknown(u8),
}

impl<'a> Command<'a> {
    /// A command that concerns the peer as a whole and wants an acknowledgement.
    pub const fn control(sequence: u16, body: Body<'a>) -> Self {
        Self { flags: FLAG_ACKNOWLEDGE, channel: CONTROL_CHANNEL, sequence, body }
    }

    /// Whether the sender wants an acknowledgement.
    pub const fn wants_acknowledgement(&self) -> bool {
        self.flags & FLAG_ACKNOWLEDGE != 0
    }

    /// The command at the front of `bytes` and what follows it.
    ///
    /// # Errors
    ///
    /// When the bytes end too early or name no command.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), CommandError> {
        let mut reader = Reader(bytes);
        let first = reader.u8()?;
        let channel = reader.u8()?;
        let sequence = reader.u16()?;
        let body = match first & NUMBER {
            1 => Body::Acknowledge { sequence: reader.u16()?, sent_time: reader.u16()? },
            2 => Body::Connect(Connect { terms: reader.terms()?, data: reader.u32()? }),
            3 => Body::VerifyConnect(reader.terms()?),
            4 => Body::Disconnect { data: reader.u32()? },
            5 => Body::Ping,
            6 => {
                let len = reader.u16()?;
                Body::SendReliable { payload: reader.bytes(len)? }
            }
            7 => {
                let (sequence, len) = (reader.u16()?, reader.u16()?);
                Body::SendUnreliable { sequence, payload: reader.bytes(len)? }
            }
            8 => Body::SendFragment(reader.fragment()?),
            9 => {
                let (group, len) = (reader.u16()?, reader.u16()?);
                Body::SendUnsequenced { group, payload: reader.bytes(len)? }
            }
            10 => Body::BandwidthLimit { incoming: reader.u32()?, outgoing: reader.u32()? },
            11 => Body::ThrottleConfigure(reader.throttle()?),
            12 => Body::SendUnreliableFragment(reader.fragment()?),
            number => return Err(CommandError::Unknown(number)),
        };
        Ok((Self { flags: first & !NUMBER, channel, sequence, body }, reader.0))
    }

    /// Bytes of the command without its packet.
    pub const fn fixed_len(&self) -> usize {
        self.body.fixed_len()
    }

    /// Bytes of the command.
    pub const fn encoded_len(&self) -> usize {
        self.body.fixed_len() + self.body.payload().len()
    }

    /// Writes the command to the front of `out`, which must hold [`encoded_len`](Self::encoded_len) bytes, and returns
    /// that length.
    pub fn emit(&self, out: &mut [u8]) -> usize {
        let payload = self.body.payload();
        let fixed = self.emit_fixed(out, payload.len() as u16);
        out[fixed..fixed + payload.len()].copy_from_slice(payload);
        fixed + payload.len()
    }

    /// Writes all but the packet, whose length is given: the caller puts its bytes behind it.
    pub(crate) fn emit_fixed(&self, out: &mut [u8], payload_len: u16) -> usize {
        let mut writer = Writer { out, len: 0 };
        writer.u8(self.flags & !NUMBER | self.body.number());
        writer.u8(self.channel);
        writer.u16(self.sequence);
        match self.body {
            Body::Acknowledge { sequence, sent_time } => {
                writer.u16(sequence);
                writer.u16(sent_time);
            }
            Body::Connect(connect) => {
                writer.terms(&connect.terms);
                writer.u32(connect.data);
            }
            Body::VerifyConnect(terms) => writer.terms(&terms),
            Body::Disconnect { data } => writer.u32(data),
            Body::Ping => {}
            Body::SendReliable { .. } => writer.u16(payload_len),
            Body::SendUnreliable { sequence: number, .. }
            | Body::SendUnsequenced { group: number, .. } => {
                writer.u16(number);
                writer.u16(payload_len);
            }
            Body::SendFragment(fragment) | Body::SendUnreliableFragment(fragment) => {
                writer.u16(fragment.start);
                writer.u16(payload_len);
                writer.u32(fragment.count);
                writer.u32(fragment.number);
                writer.u32(fragment.total);
                writer.u32(fragment.offset);
            }
            Body::BandwidthLimit { incoming, outgoing } => {
                writer.u32(incoming);
                writer.u32(outgoing);
            }
            Body::ThrottleConfigure(throttle) => writer.throttle(&throttle),
        }
        writer.len
    }
}

impl<'a> Body<'a> {
    const fn number(&self) -> u8 {
        match self {
            Self::Acknowledge { .. } => 1,
            Self::Connect(_) => 2,
            Self::VerifyConnect(_) => 3,
            Self::Disconnect { .. } => 4,
            Self::Ping => 5,
            Self::SendReliable { .. } => 6,
            Self::SendUnreliable { .. } => 7,
            Self::SendFragment(_) => 8,
            Self::SendUnsequenced { .. } => 9,
            Self::BandwidthLimit { .. } => 10,
            Self::ThrottleConfigure(_) => 11,
            Self::SendUnreliableFragment(_) => 12,
        }
    }

    /// Bytes of a command with this body, without its packet.
    pub const fn fixed_len(&self) -> usize {
        match self {
            Self::Ping => 4,
            Self::SendReliable { .. } => 6,
            Self::Acknowledge { .. }
            | Self::Disconnect { .. }
            | Self::SendUnreliable { .. }
            | Self::SendUnsequenced { .. } => 8,
            Self::BandwidthLimit { .. } => 12,
            Self::ThrottleConfigure(_) => 16,
            Self::SendFragment(_) | Self::SendUnreliableFragment(_) => 24,
            Self::VerifyConnect(_) => 44,
            Self::Connect(_) => 48,
        }
    }

    /// The packet, or piece of one, that the command carries.
    pub const fn payload(&self) -> &'a [u8] {
        match self {
            Self::SendReliable { payload }
            | Self::SendUnreliable { payload, .. }
            | Self::SendUnsequenced { payload, .. }
            | Self::SendFragment(Fragment { payload, .. })
            | Self::SendUnreliableFragment(Fragment { payload, .. }) => payload,
            _ => &[],
        }
    }
}

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.body {
            Body::Acknowledge { sequence, sent_time } => {
                write!(f, "ACKNOWLEDGE {sequence} of time {sent_time}")?;
            }
            Body::Connect(connect) => write!(f, "CONNECT {} data {}", connect.terms, connect.data)?,
            Body::VerifyConnect(terms) => write!(f, "VERIFY_CONNECT {terms}")?,
            Body::Disconnect { data } => write!(f, "DISCONNECT data {data}")?,
            Body::Ping => f.write_str("PING")?,
            Body::SendReliable { payload } => write!(f, "SEND_RELIABLE {} bytes", payload.len())?,
            Body::SendUnreliable { sequence, payload } => {
                write!(f, "SEND_UNRELIABLE {sequence}, {} bytes", payload.len())?;
            }
            Body::SendFragment(fragment) => write!(f, "SEND_FRAGMENT {fragment}")?,
            Body::SendUnsequenced { group, payload } => {
                write!(f, "SEND_UNSEQUENCED {group}, {} bytes", payload.len())?;
            }
            Body::BandwidthLimit { incoming, outgoing } => {
                write!(f, "BANDWIDTH_LIMIT in {incoming} out {outgoing}")?;
            }
            Body::ThrottleConfigure(throttle) => write!(f, "THROTTLE_CONFIGURE {throttle}")?,
            Body::SendUnreliableFragment(fragment) => {
                write!(f, "SEND_UNRELIABLE_FRAGMENT {fragment}")?;
            }
        }
        if self.channel == CONTROL_CHANNEL {
            write!(f, " (peer, sequence {})", self.sequence)
        } else {
            write!(f, " (channel {}, sequence {})", self.channel, self.sequence)
        }
    }
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.connect_id;
        write!(
            f,
            "peer {} sessions {}/{} mtu {} window {} channels {} in {} out {} throttle {} id {a:02x}{b:02x}{c:02x}{d:02x}",
            self.peer_id,
            self.incoming_session,
            self.outgoing_session,
            self.mtu,
            self.window_size,
            self.channel_count,
            self.incoming_bandwidth,
            self.outgoing_bandwidth,
            self.throttle,
        )
    }
}

impl fmt::Display for ThrottleParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms +{} -{}", self.interval, self.acceleration, self.deceleration)
    }
}

impl fmt::Display for Fragment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} from {}: {} bytes at {} of {}",
            self.number,
            self.count,
            self.start,
            self.payload.len(),
            self.offset,
            self.total,
        )
    }
}

const NUMBER: u8 = 0x0f;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hex: &str, display: &str) {
        let bytes = unhex(hex);
        let (command, rest) = Command::parse(&bytes).unwrap();
        assert!(rest.is_empty());
        assert_eq!(command.to_string(), display);
        assert_eq!(command.encoded_len(), bytes.len());
        let mut out = vec![0xaa; bytes.len()];
        assert_eq!(command.emit(&mut out), bytes.len());
        assert_eq!(out, bytes);
        for len in 0..bytes.len() {
            assert_eq!(Command::parse(&bytes[..len]), Err(CommandError::Truncated), "{len}");
        }
    }

    fn unhex(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    // The bytes below were sent by Godot 4.6.3.

    #[test]
    fn connect() {
        check(
            "82ff0001 0000ffff 00000570 00010000 000000ff 00000000 00000000 00001388 00000002 00000002 b42ba943 7ae8eddc",
            "CONNECT peer 0 sessions 255/255 mtu 1392 window 65536 channels 255 in 0 out 0 throttle 5000 ms +2 -2 \
             id b42ba943 data 2062085596 (peer, sequence 1)",
        );
    }

    #[test]
    fn verify_connect() {
        check(
            "83ff0001 00000000 00000570 00010000 000000ff 00000000 00000000 00001388 00000002 00000002 b42ba943",
            "VERIFY_CONNECT peer 0 sessions 0/0 mtu 1392 window 65536 channels 255 in 0 out 0 throttle 5000 ms +2 -2 \
             id b42ba943 (peer, sequence 1)",
        );
    }

    #[test]
    fn acknowledge_and_ping() {
        check("01ff0001 0001 89f4", "ACKNOWLEDGE 1 of time 35316 (peer, sequence 1)");
        check("85ff0002", "PING (peer, sequence 2)");
    }

    #[test]
    fn disconnect() {
        check("84ff0003 0000004d", "DISCONNECT data 77 (peer, sequence 3)");
        check("44ff0003 000004d2", "DISCONNECT data 1234 (peer, sequence 3)");
    }

    #[test]
    fn packets() {
        check("86000001 0005 0001020304", "SEND_RELIABLE 5 bytes (channel 0, sequence 1)");
        check(
            "07010000 0001 0005 0001020304",
            "SEND_UNRELIABLE 1, 5 bytes (channel 1, sequence 0)",
        );
        check(
            "49010000 0001 0005 0001020304",
            "SEND_UNSEQUENCED 1, 5 bytes (channel 1, sequence 0)",
        );
    }

    #[test]
    fn fragments() {
        check(
            "88000002 0001 0003 0000004c 00000001 00019000 00000554 545556",
            "SEND_FRAGMENT 1 of 76 from 1: 3 bytes at 1364 of 102400 (channel 0, sequence 2)",
        );
        check(
            "0c010000 0001 0003 00000003 00000000 00000bb8 00000000 000102",
            "SEND_UNRELIABLE_FRAGMENT 0 of 3 from 1: 3 bytes at 0 of 3000 (channel 1, sequence 0)",
        );
    }

    #[test]
    fn limits() {
        check("8aff0002 00000000 00013880", "BANDWIDTH_LIMIT in 0 out 80000 (peer, sequence 2)");
        check(
            "8bff0003 000003e8 00000003 00000004",
            "THROTTLE_CONFIGURE 1000 ms +3 -4 (peer, sequence 3)",
        );
    }

    #[test]
    fn numbers_without_a_command_are_refused() {
        for number in [0, 13, 14, 15] {
            assert_eq!(
                Command::parse(&[0x80 | number, 0xff, 0, 1]),
                Err(CommandError::Unknown(number)),
            );
        }
    }

    #[test]
    fn a_packet_longer_than_its_datagram_is_refused() {
        let bytes = unhex("86000001 0006 0001020304");
        assert_eq!(Command::parse(&bytes), Err(CommandError::Truncated));
    }
}
