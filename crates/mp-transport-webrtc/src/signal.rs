//! Signals that a program passes on through its signaling.

use mp_core::PeerId;

use crate::candidate::IceCandidate;
use crate::sdp::SdpKind;
use crate::signaling::SignalingError;

/// A signal of a connection (Godot: the signals of `WebRTCPeerConnection`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// A session description was created: send it to the remote peer. It is set on this side
    /// already (Godot: call `set_local_description`, then send).
    SessionDescriptionCreated {
        /// The remote peer.
        peer: PeerId,
        /// Its kind.
        kind: SdpKind,
        /// The session description.
        sdp: String,
    },
    /// A candidate was found: send it to the remote peer.
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
        /// Why.
        error: SignalingError,
    },
    /// A connection is gone, whether it was established or not. Godot has no such signal and leaves
    /// a client `Connecting` for ever when its connection fails.
    PeerRemoved {
        /// The remote peer.
        peer: PeerId,
    },
}
