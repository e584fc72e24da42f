//! The encoding of values, compared with Godot 4.6.3 and tested with untrusted bytes.

mod corpus;
mod golden;
mod limits;
mod properties;
mod quirks;
mod typed;
