//! [`ConnectionConditions`]: simulated network conditions of a connection.
#![expect(clippy::exhaustive_structs, reason = "simulators construct conditions and statistics")]

use crate::link_shaper::LinkConditions;

/// Simulated conditions of a connection, for each direction. By default there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionConditions {
    /// Conditions of data that is sent to the remote peer.
    pub outgoing: LinkConditions,
    /// Conditions of data that is received from it.
    pub incoming: LinkConditions,
}

/// Counters of the simulated link of a connection, both directions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Datagrams that the link has lost, at random or because of its rate.
    pub lost: u64,
    /// Datagrams dropped because too many bytes were on their way.
    pub overflowed: u64,
    /// Bytes on their way.
    pub queued_bytes: usize,
}

impl ConnectionConditions {
    /// Returns the same conditions for both directions. A delay counts twice in the round trip.
    pub fn both(conditions: LinkConditions) -> Self {
        Self { outgoing: conditions, incoming: conditions }
    }
}
