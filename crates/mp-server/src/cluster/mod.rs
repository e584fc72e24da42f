//! The cluster: rooms of several servers, of which each takes any player.
//!
//! ```text
//!  RoomsHost ── ToNode ──► Driver ── frames, requests ──► bus
//!            ◄─ HostCall ─   │ ▲ └── operations ────────► directory
//!      endpoints, branches ◄─┘ └─ their messages
//! ```
//!
//! A player whose room does not exist here waits undecided at its endpoint. The driver finds the
//! room's node, which decides as about players of its own. An admitted connection is assigned to a
//! [`RemoteBranch`](mp_actor::RemoteBranch), whose messages cross the bus to a
//! [`RemoteEndpoint`](mp_actor::RemoteEndpoint) at the room's branch.

mod asks;
mod calls;
mod departures;
mod driver;
mod far;
mod guests;
mod handle;
mod here;
mod join;
mod limits;
mod lists;
#[cfg(feature = "cluster")]
mod nats;
mod near;
mod node;
mod requests;
mod restored;
mod servers;
mod snapshots;
mod stats;
mod storage;
mod tickets;

pub(crate) use far::REDIRECTED;
pub(crate) use guests::is_guest;
pub(crate) use handle::{
    Applicant, ClaimOutcome, ClusterHandle, GuestDecision, RemoteRequest, TicketHolder, ToNode,
};
pub(crate) use join::{NatsFacts, check, join};
pub(crate) use limits::LimitedRequest;
pub(crate) use lists::LIST_AGE_MAX;
#[cfg(test)]
pub(crate) use node::RunningNode;
pub use node::{ClusterNode, WithoutSnapshot};
pub(crate) use servers::PlayerServer;
pub(crate) use stats::{ClusterStats, SharedStats};
