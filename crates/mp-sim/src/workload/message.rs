//! Messages between programs, which a receiver can verify byte by byte.

use std::fmt;

use mp_core::{Channel, TransferMode};

use crate::journal::RunId;

/// Message. Its bytes follow from sender, stream, number and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramMessage {
    /// Sender.
    pub from: RunId,
    /// Stream of the message.
    pub stream: Stream,
    /// Sequence number in the stream of this sender, from 1.
    pub number: u32,
    /// Length in bytes, at least [`ProgramMessage::LEN_MIN`].
    pub len: u32,
}

/// Stream of messages of one sender, which keeps the order of its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stream {
    /// Receivers.
    pub to: Audience,
    /// Transfer mode.
    pub mode: TransferMode,
    /// Channel.
    pub channel: Channel,
}

/// Receivers of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// One program.
    One(RunId),
    /// All peers of the sender: a call.
    Known,
    /// All peers of the server: raw bytes, which a client sends to the server to relay.
    EveryPeer,
}

impl ProgramMessage {
    /// Length of the header in bytes.
    pub const LEN_MIN: u32 = 20;

    /// Returns the encoded message.
    pub fn encode(&self) -> Vec<u8> {
        let Stream { to, mode, channel } = self.stream;
        let to = match to {
            Audience::One(RunId(run)) => run,
            Audience::Known => KNOWN,
            Audience::EveryPeer => EVERY_PEER,
        };
        let mut bytes = Vec::with_capacity(self.len as usize);
        bytes.extend(MAGIC);
        bytes.extend([mode.to_raw(), channel.0]);
        for word in [self.from.0, to, self.number, self.len] {
            bytes.extend(word.to_le_bytes());
        }
        let rest = self.len.max(Self::LEN_MIN) - Self::LEN_MIN;
        bytes.extend(self.filling().take(rest as usize));
        bytes
    }

    /// Decodes a message. Returns `None` unless every byte is correct.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, filling) = bytes.split_at_checked(Self::LEN_MIN as usize)?;
        let word = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let to = match word(8)? {
            KNOWN => Audience::Known,
            EVERY_PEER => Audience::EveryPeer,
            run => Audience::One(RunId(run)),
        };
        let stream =
            Stream { to, mode: TransferMode::from_raw(head[2])?, channel: Channel(head[3]) };
        let message = Self { from: RunId(word(4)?), stream, number: word(12)?, len: word(16)? };
        let is_right = head[..2] == MAGIC
            && message.len as usize == bytes.len()
            && message.filling().zip(filling).all(|(ours, &theirs)| ours == theirs);
        is_right.then_some(message)
    }

    /// Returns pseudo-random bytes that depend on sender and number.
    fn filling(&self) -> impl Iterator<Item = u8> + use<> {
        let key = u64::from(self.from.0) << 32 | u64::from(self.number);
        let mut state = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            state.to_le_bytes()
        })
        .flatten()
    }
}

impl fmt::Display for ProgramMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{} of {} ({} B)", self.stream, self.number, self.from, self.len)
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            TransferMode::Reliable => "reliable",
            TransferMode::Unreliable => "unreliable",
            TransferMode::UnreliableOrdered => "ordered",
        };
        write!(f, "{mode} on channel {} to ", self.channel)?;
        match self.to {
            Audience::One(run) => write!(f, "{run}"),
            Audience::Known => f.write_str("all peers that it knows"),
            Audience::EveryPeer => f.write_str("all peers"),
        }
    }
}

const MAGIC: [u8; 2] = [0xA7, 0x51];
const KNOWN: u32 = u32::MAX;
const EVERY_PEER: u32 = u32::MAX - 1;

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: ProgramMessage = ProgramMessage {
        from: RunId(7),
        stream: Stream {
            to: Audience::One(RunId(3)),
            mode: TransferMode::UnreliableOrdered,
            channel: Channel(2),
        },
        number: 12,
        len: 100,
    };

    #[test]
    fn decoding_an_encoded_message_returns_it() {
        for to in [Audience::One(RunId(0)), Audience::Known, Audience::EveryPeer] {
            for len in [ProgramMessage::LEN_MIN, 21, 5_000] {
                let message =
                    ProgramMessage { stream: Stream { to, ..MESSAGE.stream }, len, ..MESSAGE };
                assert_eq!(ProgramMessage::decode(&message.encode()), Some(message));
            }
        }
    }

    #[test]
    fn a_changed_byte_is_detected_or_makes_another_message() {
        let bytes = MESSAGE.encode();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            let decoded = ProgramMessage::decode(&changed);
            assert!(decoded.is_none_or(|decoded| decoded != MESSAGE), "byte {at}");
            assert!(
                decoded.is_none() || (3..12).contains(&at),
                "byte {at} is mode, channel, sender or receiver"
            );
        }
        assert_eq!(ProgramMessage::decode(&bytes[..99]), None);
        assert_eq!(ProgramMessage::decode(&[]), None);
    }
}
