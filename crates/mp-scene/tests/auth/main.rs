//! Authentication, compared with a model and exposed to untrusted input.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod endings;
mod interleavings;
mod model;
mod one_sided;
mod sides;
mod untrusted_input;
#[path = "../vectors/mod.rs"]
mod vectors;
mod wires;
