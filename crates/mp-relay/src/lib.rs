//! Rooms whose server is one of the clients, for Godot games that a player hosts.
//!
//! A room with a [`HostSeat`] makes one of its clients the *host*. The other clients, the *guests*,
//! are unmodified: for them the host is peer 1, a Godot server with its calls, spawners and
//! synchronizers. The host is an ordinary client with another id, so it needs no open port, and
//! connects by any transport.
//!
//! ```
//! use mp_relay::HostSeat;
//! use mp_scene::Branch;
//!
//! let room = Branch::builder("/root").relay_policy(HostSeat::first()).build()?;
//! # Ok::<(), mp_scene::BuildError>(())
//! ```
//!
//! With a [`Migration`] the game outlives its host: a guest takes the host's place, and guests may
//! join meanwhile.
//!
//! The crate reads no clock and opens no socket.

mod cache;
mod clock;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
mod ids;
pub mod limits;
mod migration;
mod seat;
mod stats;

pub use migration::Migration;
pub use seat::{HOST_LEFT, HostSeat, STATE_UNAVAILABLE};
pub use stats::SeatStats;
