//! States and errors of a connection.
#![expect(clippy::exhaustive_enums, reason = "Godot lists the states")]

use str0m::RtcError;
use str0m::error::SdpError;

use crate::limits::SDP_BYTES_MAX;

/// Godot's `WebRTCPeerConnection.ConnectionState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// No session description was made or set (0).
    New = 0,
    /// Session descriptions are exchanged, ICE or DTLS are under way (1).
    Connecting = 1,
    /// ICE and DTLS are complete (2).
    Connected = 2,
    /// The remote peer stopped answering (3). Final, as Godot drops the peer.
    Disconnected = 3,
    /// The connection was not established in time (4).
    Failed = 4,
    /// One side closed it (5).
    Closed = 5,
}

/// Why a session description was not made or set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// No peer has this id.
    #[error("no peer has this id; call add_peer first")]
    UnknownPeer,
    /// The connection has a session description already.
    #[error("the connection has a session description already")]
    NotNew,
    /// An answer came without an offer of this side.
    #[error("an answer needs an offer of this side; call create_offer first")]
    NoOffer,
    /// It is longer than [`SDP_BYTES_MAX`].
    #[error("the session description is longer than {SDP_BYTES_MAX} bytes")]
    TooLong,
    /// It cannot be parsed.
    #[error("the session description is malformed: {0}")]
    Malformed(String),
    /// It can be parsed and not be used.
    #[error("the session description cannot be used: {0}")]
    Refused(String),
}

impl DescriptionError {
    pub(super) fn malformed(error: SdpError) -> Self {
        Self::Malformed(error.to_string())
    }

    pub(super) fn refused(error: RtcError) -> Self {
        Self::Refused(error.to_string())
    }
}
