//! [`NatsError`]: the reasons why a node cannot use NATS.

/// The reason why a node cannot use NATS, found when it starts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NatsError {
    /// The file with credentials cannot be read.
    #[error("cannot read the NATS credentials {path}: {why}")]
    Credentials {
        /// The path.
        path: String,
        /// The reason.
        why: String,
    },
    /// The file with authorities of certificates cannot be read.
    #[error("cannot read the authorities of NATS {path}: {why}")]
    Authorities {
        /// The path.
        path: String,
        /// The reason.
        why: String,
    },
    /// No server can be reached.
    #[error("cannot connect to NATS at {servers}: {why}")]
    Unreachable {
        /// The servers.
        servers: String,
        /// The reason.
        why: String,
    },
    /// The server does not accept the user.
    #[error(
        "NATS at {servers} refuses the user: pass the credentials of a user of its account, as a \
         file, or a user and its password"
    )]
    Unauthorized {
        /// The servers.
        servers: String,
    },
    /// The server is too old.
    #[error("NATS {version} is too old: rooms on several servers need NATS 2.11 or later")]
    OldServer {
        /// The version.
        version: String,
    },
    /// The server limits messages to fewer bytes than a frame may have.
    #[error("NATS limits messages to {bytes} bytes: set max_payload to {needed} or more")]
    SmallPayload {
        /// The limit of the server.
        bytes: usize,
        /// The bytes that are needed.
        needed: usize,
    },
    /// The server has no JetStream, or the user's account may not use it.
    #[error(
        "NATS has no JetStream: start nats-server with --jetstream, and enable it for the account"
    )]
    NoJetStream,
    /// The server does not deliver a message of this node to itself.
    #[error(
        "NATS does not deliver messages of this node: allow the user to publish and subscribe \
         {subject:?}"
    )]
    NotDelivered {
        /// Subjects that the user must be allowed to publish and subscribe.
        subject: String,
    },
    /// A stream cannot be used.
    #[error("cannot use the JetStream stream {stream:?}: {why}")]
    Stream {
        /// The name of the stream.
        stream: String,
        /// The reason.
        why: String,
    },
}

impl NatsError {
    /// Returns the error of a stream.
    pub(super) fn stream(stream: &str, why: impl ToString) -> Self {
        Self::Stream { stream: stream.to_owned(), why: why.to_string() }
    }
}
