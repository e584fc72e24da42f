//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Bytes that the nodes that one peer has numbered may take. 65,536 nodes with paths of 60 bytes
/// need 14 MB. Godot has no bound and never forgets a number, also when its node has left: the peer
/// uses it again when it shows a hidden node. At the bound idle numbers are forgotten, the oldest
/// first.
pub const PATH_CACHE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of those of all peers together: as many as four peers may have. On a server most nodes are
/// numbered by the server itself, and its clients number those that they call and those that they
/// have authority over.
pub const PATH_CACHE_BYTES_OF_ALL_MAX: usize = 4 * PATH_CACHE_BYTES_MAX;

/// Bytes of them that each peer may always have, so that others cannot keep it out: 300 nodes.
pub const PATH_CACHE_BYTES_ALWAYS: usize = 64 * 1024;

/// Bytes that one numbered node takes besides its path: the entry, and its share of the maps by
/// number, by node and of idle numbers.
pub const PATH_ENTRY_BYTES: usize = 160;

/// Packets of one peer that could not be understood before it is disconnected as misbehaving.
/// Godot's own errors (a call to a node that is not there) are understood and do not count.
pub const MALFORMED_PACKETS_MAX: u64 = 1_000;

/// Calls of one peer that wait for nodes that are not there yet, and again SYNCs. What they wait
/// for is under way when they arrive, so that a few round trips' worth is plenty.
pub const EARLY_PACKETS_MAX: usize = 64;

/// Bytes of them; see [`EARLY_PACKETS_MAX`].
pub const EARLY_BYTES_MAX: usize = 64 * 1024;

/// How long a packet waits for a node, at least; at most twice that. Longer than a lost packet
/// takes to be sent again a few times.
pub const EARLY_TIME: Duration = Duration::from_secs(2);

/// Announcements and changes of one peer (SIMPLIFY_PATH, SPAWN, DELTA) that wait for a level that
/// is not there yet. They are reliable: a world without one of them has a hole. As many as wait for
/// a paused peer.
pub const LEVEL_PACKETS_MAX: usize = PAUSED_PACKETS_MAX;

/// Bytes of them; see [`LEVEL_PACKETS_MAX`].
pub const LEVEL_BYTES_MAX: usize = PAUSED_BYTES_MAX;

/// Bytes of those of all peers together: eight levels. Past it a peer may have [`EARLY_BYTES_MAX`],
/// so that others cannot keep it out.
pub const LEVEL_BYTES_OF_ALL_MAX: usize = 8 * LEVEL_BYTES_MAX;

/// How long an announcement waits for a node, at least; at most `EARLY_TIME` longer. Long levels
/// take so long to load; longer than [`PATH_REPEAT_MAX`], so that the path of a node that is not
/// there always waits.
pub const LEVEL_TIME: Duration = Duration::from_secs(30);

/// Least time until the path of a node is announced again to a peer that has not confirmed it;
/// doubled each time. It is at least two round trips of announcements and confirmations, up to
/// [`PATH_REPEAT_MAX`], and begins anew while the peer confirms others that were announced before.
/// A Godot peer logs an error for each path that it knows already.
pub const PATH_REPEAT: Duration = Duration::from_secs(2);

/// Longest time between two announcements of a path, plus one second for each 3,200 others that are
/// due before it: see [`PATH_REPEATS_MAX`]. A Godot peer logs an error for each path that it has
/// not, and a player who has loaded a level waits so long at most.
pub const PATH_REPEAT_MAX: Duration = Duration::from_secs(8);

/// Announcements of paths that are repeated per [`PATH_REPEAT_INTERVAL`], to all peers together:
/// 3,200 per second. Those that were due first are repeated first. A client that has loaded a level
/// of 10,000 nodes gets them within seconds, and a server is not kept from its turns.
pub const PATH_REPEATS_MAX: usize = 32;

/// Announced paths that are checked per [`PATH_REPEAT_INTERVAL`], whether they are to be repeated.
pub const PATH_CHECKS_MAX: usize = 1_024;

/// See [`PATH_REPEATS_MAX`].
pub const PATH_REPEAT_INTERVAL: Duration = Duration::from_millis(10);

/// Names of nodes that have left and are remembered, so that a late call is not made on the next
/// node of the name. A name takes about 50 bytes. Ten minutes of a game that removes 100 nodes per
/// second.
pub const DEPARTED_MAX: usize = 65_536;

/// How long they are remembered: a link may make no progress for 30 s, before the peer learns that
/// the node has left and again before its last call is received.
pub const DEPARTED_TIME: Duration = Duration::from_secs(60);

/// Nodes that one peer may have announced at a time. Godot has no bound; a node takes about 1 KiB
/// here.
pub const SPAWNED_NODES_MAX: usize = 65_536;

/// Reliable packets that wait for a paused peer. A level's worth of announcements is a few
/// thousand.
pub const PAUSED_PACKETS_MAX: usize = 16_384;

/// Bytes of them: an eighth of what a link's own queue may hold.
pub const PAUSED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Packets that have overtaken the announcement of their sender, or the end of its authentication,
/// and wait for it. That may be lost again and again while other channels go on, and reliable
/// packets must not be dropped: as many as a transport keeps for a branch that takes nothing.
pub const OVERTAKING_PACKETS_MAX: usize = mp_core::limits::RECEIVE_QUEUE_PACKETS_MAX;

/// Bytes of them; see [`OVERTAKING_PACKETS_MAX`].
pub const OVERTAKING_BYTES_MAX: usize = mp_core::limits::RECEIVE_QUEUE_BYTES_MAX;

/// How long they wait. Twice as long as a link may make no progress: what waits longer is the last
/// of a peer that has left.
pub const OVERTAKING_TIME: Duration = Duration::from_secs(60);

/// Longest time between two turns that a branch asks for while something may time out. Time in
/// which the process did not run is noticed, and not counted, to within as much.
pub const TIMER_INTERVAL: Duration = Duration::from_secs(1);

/// Signals kept for a program that takes them with `next_signal`. A program that never does must
/// not grow.
pub const SIGNALS_MAX: usize = 4_096;

/// Bytes of peers in the signals that are kept; the newest signal is kept whatever it takes. As
/// much as the largest packet, so that a peer cannot make a program hold more than it could with
/// one.
pub const SIGNAL_BYTES_MAX: usize = mp_core::limits::PACKET_BYTES_MAX;

/// Calls to a node that wait while one of its methods runs.
pub const DEFERRED_CALLS_MAX: usize = 4_096;
