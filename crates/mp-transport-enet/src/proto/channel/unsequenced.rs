//! Detection of duplicate unsequenced packets: a bitmap of the current block of 1,024 groups. A
//! packet of a later block starts a new bitmap. Packets of earlier blocks are dropped from then on.

/// The received groups of one peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unsequenced {
    base: u16,
    /// Allocated for the first unsequenced packet.
    seen: Option<Box<[u64; WORDS]>>,
}

impl Unsequenced {
    /// Records a packet of `group`. Returns whether to deliver it.
    pub(crate) fn accept(&mut self, group: u16) -> bool {
        let block = group - group % BITS;
        let ahead = u32::from(group) + if group < self.base { 65_536 } else { 0 };
        if ahead >= u32::from(self.base) + AHEAD {
            return false;
        }
        let seen = self.seen.get_or_insert_default();
        if block != self.base {
            self.base = block;
            **seen = [0; WORDS];
        }
        let (word, bit) = (usize::from(group % BITS / 64), 1 << (group % 64));
        let new = seen[word] & bit == 0;
        seen[word] |= bit;
        new
    }
}

const BITS: u16 = 1_024;
const WORDS: usize = BITS as usize / 64;
/// Number of groups that count as newer than the current block: 32 blocks.
const AHEAD: u32 = 32 * BITS as u32;

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(groups: &[u16]) -> Vec<u16> {
        let mut unsequenced = Unsequenced::default();
        groups.iter().copied().filter(|&group| unsequenced.accept(group)).collect()
    }

    #[test]
    fn each_group_of_the_current_block_is_accepted_once() {
        // As observed with Godot.
        assert_eq!(accepted(&[3, 1, 3, 2, 1025, 1, 1026]), [3, 1, 2, 1025, 1026]);
    }

    #[test]
    fn groups_wrap_around() {
        assert_eq!(
            accepted(&[31_000, 62_000, 65_535, 0, 65_535, 1]),
            [31_000, 62_000, 65_535, 0, 1]
        );
    }

    #[test]
    fn groups_far_ahead_count_as_old() {
        assert_eq!(accepted(&[32_768, 40_000, 32_767]), [32_767]);
    }
}
