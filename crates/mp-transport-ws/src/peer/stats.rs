//! [`ServerStats`]: counters of a server.

use mp_core::ReasonCounts;

use crate::proto::refusal::{MessageRefusal, RequestRefusal};

/// Counters of a server since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// TCP connections accepted.
    pub accepted: u64,
    /// Connections closed during their handshake to accept newer ones.
    pub replaced: u64,
    /// Failed calls of accept because the system lacks descriptors or memory.
    pub accept_errors: u64,
    /// Connections closed because of an incomplete message while all connections exceeded
    /// [`WebSocketSettings::buffered_bytes`](crate::WebSocketSettings::buffered_bytes).
    pub shed: u64,
    /// Requests refused, by reason.
    pub refused_requests: ReasonCounts<RequestRefusal>,
    /// Messages and frames refused, by reason. Each closed its connection.
    pub refused_messages: ReasonCounts<MessageRefusal>,
    /// Text sessions opened.
    pub text_sessions: u64,
}
