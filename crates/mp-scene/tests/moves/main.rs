//! Peers that move between two branches of one endpoint.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod late_packets;
mod leaving;
mod order;
mod random;
mod refused;
mod world;
