//! The channels of a peer. Each is allocated on first use: Godot requests 255 and uses three.

use super::window::{SequencePosition, position};
use super::{Channel, ReceiveOrder, SendSequences};

/// The channels of a peer, allocated on first use.
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

    /// Returns the number of channels that the peers agreed on.
    pub(crate) const fn count(&self) -> u8 {
        self.count
    }

    /// Returns whether `number` is one of the channels that the peers agreed on.
    pub(crate) const fn contains(&self, number: u8) -> bool {
        number < self.count
    }

    /// Reduces the number of channels to `count`. Must be called before a channel is used.
    pub(crate) fn limit(&mut self, count: u8) {
        self.count = self.count.min(count);
    }

    /// Removes the state of all channels.
    pub(crate) fn clear(&mut self) {
        self.list = Vec::new();
    }

    /// Returns the sending half of a channel, allocating it if necessary. `None` if the peers did
    /// not agree on the channel.
    pub(crate) fn sending(&mut self, number: u8) -> Option<&mut SendSequences> {
        Some(&mut self.channel(number)?.sending)
    }

    /// Returns the receiving half of a channel, allocating it if necessary. `None` if the peers did
    /// not agree on the channel.
    pub(crate) fn receiving(&mut self, number: u8) -> Option<&mut ReceiveOrder> {
        Some(&mut self.channel(number)?.receiving)
    }

    /// Returns the position of a reliable sequence number relative to the last packet delivered on
    /// a channel.
    pub(crate) fn position(&self, number: u8, sequence: u16) -> SequencePosition {
        match self.list.get(usize::from(number)) {
            Some(Some(channel)) => channel.receiving.position(sequence),
            _ => position(sequence, 0),
        }
    }

    /// Returns the receiving halves of the allocated channels, with their numbers.
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
