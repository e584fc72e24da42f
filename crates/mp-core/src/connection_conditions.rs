//! [`ConnectionConditions`]: simulated network conditions of a connection.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "simulators construct conditions and statistics, and callers match on errors"
)]

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

/// The conditions that a transport can simulate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkSimulation {
    /// None: the transport has no network, or does not support it.
    #[default]
    None,
    /// Delay and rate: the transport is a stream, whose protocol hides the others.
    Stream,
    /// All: the transport sends datagrams. Its protocol repeats reliable data that is lost.
    Datagrams,
}

/// The reason why conditions of a connection could not be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionsError {
    /// There is no such connection.
    #[error("there is no such connection")]
    UnknownConnection,
    /// The transport cannot simulate conditions.
    #[error("this transport cannot simulate link conditions")]
    Unsupported,
    /// The transport is a stream, and conditions of datagrams were given.
    #[error(
        "a stream (WebSocket) has a delay and a rate only; jitter, loss, duplication and reordering \
         need ENet or WebRTC"
    )]
    DatagramsOnly,
}

impl ConnectionConditions {
    /// Returns the same conditions for both directions. A delay counts twice in the round trip.
    pub fn both(conditions: LinkConditions) -> Self {
        Self { outgoing: conditions, incoming: conditions }
    }

    /// Returns the conditions that apply to a stream: delay and rate.
    #[must_use]
    pub fn of_stream(&self) -> Self {
        let of_stream = |all: LinkConditions| LinkConditions {
            delay: all.delay,
            bytes_per_second: all.bytes_per_second,
            ..LinkConditions::default()
        };
        Self { outgoing: of_stream(self.outgoing), incoming: of_stream(self.incoming) }
    }
}

impl LinkSimulation {
    /// Checks that a transport can simulate `conditions`.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ConditionsError::Unsupported) and
    /// [`DatagramsOnly`](ConditionsError::DatagramsOnly).
    pub fn check(self, conditions: &ConnectionConditions) -> Result<(), ConditionsError> {
        match self {
            Self::None => Err(ConditionsError::Unsupported),
            Self::Stream if *conditions != conditions.of_stream() => {
                Err(ConditionsError::DatagramsOnly)
            }
            Self::Stream | Self::Datagrams => Ok(()),
        }
    }
}
