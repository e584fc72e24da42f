//! A decoding proxy between Godot 4 clients and their server, over ENet and WebSocket.
//!
//! ```text
//!            ┌──────────── Proxy ────────────┐
//!  client ──►│ packets pass on unchanged ────┼──► server
//!         ◄──┼────────────────┬──────────────│◄──
//!            └────────────────┼──────────────┘
//!                         WireEvent ──► WireDecoder ──► DecodedPacket, WireKind ──► Totals
//! ```
//!
//! [`Proxy`] accepts clients, connects to the server once per client, and reports each packet to an
//! observer. Over ENet it is a peer on both sides: it connects with the client's peer id, and keeps
//! transfer mode, channel and order. Over WebSocket it passes on the bytes of the TCP connection.
//! Requests, subprotocols, close codes and the peer ids of the server stay as they are; only the
//! header `Host` is the server's.
//!
//! [`WireDecoder`] has no I/O. It decodes the packets of one connection, and names methods and
//! properties with the game's project ([`ProjectNames`]). [`Capture`] writes a file for Wireshark.
//!
//! Encrypted connections (DTLS, TLS) end at the proxy: clients must trust the proxy's own
//! certificate.

mod capture;
mod decoder;
mod event;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
mod kind;
pub mod limits;
mod names;
mod plugin;
mod proxy;
mod text;
mod totals;

pub use capture::{Capture, CaptureStats};
pub use decoder::{
    DecodedArgument, DecodedCall, DecodedElement, DecodedPacket, DecodedProperties, DecoderStats,
    NodeName, SpawnedFrom, WireDecoder, WireMessage,
};
pub use event::{ClientNumber, Direction, WireCloseReason, WireDatagram, WireEvent, WirePacket};
pub use kind::WireKind;
pub use names::ProjectNames;
pub use plugin::wireshark_plugin;
pub use proxy::{Proxy, ProxyError, ProxyOptions, ProxyStats, ProxyTarget};
pub use totals::{Count, Totals};
