//! The actix host of mp.
//!
//! A [`Branch`](mp_scene::Branch) and an [`Endpoint`](mp_core::Endpoint) are state machines; here each gets a mailbox,
//! a clock and a thread. Read [`branch()`] first, then [`BranchRef`].
//!
//! ```text
//!                 ToBranch, in batches                 PeerActor      one per remote peer: authentication, kick, figures
//!  socket ─ EndpointActor ──────────► BranchActor ──── ChannelActor   one per typed channel
//!                         ◄────────── hooks, nodes ─── BranchRef      with, signals, close
//!                ToEndpoint, in batches
//! ```
//!
//! * Packets cross one mailbox on the way in and one on the way out, in batches: a turn follows each drain of a mailbox.
//! * Mailboxes are bounded and nobody waits for another's: what does not fit stays with its sender and is offered again
//!   within a millisecond, so two full mailboxes that face each other cannot lock.
//! * A panic in code of the program's own ends its branch only: its endpoints deliver what they had accepted and say
//!   goodbye, and [`BranchRef::closed`] says what happened.
//! * A transport is made on the thread where it is run, and so is a branch; neither needs to be `Send`.

mod auth;
mod branch;
mod branch_ref;
mod channel;
mod channel_routes;
mod clock;
mod endpoint;
mod error;
mod guarded_log;
mod home;
pub mod limits;
mod mail;
mod peer;
pub mod prelude;
mod roster;
mod scene_tree;
mod signals;
mod start;
mod turn;
#[cfg(debug_assertions)]
mod watchdog;

pub use auth::AuthRequest;
pub use branch_ref::{BranchHostStats, BranchRef};
pub use channel::{
    ChannelActor, ChannelMessage, ChannelRef, ChannelStats, Messages, Publish, Received, Subscribe,
};
pub use endpoint::EndpointRef;
pub use error::{AnswerError, CallError, ChannelError, Ended, PublishError, StartError};
pub use peer::{CompleteAuth, Disconnect, PeerActor, PeerRef, PeerStats, SendAuth, Stats};
pub use scene_tree::{SceneTree, SceneTreeError};
pub use signals::Signals;
pub use start::{Launch, TransportError, branch};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
