//! What can go wrong, and how things end.

use std::fmt;

use mp_core::DisconnectReason;
use mp_scene::{AuthError, SendBytesError, TreeError};

/// How a branch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// It was closed on this side: [`BranchRef::close`](crate::BranchRef::close), or its last handle was dropped.
    Closed,
    /// Its last endpoint ended, a client's session with it.
    Disconnected(DisconnectReason),
    /// Code of the program's own panicked in it, with this message.
    Panicked(String),
    /// Its thread was stopped under it.
    Stopped,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::Disconnected(reason) => write!(f, "disconnected: {reason}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Stopped => f.write_str("its thread was stopped"),
        }
    }
}

/// Why a call into a branch was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// [`CALLS_WAITING_MAX`](crate::limits::CALLS_WAITING_MAX) calls wait already. Await earlier ones first.
    #[error(
        "the branch is busy: {} calls wait already; await earlier ones first",
        crate::limits::CALLS_WAITING_MAX
    )]
    Busy,
    /// The branch, the peer or the endpoint has ended; see [`BranchRef::closed`](crate::BranchRef::closed).
    #[error("it has ended")]
    Ended,
}

/// Why an answer was not given to a peer that authenticates itself. It changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// It does not fit what was said before.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The branch took no call; [`CallError::Ended`] also when the peer has left.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why a branch was not started, served or connected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The client's session did not come about.
    #[error("no connection to the server: {0}")]
    ConnectionFailed(DisconnectReason),
    /// The branch ended first.
    #[error("the branch ended before it was ready: {0}")]
    Ended(Ended),
    /// There is no actix system on this thread.
    #[error(
        "there is no actix system on this thread; call this within #[actix::main], System::block_on or an arbiter"
    )]
    NoSystem,
    /// The closure that builds the branch or the transport panicked, or its thread was stopped.
    #[error("building it panicked, or its thread was stopped")]
    Panicked,
    /// No thread could be started.
    #[error("no thread could be started for it: {0}")]
    Thread(std::io::Error),
    /// The transport could not be made.
    #[error("{0}")]
    Transport(Box<dyn std::error::Error + Send + Sync>),
    /// The branch could not be built.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// Why a channel was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The branch took no call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The name is not one.
    #[error("{0:?} is no name of a channel: use 1 to {max} bytes", max = crate::limits::CHANNEL_NAME_BYTES_MAX)]
    Name(String),
    /// The branch has a channel of this name.
    #[error("channel {0:?} is open already; clone its ChannelRef")]
    Taken(String),
}

/// Why a message was not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The branch took no call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The message has no form in postcard.
    #[error("the message cannot be encoded: {0}")]
    Encode(String),
    /// It was not sent.
    #[error(transparent)]
    Send(#[from] SendBytesError),
    /// An endpoint could not take it.
    #[error("the message takes {len} bytes; this branch's transports take {max}")]
    TooLarge {
        /// Bytes on the wire.
        len: usize,
        /// The most that every transport of the branch takes.
        max: usize,
    },
}
