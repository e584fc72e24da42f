//! States and errors of a connection.
#![expect(clippy::exhaustive_enums, reason = "Godot lists the states")]

use std::error::Error;
use std::sync::Arc;

use crate::limits::SDP_BYTES_MAX;

/// The state of a connection (Godot: `WebRTCPeerConnection.ConnectionState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// No session description was created or applied (0).
    New = 0,
    /// Session descriptions are exchanged, or ICE or DTLS is in progress (1).
    Connecting = 1,
    /// ICE and DTLS are complete (2).
    Connected = 2,
    /// The remote peer stopped replying (3). Final, as in Godot, which removes the peer.
    Disconnected = 3,
    /// The connection was not established in time (4).
    Failed = 4,
    /// The connection was closed by a peer (5).
    Closed = 5,
}

/// The reason why a session description was not created or applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// No peer has this id.
    #[error("no peer has this id; call add_peer first")]
    UnknownPeer,
    /// The connection already has a session description.
    #[error("the connection already has a session description")]
    NotNew,
    /// An answer was received without a local offer.
    #[error("an answer requires a local offer; call create_offer first")]
    NoOffer,
    /// The description is longer than [`SDP_BYTES_MAX`].
    #[error("the session description is longer than {SDP_BYTES_MAX} bytes")]
    TooLong,
    /// The description cannot be parsed.
    #[error("the session description is malformed")]
    Malformed(#[source] SdpError),
    /// The description was parsed, but cannot be used.
    #[error("cannot use the session description")]
    Unusable(#[source] SdpError),
}

/// The error of str0m for a session description. Clones share it, and only they are equal.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct SdpError(Arc<dyn Error + Send + Sync>);

impl SdpError {
    pub(super) fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }
}

impl PartialEq for SdpError {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SdpError {}
