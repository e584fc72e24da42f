//! [`Orders`]: the order of the unreliable ordered packets of a guest.

use std::collections::BTreeMap;

use mp_core::Channel;

/// Numbers of a guest's unreliable ordered packets, per channel. The link may reorder them, and the
/// next connection would pass them on as if they were in order.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    sent: BTreeMap<u8, u16>,
    received: BTreeMap<u8, u16>,
}

impl Orders {
    /// Returns the number of the next packet to send.
    pub(crate) fn next(&mut self, channel: Channel) -> u16 {
        let number = self.sent.entry(channel.0).or_default();
        *number = number.wrapping_add(1);
        *number
    }

    /// Returns whether a received packet is later than all before.
    pub(crate) fn accepts(&mut self, channel: Channel, number: u16) -> bool {
        let Some(last) = self.received.get_mut(&channel.0) else {
            self.received.insert(channel.0, number);
            return true;
        };
        let is_later = (1..1 << 15).contains(&number.wrapping_sub(*last));
        if is_later {
            *last = number;
        }
        is_later
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_that_a_later_one_has_overtaken_is_not_accepted() {
        let mut orders = Orders::default();
        let accepted = [3, 2, 4, 4, 0x8004, 6].map(|number| orders.accepts(Channel(1), number));
        assert_eq!(accepted, [true, false, true, false, false, true]);
        assert!(orders.accepts(Channel(2), 1), "another channel");
    }

    #[test]
    fn numbers_wrap() {
        let mut orders = Orders::default();
        let mut receiver = Orders::default();
        for _ in 0..70_000 {
            assert!(receiver.accepts(Channel(0), orders.next(Channel(0))));
        }
    }
}
