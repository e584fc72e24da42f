//! The channels of a peer, made when they are first used: Godot asks for 255 of them and uses three.

use super::window::{Place, place};
use super::{Channel, ReceiveOrder, SendSequences};

/// The channels of a peer, made when they are first used.
#[derive(Debug)]
pub(crate) struct Channels {
    list: Vec<Option<Box<Channel>>>,
    /// Number of channels that the peers agreed on.
    count: u8,
}

impl Channels {
    pub(crate) const fn new(count: u8) -> Self {
        Self { list: Vec::new(), count }
    }

    /// Number of channels that the peers agreed on.
    pub(crate) const fn count(&self) -> u8 {
        self.count
    }

    /// Returns whether the peers agreed on a channel of this number.
    pub(crate) const fn contains(&self, number: u8) -> bool {
        number < self.count
    }

    /// Lowers the number of channels to `count`, before any is used.
    pub(crate) fn limit(&mut self, count: u8) {
        self.count = self.count.min(count);
    }

    /// Forgets the state of all channels.
    pub(crate) fn clear(&mut self) {
        self.list = Vec::new();
    }

    /// Returns the sending half of a channel, which is made if need be; `None` beyond the count.
    pub(crate) fn sending(&mut self, number: u8) -> Option<&mut SendSequences> {
        Some(&mut self.channel(number)?.sending)
    }

    /// Returns the receiving half of a channel, which is made if need be; `None` beyond the count.
    pub(crate) fn receiving(&mut self, number: u8) -> Option<&mut ReceiveOrder> {
        Some(&mut self.channel(number)?.receiving)
    }

    /// Returns where a reliable sequence number lies in a channel, used or not.
    pub(crate) fn place(&self, number: u8, sequence: u16) -> Place {
        match self.list.get(usize::from(number)) {
            Some(Some(channel)) => channel.receiving.place(sequence),
            _ => place(sequence, 0),
        }
    }

    /// The receiving halves of the channels that were used, with their numbers.
    pub(crate) fn used(&mut self) -> impl Iterator<Item = (u8, &mut ReceiveOrder)> {
        let channels = self.list.iter_mut().enumerate();
        channels.filter_map(|(number, it)| Some((number as u8, &mut it.as_mut()?.receiving)))
    }

    fn channel(&mut self, number: u8) -> Option<&mut Channel> {
        if !self.contains(number) {
            return None;
        }
        let index = usize::from(number);
        if self.list.len() <= index {
            self.list.resize_with(index + 1, || None);
        }
        Some(self.list[index].get_or_insert_default())
    }
}
