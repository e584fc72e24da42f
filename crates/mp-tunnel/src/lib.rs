//! A tunnel: players from anywhere join a Godot game that hosts with `create_server`, as ever and
//! unmodified, through a room of mp-server.
//!
//! ```text
//!  guests ── ENet, WebSocket, WebRTC ──► mp-server: room ◄──── link ──── program ──► game
//!                                        TunnelSeat       one, dialed    TunnelHost   create_server
//!                                                         by the program   └─ an ENet connection
//!                                                                             for each guest
//! ```
//!
//! The game needs no open port: the program beside it dials out. It opens one connection to the
//! game for each guest, which claims the guest's id, and passes packets on as they are. Neither it
//! nor the room knows SceneMultiplayer: the game announces players, spawns nodes and relays packets
//! as it does on a local network.
//!
//! * [`TunnelSeat`] is the room's end, a relay policy. The link is an ordinary connection of the
//!   room, so identities, bans, limits and back-pressure apply to it and to the guests.
//! * [`TunnelHost`] is the end beside the game, a state machine without I/O, and [`run()`] the loop
//!   around it with sockets.
//! * Reliable packets of the guests are numbered and kept until they are acknowledged, so that a
//!   link that was lost is resumed without loss. Unreliable packets stay unreliable over ENet.
//!
//! The limits and their reasons are in [`limits`].

mod frame;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
mod host;
pub mod limits;
mod link;
mod order;
mod run;
mod seat;
mod stats;

pub use frame::{GuestEnd, HostRefusal, VERSION};
pub use host::{HostOutput, LinkEvent, TunnelHost};
pub use run::{LinkAddress, Status, TunnelError, TunnelOptions, run};
pub use seat::TunnelSeat;
pub use stats::TunnelStats;
