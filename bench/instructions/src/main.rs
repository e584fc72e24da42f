//! Work of mp without sockets, in one thread and with constant seeds, so that callgrind counts the
//! same instructions in every run. `cargo xtask instructions` runs each workload with two numbers
//! of operations: the difference is that of the operations.
//!
//! ```text
//! cd bench && cargo build --release -p mp-bench-instructions
//! valgrind --tool=callgrind ../target/bench/release/instructions decode-rpc 1000
//! ```

mod calls;
mod cluster;
mod codec;
mod relay;
mod replication;
mod tables;

use std::time::Instant;

use clap::{Parser, ValueEnum};
use mp::scene::BuildError;
use serde_json::json;

mp_bench_common::count_allocations!();

#[derive(Clone, Copy, Debug, Parser)]
#[command(
    about = "Runs a workload in memory, and prints its allocations and bytes, and its nanoseconds per operation, as JSON"
)]
struct Args {
    workload: Workload,
    /// Number of operations
    operations: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Workload {
    /// Encode a call of a numbered node with an int, a Vector3 and a String
    EncodeRpc,
    /// Decode it
    DecodeRpc,
    /// Encode the announcement of a node with two synchronizers and three values
    EncodeSpawn,
    /// Decode it
    DecodeSpawn,
    /// Encode a SYNC: a Vector3, a float and an int of one synchronizer
    EncodeSync,
    /// Decode it and its values
    DecodeSync,
    /// Encode a DELTA: the Vector3 and the int, of three properties
    EncodeDelta,
    /// Decode it and its values
    DecodeDelta,
    /// Encode a dictionary with arrays, texts, vectors and a transform
    EncodeVariant,
    /// Decode it
    DecodeVariant,
    /// Call a method with an int, a Vector3 and a String: at the client and at the server
    Call,
    /// Relay 64 bytes between two of eight clients: from the call at one to the hook at the other
    Relay,
    /// The same while an operator views the server's traffic
    RelayViewed,
    /// Send one always property of a node to one of four clients
    Sync,
    /// The same while an operator views the server's traffic
    SyncViewed,
    /// Send one of 100 on_change properties to one of four clients
    Delta,
    /// Spawn a node for one of four clients, and despawn it
    Spawn,
    /// A turn of two nodes of a cluster: a packet each way over one of 10 links
    #[value(name = "cluster-turn-10")]
    ClusterTurn10,
    /// The same with 100 links
    #[value(name = "cluster-turn-100")]
    ClusterTurn100,
    /// The same with 1,000 links
    #[value(name = "cluster-turn-1000")]
    ClusterTurn1000,
    /// A call and two replicated properties, with tables that the macros write
    TablesGenerated,
    /// The same with tables written by hand
    TablesByHand,
}

/// Counts of a run, without those of its preparation.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    allocations: usize,
    /// Encoded bytes, where a workload has any.
    bytes: usize,
}

fn main() -> Result<(), BuildError> {
    let Args { workload, operations } = Args::parse();
    let began = Instant::now();
    let Counts { allocations, bytes } = match workload {
        Workload::EncodeRpc => codec::encode(&codec::rpc(), operations),
        Workload::DecodeRpc => codec::decode(&codec::rpc(), operations),
        Workload::EncodeSpawn => codec::encode(&codec::spawn(), operations),
        Workload::DecodeSpawn => codec::decode(&codec::spawn(), operations),
        Workload::EncodeSync => codec::encode_sync(operations),
        Workload::DecodeSync => codec::decode_sync(operations),
        Workload::EncodeDelta => codec::encode_delta(operations),
        Workload::DecodeDelta => codec::decode_delta(operations),
        Workload::EncodeVariant => codec::encode_variant(operations),
        Workload::DecodeVariant => codec::decode_variant(operations),
        Workload::Call => calls::run(operations)?,
        Workload::Relay => relay::run(operations, false)?,
        Workload::RelayViewed => relay::run(operations, true)?,
        Workload::Sync => replication::sync(operations, false)?,
        Workload::SyncViewed => replication::sync(operations, true)?,
        Workload::Delta => replication::delta(operations)?,
        Workload::Spawn => replication::spawn(operations)?,
        Workload::ClusterTurn10 => cluster::run(operations, 10),
        Workload::ClusterTurn100 => cluster::run(operations, 100),
        Workload::ClusterTurn1000 => cluster::run(operations, 1_000),
        Workload::TablesGenerated => tables::run_generated(operations)?,
        Workload::TablesByHand => tables::run_by_hand(operations)?,
    };
    let nanoseconds = began.elapsed().as_nanos() as f64 / f64::from(operations.max(1));
    println!(
        "{}",
        json!({ "allocations": allocations, "bytes": bytes, "nanoseconds": nanoseconds })
    );
    Ok(())
}

/// Runs `operation`, which returns a number of bytes, and counts.
fn counted(operations: u32, mut operation: impl FnMut(u32) -> usize) -> Counts {
    let before = allocations();
    let bytes = (0..operations).map(&mut operation).sum();
    Counts { allocations: allocations() - before, bytes }
}
