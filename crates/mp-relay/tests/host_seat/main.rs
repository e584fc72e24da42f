//! Rooms in which a client of mp is the host, and others are guests that know nothing of it.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod calls;
mod game;
mod hosts;
mod keeping;
mod late_join;
mod limits;
mod migration;
mod nodes;
mod random;
mod raw;
