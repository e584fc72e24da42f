//! Godot's high-level multiplayer without the engine: the crate that programs depend on.
//!
//! It re-exports the workspace's crates, so that a program names one dependency:
//!
//! | module | crate | feature |
//! |---|---|---|
//! | [`core`] | `mp-core`: ids, packets, `Variant`, the trait `MultiplayerPeer` | always |
//! | [`scene`] | `mp-scene`: nodes, RPCs, replication | always |
//! | [`actor`] | `mp-actor`: branches and transports as actors | `actor` (default) |
//! | [`enet`] | `mp-transport-enet` | `enet` (default) |
//! | [`ws`] | `mp-transport-ws` | `ws` |
//! | [`webrtc`] | `mp-transport-webrtc` | `webrtc` |
//!
//! The feature `macros` (default) adds `derive(Node)` and `#[rpc_methods]`, for nodes with typed
//! RPCs, and `#[mp::main]` for programs.
//!
//! [`prelude`] has the items that most programs import.

/// The items that code of the macros uses.
#[doc(hidden)]
#[cfg(feature = "macros")]
pub mod __macros;
pub mod prelude;

pub use mp_core as core;
pub use mp_scene as scene;

#[cfg(feature = "actor")]
pub use mp_actor as actor;
#[cfg(all(feature = "actor", feature = "macros"))]
pub use mp_macros::main;
#[cfg(feature = "macros")]
pub use mp_macros::{Node, rpc_methods};
#[cfg(feature = "enet")]
pub use mp_transport_enet as enet;
#[cfg(feature = "webrtc")]
pub use mp_transport_webrtc as webrtc;
#[cfg(feature = "ws")]
pub use mp_transport_ws as ws;
