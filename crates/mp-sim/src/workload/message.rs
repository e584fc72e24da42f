//! What programs say to each other, such that whoever hears it can tell whether it is right.

use std::fmt;

use mp_core::{Channel, TransferMode};

use crate::journal::Run;

/// A message: who says it, to whom, and as which of those that go the same way. The rest of its bytes follow from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub from: Run,
    /// Which way it goes.
    pub lane: Lane,
    /// Counts up from 1 among those of the same sender and lane.
    pub number: u32,
    /// Its length in bytes, at least [`Message::LEN_MIN`].
    pub len: u32,
}

/// Messages of one sender and lane keep whatever order their mode promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    /// To whom.
    pub to: Audience,
    /// How.
    pub mode: TransferMode,
    /// On which channel.
    pub channel: Channel,
}

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// One program.
    One(Run),
    /// Every peer that the sender knows: a call.
    Known,
    /// Every peer that the server knows: bytes, which a client hands to the server.
    Everybody,
}

impl Message {
    /// Bytes of a message without a filling.
    pub const LEN_MIN: u32 = 20;

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let Lane { to, mode, channel } = self.lane;
        let to = match to {
            Audience::One(Run(run)) => run,
            Audience::Known => KNOWN,
            Audience::Everybody => EVERYBODY,
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

    /// The message that these bytes are, if every single one is right.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, filling) = bytes.split_at_checked(Self::LEN_MIN as usize)?;
        let word = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let to = match word(8)? {
            KNOWN => Audience::Known,
            EVERYBODY => Audience::Everybody,
            run => Audience::One(Run(run)),
        };
        let lane = Lane { to, mode: TransferMode::from_raw(head[2])?, channel: Channel(head[3]) };
        let message = Self { from: Run(word(4)?), lane, number: word(12)?, len: word(16)? };
        let is_right = head[..2] == MAGIC
            && message.len as usize == bytes.len()
            && message.filling().zip(filling).all(|(ours, &theirs)| ours == theirs);
        is_right.then_some(message)
    }

    /// Bytes that no other message has.
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

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{} of {} ({} B)", self.lane, self.number, self.from, self.len)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            TransferMode::Reliable => "reliable",
            TransferMode::Unreliable => "unreliable",
            TransferMode::UnreliableOrdered => "ordered",
        };
        write!(f, "{mode} on channel {} to ", self.channel)?;
        match self.to {
            Audience::One(run) => write!(f, "{run}"),
            Audience::Known => f.write_str("all it knows"),
            Audience::Everybody => f.write_str("everybody"),
        }
    }
}

const MAGIC: [u8; 2] = [0xA7, 0x51];
const KNOWN: u32 = u32::MAX;
const EVERYBODY: u32 = u32::MAX - 1;

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: Message = Message {
        from: Run(7),
        lane: Lane {
            to: Audience::One(Run(3)),
            mode: TransferMode::UnreliableOrdered,
            channel: Channel(2),
        },
        number: 12,
        len: 100,
    };

    #[test]
    fn what_is_said_is_what_is_heard() {
        for to in [Audience::One(Run(0)), Audience::Known, Audience::Everybody] {
            for len in [Message::LEN_MIN, 21, 5_000] {
                let message = Message { lane: Lane { to, ..MESSAGE.lane }, len, ..MESSAGE };
                assert_eq!(Message::decode(&message.encode()), Some(message));
            }
        }
    }

    #[test]
    fn a_changed_byte_is_noticed_unless_it_makes_another_message() {
        let bytes = MESSAGE.encode();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            let heard = Message::decode(&changed);
            assert!(heard.is_none_or(|heard| heard != MESSAGE), "byte {at}");
            assert!(heard.is_none() || (3..12).contains(&at), "byte {at} is mode, way or sender");
        }
        assert_eq!(Message::decode(&bytes[..99]), None);
        assert_eq!(Message::decode(&[]), None);
    }
}
