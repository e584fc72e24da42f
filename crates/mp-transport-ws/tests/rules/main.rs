//! What servers and clients do, each rule by itself: handshakes, messages, limits, ends and what happens under load.

#[path = "../common/mod.rs"]
mod common;

#[cfg(unix)]
mod accepting;
mod bounds;
mod clients;
mod handshakes;
mod liveness;
mod load;
mod messages;
mod texts;
