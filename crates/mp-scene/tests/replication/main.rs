//! Replication between peers that run mp: behavior that the recordings of Godot do not show.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod allocations;
mod announced;
mod delta;
mod descendants;
mod early;
mod errors;
mod game;
mod hand_over;
mod interest;
mod level;
mod nested;
mod pause;
mod setter;
mod spawn;
mod sync;
mod targets;
mod untrusted_input;
mod visibility;
