//! Servers that forward packets unchanged: the command line of all, and the loop of mp's.

mod serve;

use clap::{Parser, ValueEnum};

pub use serve::{Failure, forward, run};

/// A server of a benchmark.
#[derive(Debug, Parser)]
pub struct Args {
    /// Receivers of a packet
    pub pass: Forward,
    /// Maximum number of clients
    #[arg(long, default_value_t = 512)]
    pub peers: u16,
    /// ENet channels of a client
    #[arg(long, default_value_t = 2)]
    pub channels: u8,
    /// Coalescing delay of mp's ENet in ms [default: that of mp]
    #[arg(long)]
    pub flush_interval: Option<u64>,
    /// Encrypt ENet with DTLS
    #[arg(long)]
    pub dtls: bool,
}

/// Receivers of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Forward {
    /// Its sender
    Echo,
    /// All other clients
    Others,
    /// The client that connected after its sender; after the last, the first
    Next,
    /// None: packets are dropped
    Drop,
}

impl Forward {
    /// Returns the indexes of the receivers of a packet from client `from`, among `count` clients
    /// in order of connection.
    pub fn targets(self, from: usize, count: usize) -> impl Iterator<Item = usize> {
        let all = match self {
            Self::Echo => from..from + 1,
            Self::Others => 0..count,
            Self::Next => (from + 1) % count..(from + 1) % count + 1,
            Self::Drop => 0..0,
        };
        all.filter(move |&to| self != Self::Others || to != from)
    }
}
