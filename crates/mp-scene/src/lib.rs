//! Godot's `SceneMultiplayer` without the engine: nodes with methods that peers call, the server's relay, raw packets, and
//! the wire that real Godot 4 games speak.
//!
//! Read [`Branch`] first, then [`Scene`], which everything of a program's own is given.
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
//! Nothing here reads a clock or opens a socket: a host does (crate `mp-actor`), or the game's own loop calls
//! [`Branch::poll`] with a transport.

pub mod api;
mod branch;
mod builder;
pub mod codec;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
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
pub mod testing;
pub mod tree;

pub use branch::{Branch, BranchEvent};
pub use builder::{BranchBuilder, BuildError, SetupError, SetupResult};
pub use codec::{Codec, GodotVersion};
pub use message::{CallNode, Confirmed, RemoteCall, SceneMessage, Spawn, SpawnOf};
pub use packet_var::{PacketVar, PacketVarError};
pub use property::{Property, PropertyError, PropertyTable, Replicated, SetterContext};
pub use replication::{
    InterestGrid, MultiplayerSpawner, MultiplayerSynchronizer, ReplicationConfig, ReplicationError,
    ReplicationMode, SpawnError, VisibilityUpdateMode,
};
pub use scene::{RpcContext, Scene};
pub use scene_multiplayer::{
    AuthError, GodotQuirks, PacketSizeError, Refusal, Refusals, RpcError, SceneMultiplayer,
    SceneStats, SendBytesError,
};
pub use signal::Signal;
pub use tree::{Tree, TreeError};
