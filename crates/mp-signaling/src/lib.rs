//! The server of the signaling protocol of Godot's official WebRTC demo
//! (`networking/webrtc_signaling`). The demo's clients work with it unchanged.
//!
//! [`SignalingServer`] handles text messages and time, and returns text messages and closes. It
//! does no I/O: a host connects it to WebSocket sessions, and to a WebRTC peer if the server itself
//! hosts a lobby.

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
#[cfg(feature = "host")]
mod host;
mod ice_server;
pub mod limits;
mod lobby;
mod message;
mod output;
mod server;
#[cfg(feature = "webrtc")]
mod webrtc;

#[cfg(feature = "host")]
pub use host::LobbyHost;
pub use ice_server::IceServer;
pub use message::{Message, MessageError, MessageKind};
pub use output::{CloseReason, Output};
pub use server::{SignalingOptions, SignalingServer, SignalingStats, SocketId};
