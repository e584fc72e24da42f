//! Refusals of the registry as error responses. The codes are the labels of the reasons.

use std::time::Duration;

use axum::http::StatusCode;
use mp_core::Reason as _;
use mp_identity::{AuthRefusal, AuthRejection};
use mp_rooms::{MatchRefusal, QueueRefusal};

use crate::ServerEnded;
use crate::http::Problem;
use crate::rooms::Identified;

/// Returns the result of the registry, with its refusal as an error response.
pub(super) fn checked<T, E: Refusal>(
    result: Result<Result<T, E>, ServerEnded>,
) -> Result<T, Problem> {
    result.map_err(ended)?.map_err(E::problem)
}

/// Returns the result of the registry for a player who authenticates.
pub(super) fn identified<T, E: Refusal>(result: Identified<T, E>) -> Result<T, Problem> {
    checked(result)?.map_err(E::problem)
}

/// Returns the error of a server that has ended.
fn ended(error: ServerEnded) -> Problem {
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
            Self::MatchmakingOff
            | Self::FilterNotAllowed
            | Self::WrongCode
            | Self::WrongRoom
            | Self::MayNotCreate => StatusCode::FORBIDDEN,
            Self::InvalidFilter => StatusCode::BAD_REQUEST,
            Self::RoomFull
            | Self::RoomLocked
            | Self::NameTaken
            | Self::TooManyRoomsOfPlayer
            | Self::AlreadyMatching => StatusCode::CONFLICT,
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
            Self::WrongRoom | Self::NoRank => StatusCode::FORBIDDEN,
            Self::PartyFull | Self::NothingToConfirm | Self::AlreadyMatching => {
                StatusCode::CONFLICT
            }
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, self.label(), self)
    }
}

impl Refusal for AuthRejection {
    fn problem(self) -> Problem {
        let code = self.code().to_owned();
        let status = match self.reason() {
            AuthRefusal::CallOutRefused | AuthRefusal::Banned => StatusCode::FORBIDDEN,
            AuthRefusal::TooManyAttempts => {
                let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, code, self);
                return problem.retry_after(FAILURES_TIME);
            }
            AuthRefusal::TooManyUsed
            | AuthRefusal::CallOutUnavailable
            | AuthRefusal::KeysUnavailable
            | AuthRefusal::TooManyWaiting => StatusCode::SERVICE_UNAVAILABLE,
            _ => return Problem::unauthorized(code, self),
        };
        Problem::new(status, code, self)
    }
}

/// Time for which the number of failed attempts is limited.
const FAILURES_TIME: Duration = Duration::from_secs(60);
