//! Signals that a program sends through its signaling.

use mp_core::PeerId;

use crate::candidate::IceCandidate;
use crate::sdp::SdpKind;
use crate::signaling::SignalingError;

/// A signal of a connection (Godot: the signals of `WebRTCPeerConnection`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// A session description was created and must be sent to the remote peer. It is already applied
    /// locally. (Godot: call `set_local_description`, then send.)
    SessionDescriptionCreated {
        /// The remote peer.
        peer: PeerId,
        /// Kind of the description.
        kind: SdpKind,
        /// The session description.
        sdp: String,
    },
    /// A candidate was found and must be sent to the remote peer.
    IceCandidateCreated {
        /// The remote peer.
        peer: PeerId,
        /// The candidate.
        candidate: IceCandidate,
    },
    /// A command of a [`Signaling`](crate::Signaling) handle failed.
    Failed {
        /// The remote peer.
        peer: PeerId,
        /// The reason.
        error: SignalingError,
    },
    /// A connection was removed, whether or not it was established. Godot has no such signal, and a
    /// client whose connection fails stays `Connecting`.
    PeerRemoved {
        /// The remote peer.
        peer: PeerId,
    },
}
