//! Replication between mp's own sides: what the recordings of Godot do not show.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod announced;
mod below;
mod cost;
mod delta;
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
mod strangers;
mod sync;
mod targets;
mod visibility;
