//! The command line of the servers: all pass packets on, as they came.

use clap::{Parser, ValueEnum};

/// A server of a benchmark.
#[derive(Debug, Parser)]
pub struct Args {
    /// To whom a packet goes
    pub pass: Pass,
    /// Most clients
    #[arg(long, default_value_t = 512)]
    pub peers: u16,
    /// ENet channels of a client
    #[arg(long, default_value_t = 2)]
    pub channels: u8,
}

/// To whom a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pass {
    /// Back to its sender
    Echo,
    /// To all others
    Others,
    /// To the client that connected after its sender; from the last to the first
    Next,
}

impl Pass {
    /// The places, among `count` clients in the order of their connecting, to which a packet of the client at `from` goes.
    pub fn targets(self, from: usize, count: usize) -> impl Iterator<Item = usize> {
        let all = match self {
            Self::Echo => from..from + 1,
            Self::Others => 0..count,
            Self::Next => (from + 1) % count..(from + 1) % count + 1,
        };
        all.filter(move |&to| self != Self::Others || to != from)
    }
}
