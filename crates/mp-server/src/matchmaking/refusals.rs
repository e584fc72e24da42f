//! Refusals of the registry as error responses. The codes are the labels of the reasons.

use axum::http::StatusCode;
use mp_core::Reason as _;
use mp_rooms::{MatchRefusal, QueueRefusal};

use crate::ServerEnded;
use crate::http::Problem;

/// Returns the result of the registry, with its refusal as an error response.
pub(super) fn checked<T, E: Refusal>(
    result: Result<Result<T, E>, ServerEnded>,
) -> Result<T, Problem> {
    result.map_err(ended)?.map_err(E::problem)
}

/// Returns the error of a server that has ended.
pub(super) fn ended(error: ServerEnded) -> Problem {
    Problem::unavailable("server_ended", error)
}

/// The reason of a refusal.
pub(super) trait Refusal {
    /// Returns the error response.
    fn problem(self) -> Problem;
}

impl Refusal for MatchRefusal {
    fn problem(self) -> Problem {
        let status = match self {
            Self::UnknownTemplate | Self::NoRoom | Self::UnknownRoom => StatusCode::NOT_FOUND,
            Self::MatchmakingOff | Self::FilterNotAllowed | Self::WrongCode => {
                StatusCode::FORBIDDEN
            }
            Self::InvalidFilter => StatusCode::BAD_REQUEST,
            Self::RoomFull | Self::RoomLocked => StatusCode::CONFLICT,
            Self::NotResumable => StatusCode::GONE,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, self.label(), self)
    }
}

impl Refusal for QueueRefusal {
    fn problem(self) -> Problem {
        let status = match self {
            Self::UnknownTemplate | Self::NoQueue | Self::UnknownTicket | Self::UnknownParty => {
                StatusCode::NOT_FOUND
            }
            Self::InvalidPartySize => StatusCode::BAD_REQUEST,
            Self::PartyFull | Self::NothingToConfirm => StatusCode::CONFLICT,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, self.label(), self)
    }
}
