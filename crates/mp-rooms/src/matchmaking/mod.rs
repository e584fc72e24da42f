//! Matchmaking: tickets, and requests for places in rooms.

mod filter;
mod refusal;
mod request;
mod ticket;

pub use filter::Filter;
pub use refusal::MatchRefusal;
pub use request::{LobbyPage, LobbyQuery, MatchRequest, MatchVerb, Reservation};
pub use ticket::{Ticket, TicketHash};
