//! The commands of a datagram: a 4-byte head, a fixed part, and for five of them a payload.
//!
//! | byte | field |
//! |---|---|
//! | 0 | bit 7 acknowledgement requested · bit 6 unsequenced · bits 3..0 command number |
//! | 1 | channel; 0xff is the control channel |
//! | 2..4 | reliable sequence number |
//!
//! Integers are big-endian. The connect id is four opaque bytes, which are sent unchanged.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "the fields and variants are those of the wire"
)]

mod display;
mod encoding;
mod fields;

/// Bit of [`Command::flags`]: the sender requests an acknowledgement.
pub const FLAG_ACKNOWLEDGE: u8 = 0x80;
/// Bit of [`Command::flags`]: the command is not part of a sequence.
pub const FLAG_UNSEQUENCED: u8 = 0x40;
/// The channel of commands that apply to the connection as a whole.
pub const CONTROL_CHANNEL: u8 = 0xff;

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// Upper four bits of the first byte.
    pub flags: u8,
    /// Channel, or [`CONTROL_CHANNEL`].
    pub channel: u8,
    /// Reliable sequence number. Reliable command: its own. Unreliable: the last reliable one of
    /// the channel. Unsequenced: 0.
    pub sequence: u16,
    /// The fields after the head.
    pub body: Body<'a>,
}

/// The fields of a command after its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// Acknowledgement of a command (1).
    Acknowledge {
        /// Sequence number of the command.
        sequence: u16,
        /// Sent time in the header of the datagram with the command.
        sent_time: u16,
    },
    /// Connection request of a client (2).
    Connect(Connect),
    /// Reply of the server (3).
    VerifyConnect(Terms),
    /// Disconnect (4).
    Disconnect {
        /// A value for the application; Godot sends 0.
        data: u32,
    },
    /// Ping, which is acknowledged (5).
    Ping,
    /// Reliable packet (6).
    SendReliable {
        /// Payload of the packet.
        payload: &'a [u8],
    },
    /// Unreliable packet (7).
    SendUnreliable {
        /// Unreliable sequence number.
        sequence: u16,
        /// Payload of the packet.
        payload: &'a [u8],
    },
    /// Fragment of a reliable packet (8).
    SendFragment(Fragment<'a>),
    /// Unsequenced packet (9).
    SendUnsequenced {
        /// Number among the sender's unsequenced packets.
        group: u16,
        /// Payload of the packet.
        payload: &'a [u8],
    },
    /// Bandwidth limits of the sender in bytes per second; 0 is unlimited (10).
    BandwidthLimit {
        /// Limit of the bytes that the sender receives.
        incoming: u32,
        /// Limit of the bytes that the sender sends.
        outgoing: u32,
    },
    /// Parameters for the receiver's packet throttle (11).
    ThrottleConfigure(ThrottleParameters),
    /// Fragment of an unreliable packet (12).
    SendUnreliableFragment(Fragment<'a>),
}

/// The fields of CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Proposed terms of the connection.
    pub terms: Terms,
    /// A value for the application; Godot 4 sends the client's peer id.
    pub data: u32,
}

/// The terms of a connection, as CONNECT proposes and VERIFY_CONNECT sets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The sender's slot for the receiver.
    pub peer_id: u16,
    /// CONNECT: the client's incoming session, 0xff on an unused slot. VERIFY_CONNECT: the one that
    /// the client must expect.
    pub incoming_session: u8,
    /// CONNECT: the client's outgoing session, 0xff on an unused slot. VERIFY_CONNECT: the one that
    /// the client must use.
    pub outgoing_session: u8,
    /// Maximum length of a datagram in bytes.
    pub mtu: u32,
    /// Maximum number of reliable bytes in flight.
    pub window_size: u32,
    /// Number of channels, 1 to 255.
    pub channel_count: u32,
    /// Bytes per second that the sender receives; 0 is unlimited.
    pub incoming_bandwidth: u32,
    /// Bytes per second that the sender sends; 0 is unlimited.
    pub outgoing_bandwidth: u32,
    /// Parameters of the packet throttle.
    pub throttle: ThrottleParameters,
    /// Random id of the connection, drawn by the client.
    pub connect_id: [u8; 4],
}

/// Parameters of the packet throttle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleParameters {
    /// Interval in milliseconds over which the lowest round-trip time is tracked.
    pub interval: u32,
    /// Increase of the throttle for a good round-trip time, in 32nds.
    pub acceleration: u32,
    /// Decrease of the throttle for a bad round-trip time, in 32nds.
    pub deceleration: u32,
}

impl Default for ThrottleParameters {
    /// Returns ENet's defaults: 5,000 ms, up by 2, down by 2.
    fn default() -> Self {
        Self { interval: 5_000, acceleration: 2, deceleration: 2 }
    }
}

/// A fragment of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Sequence number that all fragments share. Reliable: that of the first fragment. Unreliable:
    /// the unreliable sequence number of the packet.
    pub start: u16,
    /// Number of fragments.
    pub count: u32,
    /// Index of this fragment, from 0.
    pub number: u32,
    /// Length of the packet in bytes.
    pub total: u32,
    /// Offset of this fragment in the packet.
    pub offset: u32,
    /// Payload of the fragment.
    pub payload: &'a [u8],
}

/// The reason why a command could not be parsed. The rest of its datagram is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The datagram ends within the command.
    #[error("datagram ends within a command")]
    Truncated,
    /// The command number is unknown. Padding zeros after the last command have number 0.
    #[error("unknown command {0}")]
    Unknown(u8),
}

impl<'a> Command<'a> {
    /// Returns a command on the control channel that requests an acknowledgement.
    pub const fn control(sequence: u16, body: Body<'a>) -> Self {
        Self { flags: FLAG_ACKNOWLEDGE, channel: CONTROL_CHANNEL, sequence, body }
    }

    /// Returns whether the sender requests an acknowledgement.
    pub const fn wants_acknowledgement(&self) -> bool {
        self.flags & FLAG_ACKNOWLEDGE != 0
    }

    /// Returns the length of the command in bytes without its payload.
    pub const fn fixed_len(&self) -> usize {
        self.body.fixed_len()
    }

    /// Returns the length of the command in bytes.
    pub const fn encoded_len(&self) -> usize {
        self.body.fixed_len() + self.body.payload().len()
    }
}

impl<'a> Body<'a> {
    /// Returns the length in bytes of a command with this body, without its payload.
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

    /// Returns whether it is an unreliable packet, or a fragment of one.
    pub const fn is_unreliable(&self) -> bool {
        matches!(
            self,
            Self::SendUnreliable { .. }
                | Self::SendUnsequenced { .. }
                | Self::SendUnreliableFragment(_)
        )
    }

    /// Returns the payload of the packet or fragment.
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
