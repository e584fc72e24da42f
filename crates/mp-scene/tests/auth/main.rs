//! Authentication against a model of it, and against strangers.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod endings;
mod interleavings;
mod model;
mod one_sided;
mod sides;
mod strangers;
#[path = "../vectors/mod.rs"]
mod vectors;
mod wires;
