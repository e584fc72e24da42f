//! Gateways between two nodes, and their bus.
#![allow(missing_docs, reason = "a test")]

mod adoption;
mod bus;
mod credit;
mod loss;
mod pair;
mod schedule;
mod sessions;
