//! Recorded rooms, their files, and replays.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod damage;
mod replay;
mod ring;
mod secrets;
mod watch;
mod world;
