//! Rooms: the task that owns the registry, starts branches and decides about joins.
//!
//! ```text
//!  endpoints ── JoinQueue ──► RoomsHost ── starts, closes ──► branches on their threads
//!            ◄─ assign, decide ─┘  ▲
//!                        RoomsHandle (program, signals)
//! ```

mod admission;
mod changes;
mod context;
mod elsewhere;
mod handle;
mod host;
mod identified;
mod identities;
mod inspection;
mod link;
mod matchmaking;
mod moves;
mod notices;
mod placement;
mod player_socket;
mod players;
mod queue;
mod stats;
mod thread_timer;

pub(crate) use admission::AdmissionStats;
pub(crate) use changes::RoomChange;
pub use context::RoomContext;
pub(crate) use context::{RoomType, RoomTypes};
pub use handle::{CreateRoomError, RoomsHandle, ServerEnded};
pub(crate) use host::{
    BranchRestore, HostCall, HostSettings, RoomDescription, RoomRestore, RoomsHost,
};
pub(crate) use identities::Identities;
pub(crate) use inspection::RoomInspection;
#[cfg(test)]
pub(crate) use matchmaking::Seat;
pub(crate) use matchmaking::{Identified, Lobby, QueuePlace, Queued, Session};
pub use moves::MovePlayerError;
pub use notices::Announced;
pub(crate) use queue::JoinQueue;
