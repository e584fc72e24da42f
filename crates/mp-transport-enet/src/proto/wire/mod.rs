//! The wire format: datagrams, headers, commands and payloads.

pub mod command;
pub mod compress;
mod datagram;
pub mod header;
mod lone_disconnect;
mod payload;
mod seal;
mod source;

pub(crate) use datagram::{Datagram, SPARE};
pub(crate) use lone_disconnect::LoneDisconnect;
pub use payload::Payload;
pub(crate) use seal::{CHECKSUM_LEN, Seal, Unreadable};
pub(crate) use source::Source;
