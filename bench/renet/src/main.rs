//! renet2's server in memory: it packs the state of nodes, and the packets are counted and dropped.
//! renet2 has no replication, so the state is messages of bytes.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use mp_bench_common::MemoryCounters;
use renet2::{ConnectionConfig, DefaultChannel, RenetServer};

#[derive(Parser)]
struct Args {
    /// Number of nodes, whose state is sent in every tick
    #[arg(long, default_value_t = 1_000)]
    nodes: usize,
    /// Number of clients
    #[arg(long)]
    clients: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let channels = DefaultChannel::config();
    let mut server = RenetServer::new(ConnectionConfig::from_shared_channels(channels));
    (0..args.clients).for_each(|client| server.add_connection(client, false));

    let counters = MemoryCounters::start();
    let mut due = Instant::now();
    let mut tick: u8 = 0;
    loop {
        tick = tick.wrapping_add(1);
        let mut left = args.nodes;
        while left > 0 {
            let count = left.min(MESSAGE_NODES);
            let message = vec![tick; count * NODE_BYTES];
            server.broadcast_message(DefaultChannel::Unreliable, message);
            left -= count;
        }
        server.update(TICK);
        for client in 0..args.clients {
            let packets = server.get_packets_to_send(client)?;
            let bytes: usize = packets.iter().map(Vec::len).sum();
            counters.add(args.nodes, bytes);
        }
        counters.add_tick();
        due += TICK;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

const TICK: Duration = Duration::from_nanos(1_000_000_000 / 60);
/// Bytes of the state of a node: as in a SYNC.
const NODE_BYTES: usize = 24;
/// Nodes of a message, which is not split: packets have at most 1,200 bytes.
const MESSAGE_NODES: usize = 48;
