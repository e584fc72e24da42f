//! [`Checkpoint`]: the state of a branch from which a replay can start.

use mp_core::serde::list_of_at_most;
use mp_core::{ConnectionId, EndpointId};
use serde::{Deserialize, Serialize};

use crate::limits::{CHECKPOINT_BYTES_MAX, CONNECTIONS_MAX, ENDPOINTS_MAX, FACTS_MAX};
use crate::watch::ClientView;

/// The state of a recorded branch between two turns. A recording whose beginning was dropped begins
/// with one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The state of the branch, see [`HostedBranch::checkpoint`](mp_host::HostedBranch).
    pub(crate) state: Vec<u8>,
    /// The last answers of the program, see [`Facts`](crate::Facts).
    #[serde(deserialize_with = "list_of_at_most::<_, _, FACTS_MAX>")]
    pub(crate) facts: Vec<(u64, u64)>,
    /// The connections of each endpoint.
    #[serde(deserialize_with = "list_of_at_most::<_, _, ENDPOINTS_MAX>")]
    pub(crate) connections: Vec<(EndpointId, Vec<ConnectionId>)>,
    /// The nodes that each client has.
    #[serde(deserialize_with = "list_of_at_most::<_, _, CONNECTIONS_MAX>")]
    pub(crate) views: Vec<ClientView>,
}

impl Checkpoint {
    /// Returns whether the state is small enough for a recording. Views are added as far as there
    /// is capacity.
    pub(crate) fn fits(state: &[u8]) -> bool {
        state.len() <= CHECKPOINT_BYTES_MAX / 2
    }
}
