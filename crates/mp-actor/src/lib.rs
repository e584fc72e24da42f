//! Runs mp in actix actors.
//!
//! A [`Branch`](mp_scene::Branch) and an [`Endpoint`](mp_core::Endpoint) are state machines. Here
//! each gets a mailbox, a clock and a thread. Read [`branch()`] first, then [`BranchRef`].
//!
//! ```text
//!                 ToBranch, in batches                 PeerActor      one per remote peer
//!  socket ─ EndpointActor ──────────► BranchActor ──── ChannelActor   one per typed channel
//!                         ◄────────── hooks, nodes ─── BranchRef      with, signals, close
//!                ToEndpoint, in batches
//! ```
//!
//! * Packets pass one mailbox in each direction, in batches: a turn follows each drain of a
//!   mailbox.
//! * Mailboxes are bounded, and no actor blocks on a full one. Messages that do not fit stay with
//!   their sender, which offers them again within a millisecond. Two full mailboxes that send to
//!   each other therefore cannot deadlock.
//! * A panic in code of the program ends only its branch. The branch's endpoints deliver the
//!   packets that they have accepted and disconnect their peers, and [`BranchRef::closed`] returns
//!   the message of the panic.
//! * A transport is created on the thread on which it runs, and so is a branch. Neither needs to be
//!   `Send`.

mod arbiter_guard;
mod auth;
mod branch;
mod branch_ref;
mod channel;
mod channel_routes;
mod clock;
mod conditions;
mod endpoint;
mod error;
mod guarded_log;
pub mod limits;
mod link_conditions;
mod mail;
mod moves;
mod peer;
mod peer_actors;
mod peer_stats;
pub mod prelude;
mod remote;
mod remote_wake;
mod requests;
mod scene_tree;
mod shared_endpoint;
mod signals;
mod start;
mod stats;
mod system;
mod turn;
#[cfg(debug_assertions)]
mod watchdog;

pub use auth::AuthRequest;
pub use branch_ref::{BranchActorStats, BranchRef};
pub use channel::{
    ChannelActor, ChannelMessage, ChannelRef, ChannelStats, Messages, Publish, Received, Subscribe,
};
pub use endpoint::EndpointRef;
pub use error::{
    AskError, AuthResponseError, CallError, ChannelError, EndReason, MovePeerError, PublishError,
    StartError,
};
pub use peer::{CompleteAuth, DisconnectPeer, GetPeerStats, PeerActor, PeerRef, SendAuth};
pub use peer_stats::PeerStats;
pub use remote::{RemoteBranch, RemoteEndpoint, RemoteInput};
pub use remote_wake::{MailboxId, RemoteWake};
pub use scene_tree::{SceneTree, SceneTreeError};
pub use shared_endpoint::{SharedEndpoint, SharedEndpointStarter, shared_endpoint};
pub use signals::Signals;
pub use start::{BranchStarter, TransportError, branch};
pub use stats::{BranchStatsCollector, BranchTotals, EndpointSnapshot};
pub use system::block_on;
