//! Matchmaking: tickets, and requests for places in rooms.

mod by_subject;
mod filter;
mod refusal;
mod request;
mod ticket;

pub(crate) use by_subject::TicketsBySubject;
pub use filter::Filter;
pub use refusal::MatchRefusal;
pub use request::{LobbyPage, LobbyQuery, MatchRequest, MatchVerb, Reservation};
pub use ticket::{Ticket, TicketHash};
