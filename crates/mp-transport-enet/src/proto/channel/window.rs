//! Reliable windows. The 65,536 sequence numbers of a channel form 16 windows of 4,096. A sender
//! keeps the windows ahead free, so that a number is never ambiguous. A receiver treats numbers up
//! to seven windows ahead as new, and others as old.

/// The position of a reliable sequence number, relative to the last one delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SequencePosition {
    /// Number of commands after the last one delivered; 0 is that command itself.
    Ahead(u16),
    /// Received long ago: acknowledged again, not delivered.
    Old,
    /// Further ahead than the send windows allow: neither delivered nor acknowledged.
    Beyond,
}

/// Returns the position of `sequence` if `current` was delivered last.
pub(crate) const fn position(sequence: u16, current: u16) -> SequencePosition {
    let own = sequence / SIZE + if sequence < current { COUNT } else { 0 };
    let window = current / SIZE;
    if own >= window && own < window + FREE - 1 {
        SequencePosition::Ahead(sequence.wrapping_sub(current))
    } else if own == window + FREE - 1 || own == window + FREE {
        SequencePosition::Beyond
    } else {
        SequencePosition::Old
    }
}

/// Numbers of reliable commands in flight on a channel, per window.
#[derive(Clone, Debug, Default)]
pub(crate) struct SendWindows {
    counts: [u16; COUNT as usize],
    used: u16,
}

impl SendWindows {
    /// Returns whether `sequence` may be sent for the first time. Only the first number of a window
    /// can be blocked: until the window before it has capacity and the ten windows from it on are
    /// free.
    pub(crate) fn admits(&self, sequence: u16) -> bool {
        if !sequence.is_multiple_of(SIZE) {
            return true;
        }
        let window = sequence / SIZE;
        let before = (window + COUNT - 1) % COUNT;
        let ahead = AHEAD.rotate_left(u32::from(window));
        self.counts[usize::from(before)] < SIZE && self.used & ahead == 0
    }

    /// Records that `sequence` was sent for the first time.
    pub(crate) fn sent(&mut self, sequence: u16) {
        let window = sequence / SIZE;
        self.counts[usize::from(window)] += 1;
        self.used |= 1 << window;
    }

    /// Records that `sequence` was acknowledged.
    pub(crate) fn acknowledged(&mut self, sequence: u16) {
        let window = sequence / SIZE;
        let count = &mut self.counts[usize::from(window)];
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.used &= !(1 << window);
        }
    }
}

const SIZE: u16 = 4_096;
const COUNT: u16 = 16;
const FREE: u16 = 8;
/// Bits of the windows that must be free, from window 0 on: `FREE + 2` windows.
const AHEAD: u16 = (1 << (FREE + 2)) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_up_to_seven_windows_ahead_are_new() {
        assert_eq!(position(0, 0), SequencePosition::Ahead(0));
        assert_eq!(position(1, 0), SequencePosition::Ahead(1));
        // Godot acknowledges windows 6 and 9 to 15, but not 7 and 8.
        assert_eq!(position(6 * SIZE, 0), SequencePosition::Ahead(6 * SIZE));
        assert_eq!(position(7 * SIZE - 1, 0), SequencePosition::Ahead(7 * SIZE - 1));
        assert_eq!(position(7 * SIZE, 0), SequencePosition::Beyond);
        assert_eq!(position(8 * SIZE, 0), SequencePosition::Beyond);
        for window in 9..16 {
            assert_eq!(position(window * SIZE, 0), SequencePosition::Old, "window {window}");
        }
    }

    #[test]
    fn positions_wrap_around() {
        let current = 15 * SIZE + 100;
        assert_eq!(position(5, current), SequencePosition::Ahead(SIZE - 100 + 5));
        assert_eq!(position(current - 1, current), SequencePosition::Old);
        assert_eq!(position(6 * SIZE, current), SequencePosition::Beyond);
        assert_eq!(position(9 * SIZE, current), SequencePosition::Old);
    }

    #[test]
    fn a_window_opens_when_the_previous_one_has_capacity_and_ten_are_free() {
        let mut windows = SendWindows::default();
        assert!(windows.admits(SIZE));
        for sequence in 0..SIZE {
            windows.sent(sequence);
        }
        assert!(!windows.admits(SIZE), "the window before is full");
        assert!(windows.admits(SIZE + 1), "only the first number of a window is blocked");
        windows.acknowledged(17);
        assert!(windows.admits(SIZE));
        for window in [7, 8, 15] {
            assert!(
                !windows.admits(window * SIZE),
                "window 0 lies less than ten ahead of {window}"
            );
        }
        assert!(windows.admits(6 * SIZE), "window 0 lies ten ahead");
    }

    #[test]
    fn a_window_is_free_once_all_of_it_is_acknowledged() {
        let mut windows = SendWindows::default();
        windows.sent(1);
        windows.sent(2);
        windows.acknowledged(1);
        assert!(!windows.admits(15 * SIZE));
        windows.acknowledged(2);
        assert!(windows.admits(15 * SIZE));
        windows.acknowledged(2);
        assert!(windows.admits(SIZE), "a duplicate acknowledgement must have no effect");
    }
}
