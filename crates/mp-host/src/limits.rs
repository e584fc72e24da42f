//! Limits of a host. Each constant documents the reason for its value. See
//! [`mp_core::limits::MAILBOX_BATCHES`] for the capacity of mailboxes.

use std::time::Duration;

use mp_core::limits::{DRAIN_TIMEOUT, MAILBOX_BATCHES, OUTBOX_PACKETS_MAX};

/// Packets, counted once per receiving connection, that are handled before a turn: a few
/// milliseconds of CPU time. Without the limit a fast sender in another thread could delay the turn
/// forever. An endpoint that only handled its mailbox would also overflow the receive buffer of its
/// socket, which holds some 10,000 datagrams: each sent packet may be acknowledged by one.
pub const WORK_PER_TURN: usize = MAILBOX_BATCHES * MESSAGE_WORK;

/// Minimum number of packets that a message counts as. It is chosen such that a full mailbox of
/// small messages fits one turn.
pub const MESSAGE_WORK: usize = 64;

/// Packets queued for one endpoint from which a branch stops handling input until it has delivered
/// some. Emptying its mailbox must not fill an outbox.
pub const QUEUED_PACKETS_HIGH: usize = OUTBOX_PACKETS_MAX / 8;

/// Maximum time that a branch handles no input because an endpoint is congested. An endpoint
/// empties its mailbox every turn, so one with a full mailbox for that long hangs. The branch then
/// continues, and the limit of its outbox applies. A stop of the process for more than 1 s does not
/// count.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(1);

/// Delay until delivery to a full mailbox is retried. Mailboxes do not notify senders of free
/// capacity. Tokio's timers round up to 1 ms.
pub const DELIVERY_RETRY: Duration = Duration::from_micros(500);

/// Maximum time that a closing branch waits for its endpoints. They close within [`DRAIN_TIMEOUT`],
/// and have one more second to report it. Time in which the process did not run does not count.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(DRAIN_TIMEOUT.as_secs() + 1);

const _: () = assert!(CLOSE_TIMEOUT.as_millis() > DRAIN_TIMEOUT.as_millis());
