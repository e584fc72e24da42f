//! Outputs and statistics of an [`Authenticator`](crate::Authenticator).

use mp_core::ReasonCounts;

use crate::http::{HttpFailure, HttpRequest};
use crate::identity::Identity;
use crate::refusal::{AuthRefusal, AuthRejection};

/// A player that authenticates. The host assigns the numbers; each is in use once at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "hosts construct it")]
pub struct RequestId(pub u64);

/// An HTTP request of an authenticator, unique in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(pub(crate) u64);

/// A decision or a request of an authenticator.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "hosts must handle all outputs")]
pub enum AuthOutput {
    /// The authentication of a player is complete.
    Decided {
        /// The player.
        request: RequestId,
        /// The identity of the player, or the reason for which it is refused.
        decision: Result<Identity, AuthRejection>,
    },
    /// The host sends an HTTP request, and passes the response to
    /// [`Authenticator::handle_response`](crate::Authenticator::handle_response).
    Fetch {
        /// The id of the request.
        fetch: FetchId,
        /// The request.
        http: HttpRequest,
    },
}

/// Statistics of an authenticator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthStats {
    /// Players accepted so far.
    pub accepted: u64,
    /// Players refused so far.
    pub refused: ReasonCounts<AuthRefusal>,
    /// HTTP requests so far.
    pub fetches: u64,
    /// HTTP requests that failed so far.
    pub fetch_failures: ReasonCounts<HttpFailure>,
    /// Players that wait for a decision now.
    pub waiting: usize,
    /// HTTP requests that are not answered yet.
    pub fetching: usize,
    /// Addresses whose failed attempts are remembered now.
    pub failed_addresses: usize,
}
