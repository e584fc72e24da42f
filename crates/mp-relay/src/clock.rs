//! [`SyncClock`]: the sequence numbers of the SYNCs that a guest receives.

use serde::{Deserialize, Serialize};

/// The sequence numbers of a guest's SYNCs, over several hosts.
///
/// Each host counts from 1, and a guest ignores numbers below the last one. So the numbers of a new
/// host continue those of its predecessor. Numbers wrap at 2¹⁶.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SyncClock {
    offset: u16,
    /// The newest number that was sent.
    last: u16,
}

/// Maximum difference of a number to the newest one before it: of a packet that others overtook.
const OVERTAKEN_MAX: u16 = 1_024;

impl SyncClock {
    /// Returns the number that is sent for one of the present host.
    pub(crate) fn map(&mut self, time: u16) -> u16 {
        let mapped = time.wrapping_add(self.offset);
        // A guest whose synchronizers are hidden for minutes misses half of the numbers.
        if self.last.wrapping_sub(mapped) > OVERTAKEN_MAX {
            self.last = mapped;
        }
        mapped
    }

    /// Returns the number of a SYNC that the room itself sends.
    pub(crate) fn next(&mut self) -> u16 {
        self.last = self.last.wrapping_add(1);
        self.last
    }

    /// Continues with the numbers of another host.
    pub(crate) fn change_host(&mut self) {
        self.offset = self.last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_next_host_continue_those_of_the_last() {
        let mut clock = SyncClock::default();
        // The last one was overtaken.
        let times = [1, 30_000, 65_535, 65_533];
        assert_eq!(times.map(|time| clock.map(time)), times);
        clock.change_host();
        assert_eq!([1, 2].map(|time| clock.map(time)), [0, 1]);
        assert_eq!(clock.next(), 2);
        clock.change_host();
        assert_eq!(clock.map(1), 3);
    }
}
