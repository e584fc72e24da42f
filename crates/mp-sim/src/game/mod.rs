//! A small game: units with parts, items, a seat for each player, and a flag. Its owner is the
//! server, or a client that is the host of a room.

mod ledger;
mod nodes;
mod owner;
mod seen;
mod sequence;

pub(crate) use ledger::Ledger;
pub(crate) use nodes::{Inbox, Received, builder, seat, seat_of, seat_scene};
pub(crate) use owner::{Owner, sync, take_over};
pub(crate) use seen::Seen;
pub(crate) use sequence::Sequence;
