//! The sessions of a connection: two bits in each header that identify late datagrams of the
//! previous peer in a slot.

/// The session ids of a slot, 0 to 3, or 0xff before the first connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sessions {
    /// Session of received headers.
    incoming: u8,
    /// Session of sent headers.
    outgoing: u8,
}

impl Sessions {
    /// The sessions of an unused slot.
    pub(crate) const NONE: Self = Self { incoming: 0xff, outgoing: 0xff };

    pub(crate) const fn new(incoming: u8, outgoing: u8) -> Self {
        Self { incoming, outgoing }
    }

    /// Returns the session of received headers, as in CONNECT.
    pub(crate) const fn incoming(self) -> u8 {
        self.incoming
    }

    /// Returns the session of sent headers, as in CONNECT.
    pub(crate) const fn outgoing(self) -> u8 {
        self.outgoing
    }

    /// Returns the two session bits of sent headers.
    pub(crate) const fn outgoing_bits(self) -> u8 {
        self.outgoing & 3
    }

    /// Returns whether a received header with `bits` belongs to this session.
    pub(crate) const fn expects(self, bits: u8) -> bool {
        bits == self.incoming & 3
    }

    /// Returns the sessions for the next client of a slot, given those in its CONNECT.
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

    /// Changes the outgoing session, if possible, so that its bits are not in `taken`.
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
    fn sessions_of_a_slot_are_cyclic() {
        // Godot 4.6.3 with one slot: the headers of the second client begin with 9000, those of the
        // first with 8000.
        let mut sessions = Sessions::NONE;
        let mut seen = Vec::new();
        for _ in 0..6 {
            sessions = sessions.next(0xff, 0xff);
            seen.push((sessions.incoming, sessions.outgoing));
        }
        assert_eq!(seen, [(0, 0), (1, 1), (2, 2), (3, 3), (0, 0), (1, 1)]);
    }

    #[test]
    fn a_session_that_both_peers_used_last_is_not_reused() {
        let slot = Sessions { incoming: 1, outgoing: 2 };
        // The client's last incoming session was 3, so the next is 0. Its last outgoing one was 0,
        // so the next would be 1, which the slot just used: 2.
        assert_eq!(slot.next(3, 0), Sessions { incoming: 2, outgoing: 0 });
        assert_eq!(slot.next(1, 0xff), Sessions { incoming: 2, outgoing: 3 });
    }
}
