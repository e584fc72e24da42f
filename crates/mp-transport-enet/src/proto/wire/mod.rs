//! The wire format: datagrams, headers, commands and payloads.

mod codec;
pub mod command;
pub mod compress;
mod datagram;
mod datagram_bytes;
pub mod header;
mod lone_disconnect;
mod payload;

pub(crate) use codec::{CHECKSUM_LEN, DatagramCodec};
pub(crate) use datagram::{Datagram, SPARE};
pub(crate) use datagram_bytes::DatagramBytes;
pub(crate) use lone_disconnect::LoneDisconnect;
pub use payload::Payload;
