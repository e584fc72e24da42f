//! Every bound of this crate, with its reason, and those of the hosts. The mailboxes' own is
//! [`mp_core::limits::MAILBOX_BATCHES`].

pub use mp_host::limits::*;

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

const _: () = assert!(SIGNALS_RESERVED < SIGNALS_WAITING_MAX);
