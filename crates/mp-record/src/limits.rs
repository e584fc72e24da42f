//! Limits of recordings, and the reasons for their values.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Maximum size of an encoded header. The longest part is the configuration of a room, a few
/// hundred bytes.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;

/// Uncompressed size from which a block is written. Larger blocks compress better, smaller ones
/// lose less when a process is killed.
pub const BLOCK_BYTES: usize = 128 * 1024;

/// Recorded time after which a block is written, with the next frame.
pub const BLOCK_TIME: Duration = Duration::from_secs(1);

/// Maximum uncompressed size of a block: the largest packet, the rest of its batch, and a block
/// that is almost full.
pub const BLOCK_BYTES_MAX: usize = mp_core::limits::PACKET_BYTES_MAX + 1024 * 1024;

/// Maximum ratio of the uncompressed to the compressed size of a block, which bounds the time that
/// a small file takes. An idle room reaches about 100.
pub const EXPANSION_MAX: usize = 1_000;

/// Maximum number of bytes in all blocks of a recording, uncompressed: 64 GiB, weeks of a large
/// room.
pub const RECORDING_BYTES_MAX: u64 = 64 << 30;

/// Maximum time between the first and the last frame.
pub const RECORDED_TIME_MAX: Duration = Duration::from_secs(31 * 24 * 3_600);

/// Maximum number of facts of the program that a recording contains, such as the roles of players.
/// Further ones are dropped, so that a replay asks for facts that it does not have.
pub const FACTS_MAX: usize = 65_536;

/// Maximum number of messages of a turn that endpoints refuse. A branch stops to offer messages to
/// an endpoint that has refused one, so there is one for each endpoint.
pub const REFUSALS_MAX: usize = 4_096;

/// Maximum number of connections at a time: as many as a server queues joins of.
pub const CONNECTIONS_MAX: usize = 65_536;

/// Maximum number of endpoints at a time: listeners and their shards.
pub const ENDPOINTS_MAX: usize = 1_024;

/// Maximum number of events between two turns. A host ends the turn of a branch after fewer.
pub const TURN_EVENTS_MAX: usize = 65_536;

/// Maximum size of the packets and values that a watched recording keeps for watchers.
pub const VIEW_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Maximum number of nodes, paths and values that a watched recording keeps for watchers, and of
/// ids that it replaces.
pub const VIEW_ENTRIES_MAX: usize = 1_048_576;

/// Maximum size of the state and the views of a checkpoint, in sum: more than twice the state of a
/// hosted game. A checkpoint begins a block.
pub const CHECKPOINT_BYTES_MAX: usize = mp_core::limits::PACKET_BYTES_MAX;

/// Maximum size of the nodes of all clients that are kept for checkpoints. Beyond it, a recording
/// whose beginning was dropped shows watchers only nodes that are spawned later.
pub const AUDIENCE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Multiples of the recorded speed with which a recording is watched: from slow motion to a second
/// per minute and a half. Each step plays a bounded number of frames.
pub const SPEEDS: RangeInclusive<f64> = 0.1..=100.0;
