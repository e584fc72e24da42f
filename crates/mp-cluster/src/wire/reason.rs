//! Reasons of disconnections on the wire.

use std::sync::{Mutex, PoisonError};

use mp_core::{CloseMode, DisconnectReason, Rejection};
use serde::{Deserialize, Serialize};

use super::bounded::Text;
use crate::limits::{REJECTION_TEXT_BYTES_MAX, REJECTIONS_MAX};

/// A [`DisconnectReason`]. New reasons are appended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum WireReason<'a> {
    Closed,
    BranchPanicked,
    DuplicateId,
    InternalError,
    InvalidId,
    Kicked,
    Moved,
    ProtocolViolation,
    OneSidedAuthentication,
    QueueFull,
    RateExceeded,
    Refused,
    Rejected {
        #[serde(borrow)]
        code: Text<'a, 64>,
        #[serde(borrow)]
        text: Text<'a, REJECTION_TEXT_BYTES_MAX>,
    },
    Remote(u32),
    Timeout,
}

impl From<DisconnectReason> for WireReason<'static> {
    fn from(reason: DisconnectReason) -> Self {
        match reason {
            DisconnectReason::BranchPanicked => Self::BranchPanicked,
            DisconnectReason::DuplicateId => Self::DuplicateId,
            DisconnectReason::InternalError => Self::InternalError,
            DisconnectReason::InvalidId => Self::InvalidId,
            DisconnectReason::Kicked => Self::Kicked,
            DisconnectReason::Moved => Self::Moved,
            DisconnectReason::ProtocolViolation => Self::ProtocolViolation,
            DisconnectReason::OneSidedAuthentication => Self::OneSidedAuthentication,
            DisconnectReason::QueueFull => Self::QueueFull,
            DisconnectReason::RateExceeded => Self::RateExceeded,
            DisconnectReason::Refused => Self::Refused,
            DisconnectReason::Rejected(rejection) => {
                let text = rejection.text();
                let mut end = text.len().min(REJECTION_TEXT_BYTES_MAX);
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                Self::Rejected { code: Text(rejection.code()), text: Text(&text[..end]) }
            }
            DisconnectReason::Remote(code) => Self::Remote(code),
            DisconnectReason::Timeout => Self::Timeout,
            // `Closed`, and reasons that this version of the wire format does not have.
            _ => Self::Closed,
        }
    }
}

impl From<WireReason<'_>> for DisconnectReason {
    fn from(reason: WireReason<'_>) -> Self {
        match reason {
            WireReason::Closed => Self::Closed,
            WireReason::BranchPanicked => Self::BranchPanicked,
            WireReason::DuplicateId => Self::DuplicateId,
            WireReason::InternalError => Self::InternalError,
            WireReason::InvalidId => Self::InvalidId,
            WireReason::Kicked => Self::Kicked,
            WireReason::Moved => Self::Moved,
            WireReason::ProtocolViolation => Self::ProtocolViolation,
            WireReason::OneSidedAuthentication => Self::OneSidedAuthentication,
            WireReason::QueueFull => Self::QueueFull,
            WireReason::RateExceeded => Self::RateExceeded,
            WireReason::Refused => Self::Refused,
            WireReason::Rejected { code, text } => Self::Rejected(interned(code.0, text.0)),
            WireReason::Remote(code) => Self::Remote(code),
            WireReason::Timeout => Self::Timeout,
        }
    }
}

/// Returns the rejection with this code and text. Rejections are constants of programs; those of
/// other nodes are stored for the life of the process, up to [`REJECTIONS_MAX`]. Further ones
/// become [`UNKNOWN`].
fn interned(code: &str, text: &str) -> Rejection {
    static STORED: Mutex<Vec<Rejection>> = Mutex::new(Vec::new());

    let mut stored = STORED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = stored.iter().find(|it| it.code() == code && it.text() == text);
    if let Some(known) = known {
        return *known;
    }
    if stored.len() >= REJECTIONS_MAX {
        return UNKNOWN;
    }
    let rejection = Rejection::new(Box::leak(code.into()), Box::leak(text.into()));
    stored.push(rejection);
    rejection
}

/// Rejection whose code and text were not stored.
const UNKNOWN: Rejection = Rejection::new("rejected", "another server has ended the connection");

/// A [`CloseMode`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum WireCloseMode {
    Drain,
    Graceful,
    Immediate,
}

impl From<CloseMode> for WireCloseMode {
    fn from(mode: CloseMode) -> Self {
        match mode {
            CloseMode::Drain => Self::Drain,
            CloseMode::Graceful => Self::Graceful,
            CloseMode::Immediate => Self::Immediate,
        }
    }
}

impl From<WireCloseMode> for CloseMode {
    fn from(mode: WireCloseMode) -> Self {
        match mode {
            WireCloseMode::Drain => Self::Drain,
            WireCloseMode::Graceful => Self::Graceful,
            WireCloseMode::Immediate => Self::Immediate,
        }
    }
}
