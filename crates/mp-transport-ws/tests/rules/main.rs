//! Behavior of servers and clients, one rule per test: handshakes, messages, limits, closing and
//! load.

#[path = "../common/mod.rs"]
mod common;

#[cfg(unix)]
mod accepting;
mod bounds;
mod clients;
mod handshakes;
mod link_conditions;
mod liveness;
mod load;
mod messages;
mod receipts;
mod texts;
