//! Limits of this crate and of the hosts. Each constant documents the reason for its value. See
//! [`mp_core::limits::MAILBOX_BATCHES`] for the capacity of mailboxes.

use std::time::Duration;

pub use mp_host::limits::*;

/// Maximum number of pending calls into one branch. Further calls fail with
/// [`Busy`](crate::CallError::Busy), so that callers that do not await their calls cannot exhaust
/// memory.
pub const PENDING_CALLS_MAX: usize = 64;

/// Maximum number of peers in one request for statistics. A branch and an endpoint read them in one
/// turn, in well below a millisecond.
pub const PEER_STATS_BATCH: usize = 128;

/// Maximum number of conditions that callers of [`BranchRef::until`](crate::BranchRef::until) wait
/// for in one branch, since each is evaluated after every turn. Further calls fail with
/// [`Busy`](crate::CallError::Busy).
pub const CONDITIONS_MAX: usize = 256;

/// Maximum number of AUTH packets of one peer that are queued while its
/// [authenticator](crate::BranchStarter::authenticate) handles an earlier one. A few suffice, since
/// an exchange alternates between both peers. A peer that sends more is rejected.
pub const AUTH_QUEUE_PACKETS_MAX: usize = 16;

/// Maximum bytes of the queued AUTH packets of one peer: enough for names, tokens, signatures and a
/// certificate of an unauthenticated peer. A single packet of any size is always accepted.
pub const AUTH_QUEUE_BYTES_MAX: usize = 64 * 1024;

/// Maximum number of signals queued for one subscriber: some seconds of a busy room.
pub const SIGNAL_QUEUE_MAX: usize = 1_024;

/// Part of [`SIGNAL_QUEUE_MAX`] that is not available to packets, so that a flood of packets cannot
/// hide from a slow subscriber which peers connect and disconnect.
pub const SIGNALS_RESERVED: usize = 256;

/// Maximum number of messages of a channel queued for one subscriber: as many as a transport
/// delivers of one connection in one turn.
pub const CHANNEL_QUEUE_MESSAGES_MAX: usize = 4_096;

/// Maximum length of a channel name in bytes. It is sent with every message.
pub const CHANNEL_NAME_BYTES_MAX: usize = 32;

const _: () = assert!(SIGNALS_RESERVED < SIGNAL_QUEUE_MAX);

/// Minimum time between two publications of an actor's statistics: the resolution of a dashboard.
pub const STATS_INTERVAL: Duration = Duration::from_secs(1);
