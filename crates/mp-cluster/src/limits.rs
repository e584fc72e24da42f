//! Limits of this crate. Each constant documents the reason for its value.

use std::time::Duration;

/// Bytes of a frame. NATS carries messages of up to 1 MiB by default.
pub const FRAME_BYTES_MAX: usize = 512 * 1024;

/// Bytes of a request between nodes: the texts of a join or a filter, and the attributes of a
/// player.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// Bytes of the reply to a call: a page of rooms with the longest metadata.
pub const REPLY_BYTES_MAX: usize = FRAME_BYTES_MAX;

/// Entries of the metadata in a stored room. A room with more is stored without its metadata.
pub const STATE_TEXTS_MAX: usize = 1_024;

/// Bytes of a key or value of such metadata. A room with a longer one is stored without it, too.
pub const STATE_TEXT_BYTES_MAX: usize = 64 * 1024;

/// Texts in the metadata of a room that other nodes list.
pub const LISTED_TEXTS_MAX: usize = 64;

/// Bytes of the metadata of a room that other nodes list, in sum. Longer metadata is not listed.
pub const LISTED_TEXT_BYTES_MAX: usize = 2 * 1024;

/// Bytes of items from which a batch is full: a batch of an endpoint
/// ([`BATCH_BYTES_MAX`](mp_core::limits::BATCH_BYTES_MAX)) fits into one or two frames.
pub const BATCH_BYTES_MAX: usize = mp_core::limits::BATCH_BYTES_MAX;

/// Items of a batch: those of a batch of an endpoint.
pub const BATCH_ITEMS_MAX: usize = mp_core::limits::BATCH_EVENTS_MAX;

/// Bytes of an item beyond which it is sent in parts, so that a full batch and one more item fit
/// into a frame.
pub const PART_BYTES_MAX: usize = 128 * 1024;

/// Bytes of an item, such as a packet or the session of a peer that moves: the largest packet of a
/// transport by default, and the ids of its connections.
pub const ITEM_BYTES_MAX: usize = mp_core::limits::PACKET_BYTES_MAX + PART_BYTES_MAX;

/// Connections of a link: more than an ENet host has.
pub const CONNECTIONS_MAX: usize = 4_096;

/// Path ids of a peer that moves, of each kind: the limit of a moving peer in mp-scene, and those
/// of the branch.
pub const CARRIED_IDS_MAX: usize = 4 * 65_536;

/// Bytes of a path in the session of a peer that moves.
pub const PATH_BYTES_MAX: usize = 64 * 1024;

/// Bytes of the URL of a connection, without its query.
pub const URL_BYTES_MAX: usize = 8 * 1024;

/// Bytes of the text of a rejection; its code has at most 64.
pub const REJECTION_TEXT_BYTES_MAX: usize = 512;

/// Different rejections that a process accepts from other nodes. They are never freed: servers have
/// dozens, fixed in their source text.
pub const REJECTIONS_MAX: usize = 512;

/// Batches that a gateway queues for its remote gateway. At the limit it accepts no message, so
/// that its endpoint pauses connections, and its branch applies its own limits.
pub const QUEUED_BATCHES_MAX: usize = mp_core::limits::MAILBOX_BATCHES;

/// Frames that a gateway may send before the remote gateway has delivered the first of them.
pub const WINDOW_FRAMES: u64 = 64;

/// Bytes that a gateway may send before the remote gateway has delivered the first of them: the
/// window at full batches. A single frame may always be sent.
pub const WINDOW_BYTES: usize = 4 * 1024 * 1024;

/// Time for which frames wait for an earlier one. NATS keeps the order of a publisher's messages
/// except when a route between its servers changes.
pub const REORDER_TIME: Duration = Duration::from_millis(100);

/// Interval of frames without content, by which a gateway shows that it exists, and which frames it
/// has sent.
pub const BEAT_INTERVAL: Duration = Duration::from_millis(250);

/// Silence after which the remote gateway counts as lost: twelve beats, and as long as a lease.
pub const LINK_TIMEOUT: Duration = Duration::from_secs(3);

/// Links of a node, from or to other nodes, of each kind.
pub const LINKS_MAX: usize = 65_536;

/// Links of a node that a node remembers to have refused.
pub const REFUSED_LINKS_MAX: usize = 256;

/// Nodes of a cluster whose links are known.
pub const NODES_MAX: usize = 1_024;

/// Rooms that a node does not have, for which frames were received, until the program locates them.
/// Further ones are requested again by the next frame.
pub const UNKNOWN_ROOMS_MAX: usize = 64;

/// Lifetime of a node's registration in the directory, its lease: with [`SCAN_INTERVAL`] twice and
/// a few requests, rooms of a node that has died are adopted within 5 s.
pub const LEASE_TIME: Duration = Duration::from_secs(3);

/// Interval at which a node renews its lease: two attempts may fail.
pub const RENEWAL_INTERVAL: Duration = Duration::from_millis(800);

/// Time before the end of its lease at which a node stops speaking for its rooms. It covers clocks
/// that differ by 1 % over a lease, the time between the decision to send and the bus, and the
/// precision of the directory's lifetimes.
pub const LEASE_MARGIN: Duration = Duration::from_millis(500);

/// Time after which an unanswered request to the directory counts as failed.
pub const REQUEST_TIMEOUT: Duration = Duration::from_millis(700);

/// Time after which a failed request to the directory is repeated.
pub const REQUEST_RETRY: Duration = Duration::from_millis(200);

/// Interval at which a node reads the registrations of all nodes.
pub const SCAN_INTERVAL: Duration = Duration::from_millis(500);

