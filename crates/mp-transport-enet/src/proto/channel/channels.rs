//! The channels of a peer, made when they are first used: Godot asks for 255 of them and uses three.

use super::Channel;

/// The channels of a peer, made when they are first used.
#[derive(Debug)]
pub(crate) struct Channels {
    list: Vec<Option<Box<Channel>>>,
    /// How many were agreed on.
    pub(crate) count: u8,
}

impl Channels {
    pub(crate) const fn new(count: u8) -> Self {
        Self { list: Vec::new(), count }
    }

    /// The channel, made if need be; `None` beyond the count.
    pub(crate) fn channel(&mut self, number: u8) -> Option<&mut Channel> {
        if number >= self.count {
            return None;
        }
        let index = usize::from(number);
        if self.list.len() <= index {
            self.list.resize_with(index + 1, || None);
        }
        Some(self.list[index].get_or_insert_default())
    }

    /// The channel, if it was used.
    pub(crate) fn existing(&mut self, number: u8) -> Option<&mut Channel> {
        self.list.get_mut(usize::from(number))?.as_deref_mut()
    }

    /// The numbers of the channels that were used.
    pub(crate) fn used(&self) -> impl Iterator<Item = u8> + use<> {
        let used: Vec<u8> = (0..self.list.len())
            .filter(|&index| self.list[index].is_some())
            .map(|index| index as u8)
            .collect();
        used.into_iter()
    }
}
