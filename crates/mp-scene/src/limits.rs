//! Limits of this crate. Each constant documents the reason for its value.

use std::time::Duration;

/// Memory in bytes for the path ids that one peer has announced. 65,536 nodes with paths of 60
/// bytes need 16.5 MB. At the limit unused ids are discarded, the oldest first.
///
/// Godot has no limit and never discards an id, even if the node has left: the peer reuses the id
/// when it shows a hidden node again.
pub const PATH_CACHE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Memory in bytes for the announced path ids of all peers together: the maximum of four peers. On
/// a server most ids are the server's own; clients announce ids only of nodes that they call or
/// have authority over.
pub const PATH_CACHE_TOTAL_BYTES_MAX: usize = 4 * PATH_CACHE_BYTES_MAX;

/// Memory in bytes for announced path ids that each peer may use even if
/// [`PATH_CACHE_TOTAL_BYTES_MAX`] is reached: 260 nodes.
pub const PATH_CACHE_RESERVED_BYTES: usize = 64 * 1024;

/// Memory in bytes of one announced path id besides its path: the entry, and its share of the maps
/// by id, by node and of unused ids.
pub const PATH_ENTRY_BYTES: usize = 192;

/// Malformed packets of one peer after which it is disconnected. Packets that are well-formed but
/// fail in Godot too, such as a call to a missing node, do not count.
pub const MALFORMED_PACKETS_MAX: u64 = 1_000;

/// Maximum number of calls of one peer that wait for missing nodes; the same number of SYNC packets
/// may wait. The announcements of the nodes are in flight already, so a few round trips' worth
/// suffice.
pub const DEFERRED_PACKETS_MAX: usize = 64;

/// Maximum bytes of the packets of [`DEFERRED_PACKETS_MAX`].
pub const DEFERRED_BYTES_MAX: usize = 64 * 1024;

/// Minimum time for which a packet waits for a missing node; the maximum is twice that. It exceeds
/// the time of several retransmissions of a lost packet.
pub const DEFERRED_TIME: Duration = Duration::from_secs(2);

/// Maximum number of announcements and changes of one peer (SIMPLIFY_PATH, SPAWN, DELTA) that wait
/// for a level to be loaded. They are reliable, so a dropped one would leave the scene incomplete.
/// The limit equals that of packets for a paused peer.
pub const LEVEL_PACKETS_MAX: usize = PAUSED_PACKETS_MAX;

/// Maximum bytes of the packets of [`LEVEL_PACKETS_MAX`].
pub const LEVEL_BYTES_MAX: usize = PAUSED_BYTES_MAX;

/// Maximum bytes of packets that wait for levels, of all peers together: eight levels. Beyond it
/// each peer may still use [`DEFERRED_BYTES_MAX`], so that others cannot block it.
pub const LEVEL_TOTAL_BYTES_MAX: usize = 8 * LEVEL_BYTES_MAX;

/// Minimum time for which an announcement waits for a missing node; the maximum is
/// [`DEFERRED_TIME`] longer. Long levels take that long to load. It exceeds [`PATH_REPEAT_MAX`], so
/// an announcement of a missing node is always waiting.
pub const LEVEL_TIME: Duration = Duration::from_secs(30);

/// Minimum time until a node path is announced again to a peer that has not confirmed it; doubled
/// each time up to [`PATH_REPEAT_MAX`].
///
/// It is at least two round trips of announcements and confirmations, and restarts while the peer
/// confirms earlier announcements. A Godot peer logs an error for each path that it knows already.
pub const PATH_REPEAT: Duration = Duration::from_secs(2);

/// Maximum time between two announcements of a path, plus one second for each 3,200 others that are
/// due before it (see [`PATH_REPEATS_MAX`]). A Godot peer logs an error for each path of a missing
/// node; a player who has loaded a level waits at most this long.
pub const PATH_REPEAT_MAX: Duration = Duration::from_secs(8);

/// Maximum number of repeated path announcements per [`PATH_REPEAT_INTERVAL`], to all peers
/// together: 3,200 per second, the earliest due first. A client that has loaded a level of 10,000
/// nodes receives them within seconds, and the repeats do not delay the server's turns.
pub const PATH_REPEATS_MAX: usize = 32;

/// Maximum number of announced paths per [`PATH_REPEAT_INTERVAL`] that are checked for a repeat.
pub const PATH_CHECKS_MAX: usize = 1_024;

/// Interval of [`PATH_REPEATS_MAX`] and [`PATH_CHECKS_MAX`].
pub const PATH_REPEAT_INTERVAL: Duration = Duration::from_millis(10);

/// Maximum number of names of removed nodes that are remembered, so that a late call does not reach
/// the next node of the same name. A name takes about 50 bytes. The limit is ten minutes of a game
/// that removes 100 nodes per second.
pub const DEPARTED_MAX: usize = 65_536;

/// Time for which names of removed nodes are remembered. A connection may stall for 30 s before the
/// peer learns of the removal, and again before its last call is received.
pub const DEPARTED_TIME: Duration = Duration::from_secs(60);

/// Maximum number of path ids that were announced to a peer over all branches between which it has
/// moved. With more it cannot move again. A Godot client never forgets an id while it is connected,
/// and takes about 100 bytes for each.
pub const CARRIED_IDS_MAX: usize = 65_536;

/// Time for which a branch expects a peer that moves to it. The branches and the endpoint exchange
/// a few messages meanwhile, each of which may wait for a turn.
pub const EXPECTED_TIME: Duration = Duration::from_secs(10);

