//! The sans-IO protocol: bytes and time in, bytes and events out.
//!
//! ```text
//!  bytes ─► tls ─► http: request or response ─► messages (tungstenite) ─► packets
//! ```
//!
//! [`connection`] is the state machine of one connection, [`session`] the state that the
//! connections of a peer share.

pub(crate) mod connection;
pub(crate) mod http;
pub(crate) mod messages;
pub(crate) mod pages;
pub(crate) mod refusal;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod session;
pub(crate) mod text;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
pub(crate) mod tls;
pub(crate) mod url;
