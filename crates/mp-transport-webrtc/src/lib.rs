//! WebRTC data channels, wire-compatible with Godot 4's `WebRTCMultiplayerPeer` (checked against
//! 4.6.3), over str0m.
//!
//! Start with [`WebRtcMultiplayerPeer`].
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `tokio` | [`io::TokioUdpSocket`], which wakes its task |

mod candidate;
mod channels;
mod clock;
mod connection;
mod connections;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
pub mod io;
pub mod limits;
mod options;
mod peer;
mod refusal;
mod requester;
mod routes;
mod sdp;
mod shaped_connections;
mod signal;
mod signaling;
mod stream_limit;

pub use candidate::{CandidateError, CandidatePolicy, IceCandidate};
pub use connection::{ConnectionState, DescriptionError, SdpError};
pub use options::{CreateError, WebRtcOptions};
pub use peer::{AddPeerError, PeerInfo, WebRtcMultiplayerPeer, WebRtcPeerStats};
pub use refusal::{DatagramRefusal, MessageRefusal};
pub use requester::Requester;
pub use sdp::SdpKind;
pub use signal::Signal;
pub use signaling::{Signaling, SignalingError};
