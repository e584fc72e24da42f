//! The sessions of a connection: two bits in each header by which late datagrams of the previous
//! user of a slot are recognized.

/// The sessions of a slot, 0 to 3; 0xff when there was none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sessions {
    /// In headers that are received.
    incoming: u8,
    /// In headers that are sent.
    outgoing: u8,
}

impl Sessions {
    /// Those of a slot that was not used yet.
    pub(crate) const NONE: Self = Self { incoming: 0xff, outgoing: 0xff };

    pub(crate) const fn new(incoming: u8, outgoing: u8) -> Self {
        Self { incoming, outgoing }
    }

    /// The session in headers that are received, as CONNECT has it.
    pub(crate) const fn incoming(self) -> u8 {
        self.incoming
    }

    /// The session in headers that are sent, as CONNECT has it.
    pub(crate) const fn outgoing(self) -> u8 {
        self.outgoing
    }

    /// The two bits in headers that are sent.
    pub(crate) const fn outgoing_bits(self) -> u8 {
        self.outgoing & 3
    }

    /// Returns whether a header that is received with `bits` is of this session.
    pub(crate) const fn expects(self, bits: u8) -> bool {
        bits == self.incoming & 3
    }

    /// Returns the sessions of the next client of a slot, given those that its CONNECT has.
    pub(crate) fn next(self, client_incoming: u8, client_outgoing: u8) -> Self {
        let next = |theirs: u8, ours: u8| {
            let from = if theirs == 0xff { ours } else { theirs };
            let session = from.wrapping_add(1) & 3;
            if session == ours { (session + 1) & 3 } else { session }
        };
        Self {
            incoming: next(client_outgoing, self.incoming),
            outgoing: next(client_incoming, self.outgoing),
        }
    }

    /// Returns the sessions with an outgoing one whose bits are none of `taken`, where possible.
    pub(crate) fn apart_from(self, taken: &[u8]) -> Self {
        let apart =
            (0..4).map(|step| (self.outgoing + step) & 3).find(|bits| !taken.contains(bits));
        Self { outgoing: apart.unwrap_or(self.outgoing), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_a_slot_go_round() {
        // Godot 4.6.3 with one slot: the headers of its second client begin with 9000, those of the first with 8000.
        let mut sessions = Sessions::NONE;
        let mut seen = Vec::new();
        for _ in 0..6 {
            sessions = sessions.next(0xff, 0xff);
            seen.push((sessions.incoming, sessions.outgoing));
        }
        assert_eq!(seen, [(0, 0), (1, 1), (2, 2), (3, 3), (0, 0), (1, 1)]);
    }

    #[test]
    fn a_session_that_both_sides_knew_is_not_used_again() {
        let slot = Sessions { incoming: 1, outgoing: 2 };
        // The client's last incoming session was 3, so 0; its last outgoing one was 0, so 1, which the slot just had: 2.
        assert_eq!(slot.next(3, 0), Sessions { incoming: 2, outgoing: 0 });
        assert_eq!(slot.next(1, 0xff), Sessions { incoming: 2, outgoing: 3 });
    }
}
