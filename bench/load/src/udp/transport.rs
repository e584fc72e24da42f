//! Transport of a client: encodes packets in datagrams.

use std::error::Error;
use std::net::UdpSocket;

use bytes::Bytes;
use clap::ValueEnum;

/// Kind of transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TransportKind {
    /// ENet
    Enet,
    /// ENet over DTLS
    EnetDtls,
    /// WebRTC data channels
    WebRtc,
    /// Datagrams without a protocol
    Datagram,
}

/// Connection of a client to the server, with a socket of its own.
pub(super) trait Transport {
    /// Returns the socket, to wait for datagrams.
    fn socket(&self) -> &UdpSocket;

    /// Starts to connect.
    fn connect(&mut self, now: u64) -> Result<(), Box<dyn Error>>;

    /// Receives datagrams, at most `most` if the transport can limit them, and acknowledges them.
    fn receive(&mut self, now: u64, most: usize) -> Result<(), Box<dyn Error>>;

    /// Returns the next event.
    fn next_event(&mut self) -> Option<TransportEvent>;

    /// Queues a packet, unordered unless it is reliable.
    fn send(&mut self, packet: Bytes, reliable: bool);

    /// Sends the queued packets.
    fn flush(&mut self, now: u64) -> Result<(), Box<dyn Error>>;

    /// Runs the timers that are due.
    fn run_timers(&mut self, now: u64) -> Result<(), Box<dyn Error>>;
}

/// Event of a transport.
pub(super) enum TransportEvent {
    Connected,
    Packet(Bytes),
    /// The connection is lost, with the reason.
    Lost(String),
}
