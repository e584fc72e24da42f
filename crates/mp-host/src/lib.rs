//! The policy that runs beside a machine of mp: how much it takes in before a turn, what happens
//! when a mailbox is full, when an endpoint is left, and how both end.
//!
//! A host is a state machine without I/O, as the machines themselves. It does not own its machine:
//! each call takes it as an argument, so that whoever owns it can catch its panics, wrap it, or be
//! it.
//!
//! | who | owns the machines | mailboxes |
//! |---|---|---|
//! | `mp-actor` | actix actors | actix's |
//! | `mp-sim` | processes of a simulated world | [`LocalMailbox`] |
//! | `mp_scene::Branch::poll` | the branch itself, and an endpoint around the transport that it is given | [`LocalMailbox`] |
//!
//! # The turn
//!
//! 1. [`handle_input`](BranchHost::handle_input) for each message, until
//!    [`needs_turn`](BranchHost::needs_turn) says that the turn comes first;
//! 2. `turn` ends the machine's turn,
//! 3. delivers its output to [`Mailbox`]es, of which a full one is tried again after
//!    [`DELIVERY_RETRY`](limits::DELIVERY_RETRY),
//! 4. and returns when the next turn is due, or that the machine has ended.

mod branch;
mod budget;
mod endpoint;
pub mod limits;
mod mailbox;

pub use branch::{BranchEnd, BranchHost, BranchHostStats, HostEvent, HostedBranch};
pub use endpoint::{EndpointHost, HostedEndpoint};
pub use mailbox::{LocalMailbox, Mailbox, TrySendError};
