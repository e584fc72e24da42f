//! Godot's stateful surface, over the memory network and over transports that do what a test says.
#![allow(missing_docs, reason = "a test")]

mod bounds;
mod godot3;
mod net;
mod peers;
mod put;
mod read;
mod surface;
