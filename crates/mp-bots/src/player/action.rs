//! Actions of a player, and the reasons of its end.

use bytes::Bytes;
use mp_core::{Instant, Variant};

/// An action of a bot.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Creates the transport and connects.
    Connect,
    /// Sends the call of this step, and reports the result to `Player::sent`.
    Call {
        step: usize,
        args: Vec<Variant>,
        sequence: i64,
        /// Time for which the call is scheduled.
        due: Instant,
    },
    /// Sends the raw packet of this step.
    Raw { step: usize, data: Bytes },
    /// Closes the connection, without notice if `vanish`.
    Leave { vanish: bool },
}

/// The part of a client's state on which its player depends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientView {
    /// Peer id as a number.
    pub(crate) id: i32,
}

/// The reason why a player has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PlayerEnd {
    /// It has left.
    Left,
    /// Its transport did not connect.
    Unreachable(String),
    /// Its connection ended.
    Disconnected,
}
