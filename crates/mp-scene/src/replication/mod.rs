//! Replication for programs: spawners, synchronizers and their configuration.
//!
//! Both are nodes. A [`MultiplayerSpawner`] announces the scenes that its authority adds under its
//! spawn parent. A [`MultiplayerSynchronizer`] sends properties from its authority to all peers to
//! which it is visible. Names, the order of scenes and the order of properties are not sent: they
//! must be the same on all peers.
//!
//! # Time of sending
//!
//! * A new node is announced when the hook or method that added it returns, or before the next
//!   packet that the program sends. Properties set before are part of the announcement, and calls
//!   made after it are received after it.
//! * [`Always`](ReplicationMode::Always) properties are sent unreliably and
//!   [`OnChange`](ReplicationMode::OnChange) properties reliably, at each tick of the branch
//!   ([`tick_rate`](crate::BranchBuilder::tick_rate)) or at the synchronizer's intervals.
//! * A peer that is too slow or [paused](crate::SceneMultiplayer::pause_peer) is skipped. It
//!   receives the newest state later.

mod config;
mod error;
mod interest;
mod pending;
mod spawner;
mod synchronizer;
mod visibility;

pub use config::{ReplicationConfig, ReplicationConfigError, ReplicationMode};
pub use error::{ReplicationError, SpawnError};
pub use interest::{GridPosition, InterestGrid};
pub(crate) use pending::{Inbox, Pending};
pub use spawner::MultiplayerSpawner;
pub(crate) use synchronizer::Change;
pub use synchronizer::{MultiplayerSynchronizer, VisibilityUpdateMode};
pub use visibility::FilterId;
pub(crate) use visibility::Visibility;
