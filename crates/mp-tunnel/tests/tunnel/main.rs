//! A game with `create_server`, the guests of a room, and the tunnel between, in memory and virtual
//! time. The game and the guests know nothing of the tunnel.
#![allow(missing_docs, reason = "tests")]

mod guests;
mod hosts;
mod link;
mod world;
