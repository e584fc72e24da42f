//! Rooms of a server, without I/O.
//!
//! A client selects a room by the listener it connects to, by the URL, or by its first
//! authentication packet ([`Selection`]). The [`RoomRouter`] of each endpoint reads the selection
//! and passes a [`Join`] to the registry, [`Rooms`]. The registry creates the room if necessary,
//! and decides.
//!
//! ```text
//!  Endpoint ── RoomRouter ── Join, left ──► Rooms ── Create, Close ──► branches
//!           ◄───────────────── Decide ─────      ◄── opened, ended ───
//! ```
//!
//! Neither opens sockets, starts branches or reads a clock: a server does
//! (`mp-server`), or a simulator.

mod auth_packet;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
mod join;
pub mod limits;
mod listener;
mod matchmaking;
mod name;
mod notice;
mod overload;
mod queue;
mod record;
mod refusal;
mod resume;
mod rooms;
mod router;
mod selection;
mod template;

pub use join::{Join, ListenerConnection, ListenerId};
pub use listener::{Listener, Unselected};
pub use matchmaking::{
    Filter, LobbyPage, LobbyQuery, MatchRefusal, MatchRequest, MatchVerb, Reservation, Ticket,
    TicketHash,
};
pub use name::{Code, InvalidCode, InvalidName, RoomId, RoomName};
pub use notice::{InvalidNoticeText, Notice, NoticeText};
pub use overload::{OVERLOAD_AFTER, OverloadMonitor, RECOVERED_AFTER};
pub use queue::{GroupId, PartyRequest, Queue, QueueEnd, QueueRefusal, QueueSettings, QueueStatus};
pub use record::RecordSettings;
pub use refusal::{CreateRefusal, JoinRefusal, MoveRefusal, Removal, RoomEnd};
pub use resume::{PlayerSession, Resume, ResumeTicket, resumed_id};
pub use rooms::{
    JoinDecision, MoveTarget, PlayerLimits, PlayerUsage, QueueState, RestoredPlayer, RestoredSeat,
    RoomInfo, RoomOutput, RoomState, Rooms, RoomsSettings, RoomsStats, SamePlayer, Shortage,
    TicketOffer,
};
pub use router::{RoomRegistry, RoomRouter};
pub use selection::Selection;
pub use template::{HostMigration, Metadata, NextHost, RoomHost, Template};
