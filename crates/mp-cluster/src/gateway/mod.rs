//! Gateways: a pair of state machines by which a room on one node serves a connection on another.
//!
//! ```text
//!  node with the player's socket                      node with the room
//!  Endpoint ── ToBranch ──► NearGateway ── frames ──► FarGateway ── ToBranch ──► Branch
//!           ◄─ ToEndpoint ─             ◄── frames ──            ◄─ ToEndpoint ─
//! ```
//!
//! The near gateway is a branch to its endpoint; the far gateway is an endpoint to its branch.
//! Neither the endpoint nor the branch changes for it.
//!
//! * A batch of an endpoint or a branch becomes one frame or a few, and vice versa.
//! * **Credit** goes in both directions. A gateway without credit accepts no message: its endpoint
//!   pauses connections, its branch applies the limits of its outbox.
//! * **Loss.** Unreliable packets in a batch that the bus loses are lost. If reliable ones were in
//!   it, their connections are closed as [`DataLost`](GatewayEnd::DataLost), on both nodes.
//! * **Epoch.** A gateway accepts frames only of the room's owner at which it was opened, and ends
//!   when it sees a later one.
//! * **Adoption.** A near gateway whose room has lost its node may [hold](crate::Gateways::holding)
//!   its connections until another node has adopted the room.

mod delivery;
mod end;
mod far;
mod hold;
mod incoming;
pub(crate) mod link;
mod near;
mod outgoing;
mod stats;

use mp_core::{DisconnectReason, Rejection};

pub use self::end::GatewayEnd;
pub use self::far::{FarGateway, LinkOpening};
pub use self::near::NearGateway;
pub use self::stats::GatewayStats;

impl GatewayEnd {
    /// Returns whether the link has ended because the room has no node any more, or another one.
    fn is_of_owner(self) -> bool {
        matches!(
            self,
            Self::NodeLost
                | Self::LeaseLost
                | Self::RoomMoved
                | Self::UnknownLink
                | Self::LinkEnded
        )
    }

    /// Returns the reason with which connections are closed.
    pub fn disconnect_reason(self) -> DisconnectReason {
        match self {
            Self::Closed => DisconnectReason::Closed,
            end => DisconnectReason::Rejected(Rejection::from(end)),
        }
    }
}
