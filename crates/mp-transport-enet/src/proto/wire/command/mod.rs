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

mod display;
mod encoding;
mod fields;

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

    /// Bytes of the command without its packet.
    pub const fn fixed_len(&self) -> usize {
        self.body.fixed_len()
    }

    /// Bytes of the command.
    pub const fn encoded_len(&self) -> usize {
        self.body.fixed_len() + self.body.payload().len()
    }
}

impl<'a> Body<'a> {
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
