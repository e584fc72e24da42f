//! Which branch a connection belongs to.

use crate::{BranchId, DisconnectReason, Origin, PeerId};

/// Decides which branch a new connection belongs to.
pub trait ConnectionRouter {
    /// The branch for `connection`.
    ///
    /// # Errors
    ///
    /// The reason with which the connection is rejected.
    fn route(&mut self, connection: &NewConnection<'_>) -> Result<BranchId, DisconnectReason>;
}

/// Routes every connection to one branch: a game with one room.
impl ConnectionRouter for BranchId {
    fn route(&mut self, _connection: &NewConnection<'_>) -> Result<BranchId, DisconnectReason> {
        Ok(*self)
    }
}

/// A connection that has just been established.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NewConnection<'a> {
    /// The peer id that it claims.
    pub claimed_id: Option<PeerId>,
    /// Where it comes from.
    pub origin: &'a Origin,
}
