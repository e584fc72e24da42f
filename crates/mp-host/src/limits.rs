//! Every bound of a host, with its reason. The mailboxes' own is
//! [`mp_core::limits::MAILBOX_BATCHES`].

use std::time::Duration;

use mp_core::limits::{LINGER, MAILBOX_BATCHES, OUTBOX_PACKETS_MAX};

/// Packets, counted once for each connection they go to, that a machine takes in before its turn:
/// some milliseconds of work. Without this bound a fast sender on another thread could delay the
/// turn for ever. An endpoint that only reads its mailbox would also overflow its socket's buffer,
/// which holds some 10,000 datagrams: each packet sent may be acknowledged by one.
pub const WORK_PER_TURN: usize = MAILBOX_BATCHES * MESSAGE_WORK;

/// Share of [`WORK_PER_TURN`] that a message with fewer packets counts for, so that a full mailbox
/// of small messages fits one turn.
pub const MESSAGE_WORK: usize = 64;

/// Packets queued for one endpoint from which on a branch takes nothing in before it has delivered:
/// a drain of its mailbox must not fill an outbox.
pub const QUEUED_PACKETS_HIGH: usize = OUTBOX_PACKETS_MAX / 8;

/// Longest time that a branch takes nothing in because an endpoint is congested. An endpoint
/// empties its mailbox every turn, so one that leaves it full for so long hangs. The branch then
/// goes on without it, and the bound of the outbox decides.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(1);

/// Time until a full mailbox is tried again. Mailboxes do not notify senders of free capacity;
/// tokio's timers round up to 1 ms.
pub const DELIVERY_RETRY: Duration = Duration::from_micros(500);

/// Longest time that a closing branch waits for its endpoints: they end within [`LINGER`], and have
/// a second to report it.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(LINGER.as_secs() + 1);

const _: () = assert!(CLOSE_TIMEOUT.as_millis() > LINGER.as_millis());
