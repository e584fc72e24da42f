//! Content of a message: sender, time, sequence number, and derived bytes.

/// Header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Index of the sender.
    pub(crate) source: u16,
    /// Phase in which it was sent.
    pub(crate) phase: u8,
    /// Number of messages that its sender has sent before.
    pub(crate) sequence: u32,
    /// Time of sending in nanoseconds.
    pub(crate) sent: u64,
}

impl Stamp {
    /// Length of the header in bytes.
    pub(crate) const LEN: usize = 16;

    /// Fills `message`, which must be at least as long as the header.
    pub(crate) fn write(&self, message: &mut [u8]) {
        let (head, rest) = message.split_at_mut(Self::LEN);
        head[0..2].copy_from_slice(&self.source.to_le_bytes());
        head[2] = self.phase;
        head[3] = MAGIC;
        head[4..8].copy_from_slice(&self.sequence.to_le_bytes());
        head[8..16].copy_from_slice(&self.sent.to_le_bytes());
        rest.fill(self.filler());
    }

    /// Decodes a message of `len` bytes. Returns `None` if any byte is wrong.
    pub(crate) fn read(message: &[u8], len: usize) -> Option<Self> {
        let (head, rest) = message.split_at_checked(Self::LEN)?;
        let stamp = Self {
            source: u16::from_le_bytes([head[0], head[1]]),
            phase: head[2],
            sequence: u32::from_le_bytes(head[4..8].try_into().ok()?),
            sent: u64::from_le_bytes(head[8..16].try_into().ok()?),
        };
        let filler = stamp.filler();
        let is_whole = message.len() == len && head[3] == MAGIC;
        (is_whole && rest.iter().all(|&byte| byte == filler)).then_some(stamp)
    }

    const fn filler(&self) -> u8 {
        (self.sequence as u8).wrapping_add(self.source as u8)
    }
}

const MAGIC: u8 = 0xa5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_a_wrong_byte_is_rejected() {
        let stamp = Stamp { source: 7, phase: 1, sequence: 900, sent: 12_345_678_900 };
        let mut message = [0; 64];
        stamp.write(&mut message);
        assert_eq!(Stamp::read(&message, 64), Some(stamp));
        assert_eq!(Stamp::read(&message[..63], 64), None);
        message[63] ^= 1;
        assert_eq!(Stamp::read(&message, 64), None);
    }
}
