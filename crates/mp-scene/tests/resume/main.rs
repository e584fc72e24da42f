//! Peers that lose their connection, are kept for a time, and resume their session.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod handover;
mod keep;
mod random;
mod relayed;
mod reseat;
mod world;
