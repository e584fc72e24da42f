//! Values on Godot's wire against what Godot 4.6.3 wrote and read, and against strangers.

mod corpus;
mod golden;
mod limits;
mod properties;
mod quirks;
