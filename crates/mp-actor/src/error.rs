//! Errors, and the ways in which a branch ends.

use std::fmt;

use mp_core::DisconnectReason;
use mp_scene::rpc::RequestError;
use mp_scene::{AuthError, BuildError, MoveError, SendBytesError};

/// The way in which a branch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// It was closed locally: by [`BranchRef::close`](crate::BranchRef::close), or because its last
    /// handle was dropped.
    Closed,
    /// Its last endpoint closed, such as at the end of a client's session.
    Disconnected(DisconnectReason),
    /// Code of the program panicked in it, with this message.
    Panicked(String),
    /// Its thread was stopped.
    Stopped,
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::Disconnected(reason) => write!(f, "disconnected: {reason}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Stopped => f.write_str("thread stopped"),
        }
    }
}

/// The reason why a call into a branch failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// [`PENDING_CALLS_MAX`](crate::limits::PENDING_CALLS_MAX) calls are pending, or
    /// [`CONDITIONS_MAX`](crate::limits::CONDITIONS_MAX) conditions.
    #[error(
        "branch is busy: {} calls or {} conditions are pending; await them first",
        crate::limits::PENDING_CALLS_MAX,
        crate::limits::CONDITIONS_MAX
    )]
    Busy,
    /// The branch, the peer or the endpoint has ended; see
    /// [`BranchRef::closed`](crate::BranchRef::closed).
    #[error("the branch, peer or endpoint has ended")]
    Ended,
    /// The condition of [`BranchRef::until_timeout`](crate::BranchRef::until_timeout) did not hold
    /// in time.
    #[error("the condition did not hold in time")]
    TimedOut,
}

/// The reason why [`BranchRef::move_peer`](crate::BranchRef::move_peer) failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MovePeerError {
    /// The call into one of the branches failed. If the target ended after it had accepted the
    /// peer, the peer returns to its branch.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The peer cannot move; it stays.
    #[error(transparent)]
    Move(#[from] MoveError),
    /// The peer did not arrive: its connection has ended, or its endpoint has rejected the move and
    /// the peer is in its branch again.
    #[error("the peer did not arrive: its connection ended, or the endpoint rejected the move")]
    Interrupted,
}

/// The reason why [`BranchRef::ask`](crate::BranchRef::ask) returned no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The call into the branch failed, or the branch ended before the answer was received.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The request could not be sent, or was not answered.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// The reason why a response to a peer that authenticates failed. The response has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthResponseError {
    /// The response is not allowed in the state of the authentication.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The call into the branch failed. [`CallError::Ended`] also if the peer has disconnected.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// The reason why a branch could not be started, served or connected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The branch could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The client could not connect.
    #[error("cannot connect to the server: {0}")]
    ConnectionFailed(DisconnectReason),
    /// The branch ended before it was ready.
    #[error("the branch ended before it was ready: {0}")]
    Ended(EndReason),
    /// The current thread has no actix system.
    #[error(
        "no actix system on this thread; call this within #[actix::main], System::block_on or an arbiter"
    )]
    NoSystem,
    /// The closure that creates the branch or the transport panicked, or its thread was stopped.
    #[error("the closure that creates the branch or transport panicked, or its thread was stopped")]
    Panicked,
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// The transport could not be created.
    #[error(transparent)]
    Transport(Box<dyn std::error::Error + Send + Sync>),
}

/// The reason why a channel could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The call into the branch failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The name is empty or too long.
    #[error("invalid channel name {0:?}; use 1 to {max} bytes", max = crate::limits::CHANNEL_NAME_BYTES_MAX)]
    Name(String),
    /// The branch already has a channel with this name.
    #[error("channel {0:?} is already open; clone its ChannelRef")]
    AlreadyOpen(String),
}

/// The reason why a message could not be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The call into the branch failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Postcard cannot encode the message.
    #[error("cannot encode the message")]
    Encode(#[source] postcard::Error),
    /// The message could not be sent.
    #[error(transparent)]
    Send(#[from] SendBytesError),
    /// The message exceeds the maximum packet size of an endpoint.
    #[error("message of {len} bytes exceeds the transports' maximum of {max} bytes")]
    TooLarge {
        /// Encoded size in bytes.
        len: usize,
        /// Maximum packet size in bytes that all transports of the branch support.
        max: usize,
    },
}
