//! Replication as a program sees it: spawners, synchronizers, and what they are told.
//!
//! Both are nodes. A [`MultiplayerSpawner`] announces the scenes that its authority adds under its spawn parent; a
//! [`MultiplayerSynchronizer`] sends properties of the nodes around it, from its authority to everyone who may see them. Names, order of
//! the scenes and order of the properties must be the same on every side, as nothing of them travels.
//!
//! # When things are sent
//!
//! * A node that was added is announced when the hook or method that added it returns, or says something to peers, whichever comes
//!   first: what is set until then is part of the announcement. So a call that is made after it follows it.
//! * [`Always`](ReplicationMode::Always) properties are sent unreliably and [`OnChange`](ReplicationMode::OnChange) ones reliably, at
//!   each tick of the branch ([`tick_rate`](crate::BranchBuilder::tick_rate)) or at their intervals.
//! * A peer that cannot keep up, or is [paused](crate::SceneMultiplayer::pause_peer), is skipped; later it is sent the newest state.

mod config;
mod error;
mod interest;
mod pending;
mod spawner;
mod synchronizer;

pub use config::{ReplicationConfig, ReplicationConfigError, ReplicationMode};
pub use error::{ReplicationError, SpawnError};
pub use interest::{InterestGrid, Place};
pub(crate) use pending::{Inbox, Pending};
pub use spawner::MultiplayerSpawner;
pub(crate) use synchronizer::Change;
pub use synchronizer::{FilterId, MultiplayerSynchronizer, VisibilityUpdateMode};
