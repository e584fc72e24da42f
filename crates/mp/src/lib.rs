//! Godot's high-level multiplayer without the engine: the crate that programs depend on.
//!
//! A server that Godot games connect to over ENet:
//!
//! ```no_run
//! use mp::prelude::*;
//!
//! fn game() -> Result<Branch, BuildError> {
//!     Branch::builder("/root").setup(|scene| scene.add("Main", Group)).build()
//! }
//!
//! # #[cfg(all(feature = "actor", feature = "enet", feature = "macros"))]
//! #[mp::main]
//! async fn main() -> Result<(), mp::ServeError> {
//!     mp::serve(game).enet(7777).await?.close_on_ctrl_c().await;
//!     Ok(())
//! }
//! # #[cfg(not(all(feature = "actor", feature = "enet", feature = "macros")))]
//! # fn main() {}
//! ```
//!
//! The [guide] begins with two players who move in a Godot game. The items to read first are
//! [`serve()`], [`Scene`](mp_scene::Scene) and [`Node`](mp_scene::tree::Node). mp logs with
//! `tracing`: without a subscriber, such as `tracing_subscriber::fmt::init()`, a program shows no
//! logs.
//!
//! # Modules and features
//!
//! | module | crate | feature |
//! |---|---|---|
//! | [`core`] | `mp-core`: ids, packets, `Variant`, the trait `MultiplayerPeer` | always |
//! | [`scene`] | `mp-scene`: nodes, RPCs, replication | always |
//! | [`actor`] | `mp-actor`: branches and transports as actors | `actor` (default) |
//! | [`enet`] | `mp-transport-enet` | `enet` (default) |
//! | [`ws`] | `mp-transport-ws` | `ws` |
//! | [`webrtc`] | `mp-transport-webrtc` | `webrtc`, which includes `ws` |
//! | [`signaling`] | `mp-signaling` | `webrtc` |
//! | [`tls`] | `mp-tls`: certificates, and trust of clients | `tls` |
//!
//! | feature | adds |
//! |---|---|
//! | `macros` (default) | `derive(Node)` and `#[rpc_methods]`, for nodes with typed RPCs; `derive(ToVariant, FromVariant)` for values; `#[mp::main]` |
//! | `tls` | DTLS for ENet, and `wss://` for WebSocket. Without it neither builds a TLS library |
//! | `glam-034`, `mint` | conversions to and from the types of glam 0.34 and of mint |
//! | `testing` | `testing`: a server and its clients over a simulated network in virtual time, for the tests of a program |
//! | `serde` | `Serialize` and `Deserialize` for ids, channels, vectors and geometry; `mp::serde`: values of any such type as `Variant`s |
//!
//! With `actor` the transports use tokio. Without it the program polls them in its own loop, by
//! [`Branch::poll`](mp_scene::Branch::poll).

/// The items that code of the macros uses.
#[doc(hidden)]
#[cfg(feature = "macros")]
pub mod __macros;
#[cfg(any(
    doc,
    all(doctest, feature = "actor", feature = "macros", feature = "testing", feature = "ws")
))]
mod pages;
pub mod prelude;
#[cfg(all(feature = "actor", any(feature = "enet", feature = "ws")))]
mod serve;
#[cfg(feature = "testing")]
pub mod testing;

pub use mp_core as core;
pub use mp_scene as scene;

#[cfg(feature = "serde")]
pub use mp_core::serde;

#[cfg(feature = "actor")]
pub use mp_actor as actor;
#[cfg(all(feature = "actor", feature = "macros"))]
pub use mp_macros::main;
#[cfg(feature = "macros")]
pub use mp_macros::{FromVariant, Node, ToVariant, rpc_methods};
#[cfg(feature = "webrtc")]
pub use mp_signaling as signaling;
#[cfg(feature = "tls")]
pub use mp_tls as tls;
#[cfg(feature = "enet")]
pub use mp_transport_enet as enet;
#[cfg(feature = "webrtc")]
pub use mp_transport_webrtc as webrtc;
#[cfg(feature = "ws")]
pub use mp_transport_ws as ws;
#[cfg(doc)]
#[doc(inline)]
pub use pages::guide;
#[cfg(all(feature = "actor", any(feature = "enet", feature = "ws")))]
pub use serve::{ListenAddress, Serve, ServeError, Server, Starting, serve};

#[cfg(all(doctest, feature = "actor", feature = "enet", feature = "macros", feature = "ws"))]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// Compares the RPCs of two types while the program is compiled: of a server's node and of a
/// client's, if both are written in Rust.
///
/// Godot numbers the RPCs of a node by name, so both types must declare the same names, with the
/// same words and numbers of arguments. Otherwise the compiler shows the line that one of them
/// lacks. Bodies, `call_local`, `rate` and `max_bytes` may differ, since they concern one peer
/// only; a `stub` fits any RPC of its name.
///
/// ```
/// use mp::prelude::*;
///
/// #[derive(Default, Node)]
/// struct Player;
///
/// #[rpc_methods]
/// impl Player {
///     #[rpc(any_peer, unreliable_ordered)]
///     fn steer(&mut self, _x: f64) {}
/// }
///
/// #[derive(Default, Node)]
/// struct PlayerView;
///
/// #[rpc_methods]
/// impl PlayerView {
///     #[rpc(any_peer, unreliable_ordered)]
///     fn steer(x: f64);
/// }
///
/// mp::same_rpcs!(Player, PlayerView);
/// ```
#[cfg(feature = "macros")]
#[macro_export]
macro_rules! same_rpcs {
    ($ours:ty, $theirs:ty $(,)?) => {
        const _: () = if let ::core::option::Option::Some(difference) =
            $crate::__macros::rpc_difference(
                <$ours as $crate::__macros::HasRpcs>::DECLARATIONS,
                <$theirs as $crate::__macros::HasRpcs>::DECLARATIONS,
            ) {
            ::core::panic!("{}", difference)
        };
    };
}