/// Time for which a node adopts no rooms after it has registered again: when the directory was away
/// for all nodes, the others need up to 2.2 s to connect, and a request.
pub const RETURN_TIME: Duration = LEASE_TIME;

/// Scans after which one of the nodes reads all rooms although no node has vanished: it finds rooms
/// whose owner has vanished without being noticed by a node that runs.
pub const FULL_SCAN_INTERVAL: u32 = 20;

/// Rooms of a node. It equals mp-server's limit of rooms.
pub const ROOMS_MAX: usize = 16_384;

/// Entries of a directory in memory: rooms and tickets of many nodes.
pub const ENTRIES_MAX: usize = 1 << 20;

/// Bytes of a value in the directory.
pub const VALUE_BYTES_MAX: usize = 1_024;

/// Tickets of players that a node writes to the directory: one per connection of all endpoints.
pub const TICKETS_MAX: usize = 65_536;

/// Interval at which a node renews the lifetime of a ticket: 10,000 players cause 17 writes per
/// second.
pub const TICKET_RENEWAL: Duration = Duration::from_secs(600);

/// Time after which a ticket is written again that the directory has not accepted.
pub const TICKET_RETRY: Duration = Duration::from_secs(1);

/// Bytes of the name of a node.
pub const NODE_NAME_BYTES_MAX: usize = 64;

/// Bytes of an address of a node: four of them and the name fit into a value.
pub const ADDRESS_BYTES_MAX: usize = 200;

/// Messages that a node queues for the bus, and as many that it has received: the windows of 128
/// links that are behind.
pub const BUS_QUEUE_MESSAGES_MAX: usize = 8_192;

/// Bytes of these messages: the windows of 16 links with full batches.
pub const BUS_QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Time for which a message waits for the bus. A node checks its lease when it queues a frame: a
/// later one might speak for a room that another node has adopted.
pub const BUS_SEND_TIME_MAX: Duration = Duration::from_millis(450);

/// Bans of a cluster: those that a server has at most.
pub const BANS_MAX: usize = mp_core::ConnectionGate::PREFIXES_MAX;

/// Interval at which a node reads all bans, in case that it was not notified of a change.
pub const BANS_READ_INTERVAL: Duration = Duration::from_secs(60);

/// Time after which a node reads the bans that another node has changed, so that several changes
/// are read at once.
pub const BANS_READ_SOON: Duration = Duration::from_millis(200);

/// Time after which a node reads changed bans again: a replica of the directory has the latest
/// changes then.
pub const BANS_REPLICATION_TIME: Duration = Duration::from_secs(2);

/// Players whose last join their home node knows: twice the connections of a node, about 20 MB.
pub const HOME_PLAYERS_MAX: usize = 2 * 65_536;

/// Bytes of the text of a ban's target: the longest subject of a player, and a word before it.
pub const BAN_TARGET_BYTES_MAX: usize = mp_identity::limits::SUBJECT_BYTES_MAX + 32;

/// Time for which the directory keeps a ban that was lifted. A node that was down for longer brings
/// the ban back from its file.
pub const LIFTED_BAN_TIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Bytes of a snapshot of a room that is stored.
pub const SNAPSHOT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of a message with a part of a snapshot: a frame, which every server of a cluster accepts.
pub const SNAPSHOT_CHUNK_BYTES: usize = FRAME_BYTES_MAX;

/// Players in the state of a room: more than a room has.
pub const STATE_PLAYERS_MAX: usize = 65_536;

/// Endpoints in the state of a room: 64 of each node.
pub const STATE_ENDPOINTS_MAX: usize = 65_536;

/// Time for which players stay connected whose room has lost its node: another one has adopted it
/// within 5 s, reads its snapshot, and starts it.
pub const HOLD_TIME: Duration = Duration::from_secs(10);

/// Bytes that a link keeps meanwhile for the room's next node. At the limit it accepts no message,
/// so that the endpoint pauses its connections.
pub const HELD_BYTES_MAX: usize = WINDOW_BYTES;

/// Items that a link keeps meanwhile.
pub const HELD_ITEMS_MAX: usize = 16_384;

/// Time after which a snapshot is removed that was not stored again. It bounds what nodes leave
/// that have died while they stored one.
pub const SNAPSHOT_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

// A renewal whose answer was lost is repeated before the node stops.
const _: () = assert!(
    RENEWAL_INTERVAL.as_millis() + 2 * REQUEST_TIMEOUT.as_millis() + LEASE_MARGIN.as_millis()
        < LEASE_TIME.as_millis()
);
// A page of rooms with the longest names and metadata, and 32 bytes of numbers each.
const _: () = assert!(
    mp_rooms::limits::LOBBY_PAGE_MAX
        * (LISTED_TEXT_BYTES_MAX + 6 * LISTED_TEXTS_MAX + mp_rooms::limits::NAME_BYTES_MAX + 32)
        < REPLY_BYTES_MAX
);
// The longest filter, identity and names of a request.
const _: () = assert!(
    2 * mp_rooms::limits::FILTER_PAIRS_MAX * (mp_rooms::limits::FILTER_BYTES_MAX + 2)
        + mp_identity::limits::ATTRIBUTES_BYTES_MAX
        + 1_024
        < REQUEST_BYTES_MAX
);
// A full batch with the longest part, and the chain of all connections.
const _: () = assert!(BATCH_BYTES_MAX + PART_BYTES_MAX + 21 * CONNECTIONS_MAX < FRAME_BYTES_MAX);
const _: () = assert!(WINDOW_FRAMES as usize * BATCH_BYTES_MAX == WINDOW_BYTES);
// A frame that waited for the bus is sent before the lease ends.
const _: () = assert!(BUS_SEND_TIME_MAX.as_millis() < LEASE_MARGIN.as_millis());
