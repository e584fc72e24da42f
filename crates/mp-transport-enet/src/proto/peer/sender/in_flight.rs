//! The reliable commands of a peer that were sent and are not acknowledged.

use std::collections::VecDeque;

use mp_core::bug;
use slab::Slab;

use super::outgoing::{Key, SentCommand};
use super::release::{QUEUE_KEPT, release_queue};

/// Commands in flight, found by channel and sequence number in constant time.
///
/// The commands of a channel are sent in the order of their numbers. So a queue per channel maps
/// consecutive numbers to the places of their commands. Acknowledged commands leave gaps in it,
/// which end with the oldest command in flight: a send window bounds them.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    commands: Slab<SentCommand>,
    /// Channels with commands in flight, and some without.
    channels: Vec<ChannelPlaces>,
}

/// Places of the commands of a channel.
#[derive(Debug)]
struct ChannelPlaces {
    channel: u8,
    /// Sequence number of the first place.
    first: u16,
    /// [`VACANT`] for an acknowledged command. The first and the last are never vacant.
    places: VecDeque<u32>,
}

impl InFlight {
    pub(super) const fn new() -> Self {
        Self { commands: Slab::new(), channels: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Inserts a command that was sent for the first time, after all others of its channel.
    pub(super) fn insert(&mut self, (channel, sequence): Key, command: SentCommand) {
        if self.commands.capacity() == 0 {
            // An idle peer has one command in flight: a ping.
            self.commands.reserve_exact(1);
        }
        let place = self.commands.insert(command) as u32;
        let known = self.channels.iter_mut().find(|it| it.channel == channel);
        let Some(known) = known else {
            self.channels.reserve_exact(1);
            let places = VecDeque::from([place]);
            self.channels.push(ChannelPlaces { channel, first: sequence, places });
            return;
        };
        if known.places.is_empty() {
            known.first = sequence;
        }
        let index = usize::from(sequence.wrapping_sub(known.first));
        if index < known.places.len() {
            bug!("reliable command {sequence} of channel {channel} is sent twice");
        }
        // Numbers are only skipped on the control channel, by commands that are sent once.
        while known.places.len() < index {
            known.places.push_back(VACANT);
        }
        known.places.push_back(place);
    }

    pub(super) fn get_mut(&mut self, (channel, sequence): Key) -> Option<&mut SentCommand> {
        let known = self.channels.iter().find(|it| it.channel == channel)?;
        let place = *known.places.get(usize::from(sequence.wrapping_sub(known.first)))?;
        self.commands.get_mut(place as usize)
    }

    /// Removes a command.
    pub(super) fn remove(&mut self, (channel, sequence): Key) -> Option<SentCommand> {
        let known = self.channels.iter_mut().find(|it| it.channel == channel)?;
        let place = known.places.get_mut(usize::from(sequence.wrapping_sub(known.first)))?;
        let command = self.commands.try_remove(std::mem::replace(place, VACANT) as usize)?;
        while known.places.front() == Some(&VACANT) {
            known.places.pop_front();
            known.first = known.first.wrapping_add(1);
        }
        while known.places.back() == Some(&VACANT) {
            known.places.pop_back();
        }
        release_queue(&mut known.places);
        if self.commands.is_empty() && self.commands.capacity() > QUEUE_KEPT {
            self.commands = Slab::new();
        }
        Some(command)
    }

    /// Frees the memory that an idle peer does not need.
    pub(super) fn release(&mut self) {
        if self.commands.is_empty() && self.commands.capacity() > 1 {
            *self = Self::new();
        }
    }

    /// Returns the commands in any order.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut SentCommand> {
        self.commands.iter_mut().map(|(_, command)| command)
    }
}

/// No place. A slab of commands cannot be that large.
const VACANT: u32 = u32::MAX;
