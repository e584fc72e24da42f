//! The server side of the signaling protocol that Godot's official WebRTC demo speaks
//! (`networking/webrtc_signaling`). The demo's clients work with it unchanged.
//!
//! [`SignalingServer`] takes text messages and time, and returns text messages and closes. It does
//! no I/O: a host connects it to WebSocket sessions, and to a WebRTC peer where the server itself
//! hosts a lobby.

pub mod limits;
mod lobby;
mod message;
mod output;
mod rate;
mod server;

pub use message::{Message, MessageError, MessageKind};
pub use output::{CloseReason, Output};
pub use server::{Options, SignalingServer, SignalingStats, SocketId};
