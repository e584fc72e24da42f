//! Godot's `SceneMultiplayer` without the engine: RPCs to nodes, replication, raw packets, the
//! server relay, and the wire protocol of real Godot 4 games.
//!
//! A program builds a [`Branch`]; its hooks and RPC methods use the branch's [`Scene`].
//!
//! ```
//! use mp_scene::prelude::*;
//!
//! #[derive(Default)]
//! struct Score {
//!     points: i64,
//! }
//!
//! impl Node for Score {
//!     fn rpc_table() -> RpcTable<Self> {
//!         RpcTable::new()
//!             // @rpc("any_peer") func add(points: int)
//!             .method("add", RpcConfig::any_peer(), |score: &mut Self, cx, (points,): (i64,)| {
//!                 score.points += points;
//!                 println!("{} scored", cx.remote_sender());
//!             })
//!     }
//! }
//!
//! let branch = Branch::builder("/root/Game").setup(|scene| scene.add("Score", Score::default()));
//! # branch.build().unwrap();
//! ```
//!
//! The crate reads no clock and opens no socket. A host runs the branch (crate `mp-actor`), or the
//! game's own loop calls [`Branch::poll`] with a transport.

pub mod api;
mod branch;
mod builder;
pub mod codec;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
mod ids;
mod inspect;
mod keep;
pub mod limits;
mod message;
mod outbox;
mod packet_var;
mod path_cache;
mod polled;
pub mod prelude;
pub mod property;
pub mod replication;
pub mod rpc;
mod scene;
mod scene_multiplayer;
mod signal;
mod snapshot;
pub mod testing;
pub mod tree;

pub use branch::{Branch, BranchEvent};
pub use builder::{BranchBuilder, BuildError, PeerAuthority, SetupError, SetupResult};
pub use codec::{Codec, GodotVersion};
pub use ids::{IdBlocks, IdCounter, IdPosition};
pub use inspect::{InspectedNode, InspectedProperty, Inspection};
pub use keep::{Keep, PeerDrop};
pub use message::{CallNode, ConfirmedNode, RemoteCall, SceneMessage, Spawn, SpawnSource};
pub use mp_host::CheckpointError;
pub use packet_var::{PacketVar, PacketVarError};
pub use property::{Property, PropertyError, PropertyTable, Replicated, SetterContext};
pub use replication::{
    InterestGrid, MultiplayerSpawner, MultiplayerSynchronizer, ReplicationConfig, ReplicationError,
    ReplicationMode, SpawnError, VisibilityUpdateMode,
};
pub use scene::{NodeContext, NodeOrPath, RpcContext, Scene, TimerId};
pub use scene_multiplayer::{
    AuthError, GodotQuirks, Handover, MoveError, PacketCounts, PacketKind, PacketSizeError,
    PacketStats, Refusal, Refusals, RelayContext, RelayDecision, RelayPolicy, RpcError,
    SceneMultiplayer, SceneStats, SendBytesError, TrafficCount, TrafficReport, TrafficRow,
    TrafficViewer,
};
pub use signal::Signal;
pub use snapshot::{Snapshot, SnapshotContent, SnapshotError, SnapshotRoom};
pub use tree::{Tree, TreeError};