/// Maximum number of spawned nodes of one peer at a time. A node takes about 1 KiB. Godot has no
/// limit.
pub const SPAWNED_NODES_MAX: usize = 65_536;

/// Maximum number of reliable packets queued for a paused peer. A level is announced with a few
/// thousand.
pub const PAUSED_PACKETS_MAX: usize = 16_384;

/// Maximum bytes of the packets of [`PAUSED_PACKETS_MAX`]: an eighth of a connection's send queue.
pub const PAUSED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Maximum number of packets that overtook the announcement of their sender, or the end of its
/// authentication, and wait for it. The announcement may be lost repeatedly while other channels
/// proceed, and reliable packets must not be dropped. The limit is that of a transport for a branch
/// that accepts nothing.
pub const REORDER_PACKETS_MAX: usize = mp_core::limits::RECEIVE_QUEUE_PACKETS_MAX;

/// Maximum bytes of the packets of [`REORDER_PACKETS_MAX`].
pub const REORDER_BYTES_MAX: usize = mp_core::limits::RECEIVE_QUEUE_BYTES_MAX;

/// Time for which overtaking packets wait: twice as long as a connection may stall. Packets that
/// wait longer are the last ones of a peer that has left.
pub const REORDER_TIME: Duration = Duration::from_secs(60);

/// Time without a packet after which a peer is probed, on transports whose connections outlive the
/// program of the remote peer (WebRTC).
pub const SILENCE_PROBE: Duration = Duration::from_secs(10);

/// Default time without a packet after which such a peer is disconnected. ENet disconnects a peer
/// whose program has stopped after 5 to 30 s.
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum time between two turns that a branch requests while a timeout is pending. Time in which
/// the process did not run is detected and not counted, with this precision.
pub const TIMER_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum number of rate limits of RPCs that one peer uses at a time, one for each method of each
/// node that it calls. A limit takes about 32 bytes, until the peer could make all its calls again.
/// Calls of further limited methods are dropped; a player calls a few dozen.
pub const CALL_LIMITS_MAX: usize = 256;

/// Maximum number of requests to one peer that have no answer yet. Further ones are refused. An
/// open request takes about 100 bytes and what the program keeps for its answer.
pub const OPEN_REQUESTS_MAX: usize = 64;

/// Time in which a request must be answered unless the program sets another: several round trips
/// with retransmissions.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of warnings of a branch that an RPC table differs from a peer's, one per local
/// table. Further ones are logged at debug level, so that peers cannot fill a log.
pub const RPC_TABLE_WARNINGS_MAX: usize = 32;

/// Minimum period of a repeating timer of the program. A shorter one would use all CPU time.
pub const TIMER_PERIOD_MIN: Duration = Duration::from_millis(1);

/// Maximum number of signals queued for `next_signal`; bounds the memory of a program that never
/// calls it.
pub const SIGNALS_MAX: usize = 4_096;

/// Maximum bytes sent by peers in queued signals: the maximum packet size, so that a peer cannot
/// use more memory than with one packet. The newest signal is kept whatever its size.
pub const SIGNAL_BYTES_MAX: usize = mp_core::limits::PACKET_BYTES_MAX;

/// Maximum number of rows of a branch's [`TrafficReport`](crate::TrafficReport); further traffic is
/// summed up. A row takes about 150 bytes, and 700 with the longest names.
pub const TRAFFIC_ROWS_MAX: usize = 1_024;

/// Maximum number of names of nodes that a branch knows from packets between its clients, for its
/// [`TrafficReport`](crate::TrafficReport). A name takes about 100 bytes, and 300 at most.
pub const RELAYED_NAMES_MAX: usize = 1_024;

/// Maximum number of calls that are deferred because a method of their node is running.
pub const BUSY_NODE_CALLS_MAX: usize = 4_096;

/// Maximum number of peers without a connection that a branch keeps. A further one leaves at once.
/// It is the number of players that a large room has.
pub const KEPT_PEERS_MAX: usize = 4_096;

/// Maximum number of calls that are queued for one kept peer.
pub const KEPT_CALLS_MAX: usize = 1_024;

/// Maximum bytes of the calls that are queued for all kept peers of a branch.
pub const KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Maximum number of path ids that a server keeps of one client's announcements to another, so that
/// the other can resume its session. Beyond it, the two are announced to each other anew.
pub const RELAYED_PATHS_MAX: usize = 1_024;

/// Maximum bytes of the announcements of [`RELAYED_PATHS_MAX`] of a branch. Announcements beyond it
/// are not kept.
pub const RELAYED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Maximum size in bytes of a state in a [`Snapshot`](crate::Snapshot): twice that of the nodes of
/// a hosted game.
pub const SNAPSHOT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Maximum length in bytes of the names in a [`SnapshotRoom`](crate::SnapshotRoom): those of rooms
/// have at most 64.
pub const SNAPSHOT_NAME_BYTES_MAX: usize = 64;

/// Maximum number of endpoints in a [checkpoint](crate::Branch::checkpoint): listeners and their
/// shards.
pub const CHECKPOINT_ENDPOINTS_MAX: usize = 1_024;

/// Maximum number of peers in a [checkpoint](crate::Branch::checkpoint): as many as a recording has
/// connections.
pub const CHECKPOINT_PEERS_MAX: usize = 65_536;

/// Maximum number of pairs of clients in a [handover](crate::Handover) of which one has resumed its
/// session: the resumed ones of 256 clients.
pub const HANDED_BASES_MAX: usize = 65_536;

/// Path ids of a branch that a branch of another process skips when it goes on with its clients:
/// those that the former has assigned since the [handover](crate::Handover).
pub const HANDED_IDS_SKIPPED: u32 = 64;
