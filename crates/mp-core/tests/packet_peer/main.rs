//! Tests of `PacketPeer` over the memory network and scripted transports.
#![allow(missing_docs, reason = "a test")]

mod bounds;
mod godot3;
mod net;
mod peers;
mod put;
mod read;
mod surface;
