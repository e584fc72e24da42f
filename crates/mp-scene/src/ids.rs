//! Ids of nodes: net ids and path ids.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

/// A source of net ids and path ids for branches between which peers move
/// ([`BranchBuilder::moves`](crate::BranchBuilder::moves)). Clones are the same source.
///
/// A Godot client accepts each path id once while its connection lasts, and a late packet must not
/// reach a node of another branch. So branches draw blocks of 256 ids that no other branch of the
/// source gets, and all peers of a branch are sent the same ids.
///
/// There are 2³¹ ids. After 8,388,608 blocks the source begins again with the first one. A branch
/// uses at least one block for net ids and one for path ids.
#[derive(Clone, Debug, Default)]
pub struct IdBlocks(Arc<AtomicU32>);

impl IdBlocks {
    /// Number of ids of a block.
    const SIZE: u32 = 256;
    /// Number of blocks. Bit 31 of an id marks path ids in a SYNC.
    const COUNT: u32 = (1 << 31) / Self::SIZE;

    /// Creates a source whose first block begins with 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the source of this process.
    pub fn of_process() -> Self {
        static PROCESS: OnceLock<IdBlocks> = OnceLock::new();
        PROCESS.get_or_init(Self::new).clone()
    }

    /// Returns a counter of ids that draws from this source.
    pub fn counter(&self) -> IdCounter {
        let mut counter = IdCounter::default();
        counter.set_blocks(self.clone());
        counter
    }

    /// Returns the number of blocks that were drawn.
    pub(crate) fn drawn(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Continues after a number of blocks.
    pub(crate) fn set_drawn(&self, drawn: u32) {
        self.0.store(drawn, Ordering::Relaxed);
    }

    /// Draws a block. Returns the id before its first one, and its last id.
    fn draw(&self) -> (u32, u32) {
        // 2³² is a multiple of the number of blocks, so an overflow skips none.
        let first = self.0.fetch_add(1, Ordering::Relaxed) % Self::COUNT * Self::SIZE;
        // 0 is not an id.
        (first.max(1) - 1, first + (Self::SIZE - 1))
    }
}

/// Ids of one kind that a branch assigns.
#[derive(Debug)]
pub struct IdCounter {
    last: u32,
    /// Last id of the block.
    end: u32,
    /// `None`: ids count up from 1, as in Godot.
    blocks: Option<IdBlocks>,
}

impl IdCounter {
    const MAX: u32 = (1 << 31) - 1;

    /// Returns an id from 1 to 2³¹ − 1 that was not assigned before. Without blocks, ids start
    /// again after 2³¹ − 1.
    #[expect(clippy::should_implement_trait, reason = "a counter has no end")]
    pub fn next(&mut self) -> u32 {
        if self.last >= self.end {
            (self.last, self.end) = match &self.blocks {
                Some(blocks) => blocks.draw(),
                None => (0, Self::MAX),
            };
        }
        self.last += 1;
        self.last
    }

    /// Draws ids from `blocks` from now on.
    pub(crate) fn set_blocks(&mut self, blocks: IdBlocks) {
        *self = Self { last: 0, end: 0, blocks: Some(blocks) };
    }

    /// Returns the position, from which another counter [continues](Self::continue_at).
    pub fn position(&self) -> IdPosition {
        IdPosition { last: self.last, end: self.end }
    }

    /// Assigns the ids after a position from now on. Ids of a position that is no position of a
    /// counter are never assigned.
    pub fn continue_at(&mut self, position: IdPosition) {
        let end = position.end.min(Self::MAX);
        (self.last, self.end) = (position.last.min(end), end);
    }

    /// Returns the source of the blocks; `None` if ids count up from 1.
    pub(crate) fn blocks(&self) -> Option<&IdBlocks> {
        self.blocks.as_ref()
    }

    /// Handles the end of the session: ids start again, except those from blocks, which peers that
    /// have moved away still know.
    pub(crate) fn restart(&mut self) {
        if self.blocks.is_none() {
            *self = Self::default();
        }
    }

    /// Returns the id that was assigned last; 0 if there is none.
    #[cfg(test)]
    pub(crate) fn last(&self) -> u32 {
        self.last
    }
}

/// The position of an [`IdCounter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdPosition {
    last: u32,
    /// Last id of the block.
    end: u32,
}

impl IdPosition {
    /// Returns the position after `skipped` further ids of the block.
    pub(crate) fn skipping(self, skipped: u32) -> Self {
        Self { last: self.last.saturating_add(skipped).min(self.end), ..self }
    }
}

impl Default for IdCounter {
    fn default() -> Self {
        Self { last: 0, end: Self::MAX, blocks: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_up_from_1_and_start_again_after_the_last() {
        let mut ids = IdCounter::default();
        assert_eq!([ids.next(), ids.next()], [1, 2]);
        ids.last = IdCounter::MAX - 1;
        assert_eq!([ids.next(), ids.next()], [IdCounter::MAX, 1]);
        ids.restart();
        assert_eq!(ids.next(), 1);
    }

    #[test]
    fn branches_of_one_source_share_no_id() {
        let blocks = IdBlocks::new();
        let mut counters = [(); 3].map(|()| IdCounter::default());
        counters.iter_mut().for_each(|ids| ids.set_blocks(blocks.clone()));
        let mut assigned: Vec<_> = (0..3_000).map(|number| counters[number % 3].next()).collect();
        counters.iter_mut().for_each(IdCounter::restart);
        assigned.extend(counters.iter_mut().map(IdCounter::next));
        assert_eq!(assigned[..4], [1, 256, 512, 2]);
        let count = assigned.len();
        assigned.sort_unstable();
        assigned.dedup();
        assert_eq!(assigned.len(), count);
    }

    #[test]
    fn source_begins_again_after_the_last_block() {
        let blocks = IdBlocks::new();
        blocks.0.store(IdBlocks::COUNT - 1, Ordering::Relaxed);
        let mut ids = IdCounter::default();
        ids.set_blocks(blocks);
        let assigned: Vec<_> = (0..257).map(|_| ids.next()).collect();
        assert_eq!((assigned[255], assigned[256]), (IdCounter::MAX, 1));
    }
}
