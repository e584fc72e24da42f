//! Every bound of this crate, with its reason. The mailboxes' own is [`mp_core::limits::MAILBOX_BATCHES`].

use std::time::Duration;

use mp_core::limits::{LINGER, MAILBOX_BATCHES, OUTBOX_PACKETS_MAX};

/// Calls into one branch that may wait for it. Those of one more caller fail with [`Busy`](crate::CallError::Busy):
/// callers who do not wait for their answers must not fill the memory.
pub const CALLS_WAITING_MAX: usize = 64;

/// AUTH packets of one peer that may wait while its [authenticator](crate::Launch::authenticate) is busy with an earlier
/// one. Exchanges take turns, so that a few suffice; a peer that sends more is refused.
pub const AUTH_PACKETS_WAITING_MAX: usize = 16;

/// Bytes in them, as nobody knows yet who sends them: names, tokens, signatures, a certificate. One packet of any size that its
/// transport takes may wait.
pub const AUTH_BYTES_WAITING_MAX: usize = 64 * 1024;

/// Signals that wait for one subscriber: some seconds of a lively room.
pub const SIGNALS_WAITING_MAX: usize = 1_024;

/// Of [`SIGNALS_WAITING_MAX`], those that are not for packets: who floods a slow subscriber with packets must not hide
/// from it who comes and goes.
pub const SIGNALS_RESERVED: usize = 256;

/// Messages of a channel that wait for one subscriber: as many as a transport delivers of one link in one turn.
pub const CHANNEL_MESSAGES_WAITING_MAX: usize = 4_096;

/// Longest name of a channel in bytes. It travels with every message.
pub const CHANNEL_NAME_BYTES_MAX: usize = 32;

/// Packets, one for each link that it goes to, that an actor takes before it runs a turn and lets others have the thread: some
/// milliseconds of work. Without it a fast sender on another thread could keep a turn from ever coming, and an endpoint that is told
/// much would hear too little: its socket's buffer holds some 10,000 datagrams, and each packet may be acknowledged by one.
pub const WORK_PER_TURN: usize = MAILBOX_BATCHES * MESSAGE_WORK;

/// What a message with fewer packets costs of [`WORK_PER_TURN`]: a full mailbox of them is taken in one turn.
pub const MESSAGE_WORK: usize = 64;

/// Packets for one endpoint after which a branch takes nothing more in before it has delivered: a drain of its mailbox
/// must not fill an outbox.
pub const QUEUED_PACKETS_HIGH: usize = OUTBOX_PACKETS_MAX / 8;

/// How long a branch may be [full](QUEUED_PACKETS_HIGH) without getting emptier, and take nothing in. Meanwhile nothing is added and
/// an endpoint empties its mailbox every turn, so one that leaves it full for so long hangs. It must not take the branch with it: the outbox's own
/// bound then decides.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(1);

/// When a full mailbox is tried again. It wakes nobody when it has room; tokio's timers round up to 1 ms.
pub const DELIVERY_RETRY: Duration = Duration::from_micros(500);

/// How long a closing branch waits for its endpoints: they end within [`LINGER`], and have a second to say so.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(LINGER.as_secs() + 1);

const _: () = assert!(SIGNALS_RESERVED < SIGNALS_WAITING_MAX);
const _: () = assert!(CLOSE_TIMEOUT.as_millis() > LINGER.as_millis());
