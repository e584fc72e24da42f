//! Allocation of received packets.

use bytes::Bytes;

use crate::proto::COMMANDS_MAX;

/// The bytes of a datagram, from which its packets are made.
///
/// A datagram may contain 32 packets. They share one copy of the datagram instead of one copy each.
/// A packet shares it unless it is smaller than a 32nd of the datagram, with its command.
#[derive(Debug)]
pub(crate) struct DatagramBytes<'a> {
    commands: &'a [u8],
    /// The shared copy. Allocated by the second packet.
    shared: Option<Bytes>,
    is_first: bool,
}

impl<'a> DatagramBytes<'a> {
    pub(crate) const fn new(commands: &'a [u8]) -> Self {
        Self { commands, shared: None, is_first: true }
    }

    /// Returns a packet of `payload`, which must be a part of the datagram.
    pub(crate) fn packet(&mut self, payload: &[u8]) -> Bytes {
        let is_first = std::mem::take(&mut self.is_first);
        // Most datagrams contain one packet. And a small packet must not keep a large datagram in
        // memory.
        let is_alone = is_first && payload.len() * 2 > self.commands.len();
        let start = (payload.as_ptr() as usize).checked_sub(self.commands.as_ptr() as usize);
        let part = start.map(|start| start..start + payload.len());
        let part = part.filter(|part| part.end <= self.commands.len() && !payload.is_empty());
        let command_len = payload.len() + COMMAND_HEAD_LEN;
        match part {
            Some(part) if !is_alone && command_len * COMMANDS_MAX >= self.commands.len() => {
                let commands = self.commands;
                self.shared.get_or_insert_with(|| Bytes::copy_from_slice(commands)).slice(part)
            }
            _ => Bytes::copy_from_slice(payload),
        }
    }
}

/// Length of an unreliable command without its payload, in bytes.
const COMMAND_HEAD_LEN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn is_within(packet: &Bytes, other: &Bytes) -> bool {
        packet.as_ptr().wrapping_sub(other.as_ptr() as usize) as usize <= 1_000
    }

    #[test]
    fn packets_of_a_datagram_share_one_copy() {
        let datagram = [7; 1_000];
        let mut bytes = DatagramBytes::new(&datagram);
        let first = bytes.packet(&datagram[10..110]);
        let second = bytes.packet(&datagram[110..610]);
        assert_eq!((first.len(), second.len()), (100, 500));
        assert!(is_within(&second, &first));
    }

    #[test]
    fn as_many_packets_as_a_datagram_has_commands_share_one_copy() {
        const LEN: usize = 30;
        let datagram = [7; (LEN + COMMAND_HEAD_LEN) * COMMANDS_MAX];
        let mut bytes = DatagramBytes::new(&datagram);
        let packets: Vec<_> = datagram
            .chunks(LEN + COMMAND_HEAD_LEN)
            .map(|command| bytes.packet(&command[COMMAND_HEAD_LEN..]))
            .collect();
        assert_eq!(packets.len(), COMMANDS_MAX);
        for pair in packets.windows(2) {
            assert_eq!(pair[1].as_ptr() as usize - pair[0].as_ptr() as usize, 38);
        }
    }

    #[test]
    fn a_packet_that_is_most_of_its_datagram_is_copied() {
        let datagram = [7; 1_000];
        let mut bytes = DatagramBytes::new(&datagram);
        let packet = bytes.packet(&datagram[10..]);
        assert_eq!(packet, &datagram[10..]);
        assert!(packet.try_into_mut().is_ok_and(|it| it.capacity() == 990));
    }

    #[test]
    fn a_small_packet_does_not_keep_its_datagram() {
        let datagram = [7; 1_000];
        let mut bytes = DatagramBytes::new(&datagram);
        let packet = bytes.packet(&datagram[10..20]);
        assert!(packet.try_into_mut().is_ok_and(|it| it.capacity() == 10));
        assert_eq!(bytes.packet(&[]), Bytes::new());
        assert_eq!(bytes.packet(b"from elsewhere"), b"from elsewhere"[..]);
    }
}
