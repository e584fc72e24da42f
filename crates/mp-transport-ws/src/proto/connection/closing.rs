//! The end of a connection: by the remote peer, or by the local one with a close frame.

use mp_core::{CloseMode, DisconnectReason, Instant};

use super::{Connection, Phase};
use crate::limits::{CLOSE_FRAME_TIMEOUT, CLOSE_REASON_BYTES_MAX};

/// The result of a connection that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionEnd {
    /// Reason to report if the connection was reported as connected.
    pub(crate) reason: Option<DisconnectReason>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Closing {
    pub(super) end: ConnectionEnd,
    /// True while queued packets are sent before the close frame.
    pub(super) is_draining: bool,
    /// True if the socket is shut down after the queued bytes, without waiting for a close frame.
    pub(super) shuts_down: bool,
}

impl Connection {
    /// Ends the connection because the remote peer sends nothing more. `reason` is reported unless
    /// another reason was set.
    pub(crate) fn handle_disconnect(&mut self, reason: DisconnectReason) {
        let end = match self.phase {
            Phase::Handshake { .. } | Phase::AwaitingId => ConnectionEnd { reason: None },
            Phase::Open => ConnectionEnd { reason: Some(reason) },
            Phase::Closing(Closing { end, .. }) | Phase::Ended(end) => end,
        };
        self.phase = Phase::Ended(end);
    }

    /// Sets the reason of the close frame if the connection is rejected.
    pub(crate) fn set_close_text(&mut self, text: &str) {
        self.close_text = Some(truncated(text).into());
    }

    /// Closes the connection with the close code for `reason`.
    pub(crate) fn close(&mut self, now: Instant, reason: DisconnectReason, close_mode: CloseMode) {
        let (text, close_text) = (reason.to_string(), self.close_text.clone());
        let (code, text) = match reason {
            DisconnectReason::Closed | DisconnectReason::Kicked => (1000, ""),
            DisconnectReason::BranchPanicked => (1011, text.as_str()),
            DisconnectReason::Rejected(rejection) => {
                (1008, close_text.as_deref().unwrap_or_else(|| rejection.code()))
            }
            _ => (1008, text.as_str()),
        };
        self.close_with(now, reason, close_mode, code, text);
    }

    /// Closes the connection with a custom close code, and a text that is truncated to
    /// [`CLOSE_REASON_BYTES_MAX`].
    pub(crate) fn close_with(
        &mut self,
        now: Instant,
        reason: DisconnectReason,
        close_mode: CloseMode,
        code: u16,
        text: &str,
    ) {
        let (end, text) = (ConnectionEnd { reason: Some(reason) }, truncated(text));
        let goes =
            matches!(self.phase, Phase::Open | Phase::Closing(Closing { is_draining: true, .. }));
        match close_mode {
            CloseMode::Drain if self.is_open() => {
                self.phase = Phase::Closing(Closing { end, is_draining: true, shuts_down: false });
            }
            CloseMode::Graceful if goes => {
                self.queue.clear();
                self.with_messages(|messages, out| messages.close(code, text, out));
                self.phase = Phase::Closing(Closing { end, is_draining: false, shuts_down: false });
                self.deadline = Some(now + CLOSE_FRAME_TIMEOUT);
            }
            CloseMode::Immediate => {
                self.queue.clear();
                self.with_messages(|messages, out| messages.close(code, text, out));
                self.phase = Phase::Ended(ConnectionEnd { reason: None });
            }
            _ => {}
        }
    }

    /// Appends the close_notify of TLS to `out`.
    pub(crate) fn close_tls(&mut self, out: &mut Vec<u8>) {
        if let Some(tls) = &mut self.tls {
            tls.close(out);
        }
    }

    /// Closes the connection and frees its incomplete message and its queue.
    pub(crate) fn shed(&mut self, now: Instant, reason: DisconnectReason) {
        self.stats.receive_drops += 1;
        let text = reason.to_string();
        self.with_messages(|messages, out| messages.close(1008, &text, out));
        self.close_ignoring_input(now, reason);
    }

    /// Returns the end of a connection that has ended.
    pub(crate) fn end(&self) -> Option<ConnectionEnd> {
        match self.phase {
            Phase::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// Returns whether the socket is to be shut down for writing after all bytes are written.
    pub(crate) fn wants_shutdown(&self) -> bool {
        matches!(self.phase, Phase::Closing(Closing { shuts_down: true, .. }))
    }

    /// Closes the connection after its close frame was queued. Further input is ignored.
    pub(super) fn close_ignoring_input(&mut self, now: Instant, reason: DisconnectReason) {
        self.messages = None;
        self.queue.clear();
        let end = match self.phase {
            Phase::Closing(Closing { end, .. }) | Phase::Ended(end) => end,
            Phase::Open => ConnectionEnd { reason: Some(reason) },
            _ => ConnectionEnd { reason: None },
        };
        self.phase = Phase::Closing(Closing { end, is_draining: false, shuts_down: true });
        // A client that is still connecting keeps its own deadline.
        self.deadline.get_or_insert(now + CLOSE_FRAME_TIMEOUT);
    }

    /// Queues the close frame if all packets of a draining connection have been sent.
    pub(super) fn finish_draining(&mut self, now: Instant) {
        if let Phase::Closing(Closing { end, is_draining: true, .. }) = self.phase
            && let Some(reason) = end.reason
        {
            self.close(now, reason, CloseMode::Graceful);
        }
    }
}

/// Returns as much of a text as a close frame carries, without a part of a character.
fn truncated(text: &str) -> &str {
    let mut end = text.len().min(CLOSE_REASON_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
