//! Hosts of the state machines of mp: they run branches and endpoints between mailboxes. A host
//! decides how much input is handled before a turn, what happens when a mailbox is full or an
//! endpoint is abandoned, and how both close.
//!
//! A host is itself a state machine without I/O. It does not own its branch or endpoint: each call
//! borrows it, so that its owner can catch its panics or wrap it.
//!
//! | user | owner of the state machines | mailboxes |
//! |---|---|---|
//! | `mp-actor` | actix actors | actix's |
//! | `mp-sim` | processes of a simulated world | [`LocalMailbox`] |
//! | `mp_scene::Branch::poll` | the branch, with an endpoint | [`LocalMailbox`] |
//!
//! # The turn
//!
//! 1. [`handle_input`](BranchHost::handle_input) is called for each message until
//!    [`needs_turn`](BranchHost::needs_turn) returns true.
//! 2. `turn` ends the state machine's turn.
//! 3. It delivers the output to [`Mailbox`]es. A full one is tried again after
//!    [`DELIVERY_RETRY`](limits::DELIVERY_RETRY).
//! 4. It returns the time of the next turn, or that the state machine has ended.

mod branch;
mod budget;
mod endpoint;
pub mod limits;
mod mailbox;
mod recorded;

pub use branch::{
    BranchEnd, BranchHost, BranchHostStats, CheckpointError, HostEvent, HostedBranch,
};
pub use endpoint::{EndpointHost, HostedEndpoint};
pub use mailbox::{LocalMailbox, Mailbox, TrySendError};
pub use recorded::{BranchRecorder, Recorded};
