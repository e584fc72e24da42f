//! Settings of a peer.

use std::net::SocketAddr;
use std::time::Duration;

use mp_core::{OutOfRange, TransferMode};

use crate::candidate::CandidatePolicy;
use crate::io::BindError;
use crate::limits::{
    CHANNELS_CONFIG_MAX, LOCAL_CANDIDATES_MAX, OPENING_MAX, PEERS_MAX, WEB_PACING_BYTES,
    WEB_PACING_INTERVAL,
};

/// Settings of a [`WebRtcMultiplayerPeer`](crate::WebRtcMultiplayerPeer).
///
/// ```
/// use mp_core::TransferMode;
/// use mp_transport_webrtc::Options;
///
/// let options = Options::default().channels_config([TransferMode::Reliable]).ice_lite(true);
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) channels_config: Vec<TransferMode>,
    pub(crate) ice_lite: bool,
    pub(crate) advertised: Vec<SocketAddr>,
    pub(crate) candidate_policy: CandidatePolicy,
    pub(crate) max_peers: u16,
    pub(crate) max_opening: usize,
    pub(crate) falls_back: bool,
    pub(crate) web_pacing: Pacing,
}

/// Bytes per channel and time that are sent to a web peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pacing {
    pub(crate) bytes: usize,
    pub(crate) interval: Duration,
}

impl Default for Options {
    /// Full ICE, no channels beyond Godot's three, the socket's own address as candidate.
    fn default() -> Self {
        Self {
            channels_config: Vec::new(),
            ice_lite: false,
            advertised: Vec::new(),
            candidate_policy: CandidatePolicy::default(),
            max_peers: PEERS_MAX,
            max_opening: OPENING_MAX,
            falls_back: false,
            web_pacing: Pacing { bytes: WEB_PACING_BYTES, interval: WEB_PACING_INTERVAL },
        }
    }
}

impl Options {
    /// Sets the modes of transfer channels 1, 2, … (Godot: `channels_config`; default: none).
    ///
    /// Both ends must use the same: messages on a channel that the remote peer lacks are lost.
    #[must_use]
    pub fn channels_config(mut self, modes: impl Into<Vec<TransferMode>>) -> Self {
        self.channels_config = modes.into();
        self
    }

    /// Sets whether this side is ICE-lite (default: no): it sends no checks, and only answers those
    /// of remote peers that know its session description. For servers at a public address, which
    /// no candidate of a remote peer can then make send anywhere.
    #[must_use]
    pub fn ice_lite(mut self, ice_lite: bool) -> Self {
        self.ice_lite = ice_lite;
        self
    }

    /// Sets the addresses that remote peers reach the socket at, for a server behind a NAT: each
    /// becomes a host candidate, 16 at most.
    ///
    /// By default it is the socket's own address. If the socket is bound to every address, it is
    /// those of this host (on Linux), without loopback and link-local ones.
    #[must_use]
    pub fn advertised(mut self, addresses: impl Into<Vec<SocketAddr>>) -> Self {
        self.advertised = addresses.into();
        self
    }

    /// Sets which candidates of remote peers are used with full ICE (default:
    /// [`CandidatePolicy::Any`]).
    #[must_use]
    pub fn candidate_policy(mut self, policy: CandidatePolicy) -> Self {
        self.candidate_policy = policy;
        self
    }

    /// Sets whether packets for a transfer channel that is not configured are sent on channel 0 with
    /// their mode (default: no, [`send`](mp_core::MultiplayerPeer::send) rejects them as Godot does):
    /// for servers that relay between transports, whose players use more channels.
    #[must_use]
    pub fn channel_fallback(mut self, falls_back: bool) -> Self {
        self.falls_back = falls_back;
        self
    }

    /// Sets the most open connections at a time, 1 to 4,095 (default).
    #[must_use]
    pub fn max_peers(mut self, peers: u16) -> Self {
        self.max_peers = peers;
        self
    }

    /// Sets the most connections at a time whose channels are not all open (default:
    /// [`OPENING_MAX`]; at least 1). A new one replaces the oldest, so that peers that never connect
    /// keep nobody out.
    #[must_use]
    pub fn max_opening(mut self, peers: usize) -> Self {
        self.max_opening = peers;
        self
    }

    /// Sets how much each channel of a web peer is sent: `bytes` per `interval` (default: 32 KiB
    /// per 50 ms). Neither can be 0.
    ///
    /// A Godot web export keeps 64 KiB per channel until its script runs the next frame, and drops
    /// the rest, on reliable channels too. With the default nothing is lost as long as a frame
    /// takes less than 100 ms.
    #[must_use]
    pub fn web_pacing(mut self, bytes: usize, interval: Duration) -> Self {
        self.web_pacing = Pacing { bytes, interval };
        self
    }

    pub(crate) fn check(&self) -> Result<(), CreateError> {
        let channels = self.channels_config.len();
        OutOfRange::check("length of channels_config", channels, ..=CHANNELS_CONFIG_MAX)?;
        OutOfRange::check(
            "number of advertised addresses",
            self.advertised.len(),
            ..=LOCAL_CANDIDATES_MAX,
        )?;
        OutOfRange::check("max_peers", self.max_peers, 1..=PEERS_MAX)?;
        OutOfRange::check("max_opening", self.max_opening, 1..)?;
        OutOfRange::check("bytes of web_pacing", self.web_pacing.bytes, 1..)?;
        OutOfRange::check(
            "interval of web_pacing",
            self.web_pacing.interval,
            Duration::from_nanos(1)..,
        )?;
        if let Some(&address) = self.advertised.iter().find(|address| {
            address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast()
        }) {
            return Err(CreateError::AdvertisedAddress(address));
        }
        Ok(())
    }
}

/// Why a peer was not created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// An option is out of range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A client's id is 1, which is the server's.
    #[error("the id of a client must be 2 or more: 1 is the server's")]
    InvalidId,
    /// An advertised address cannot be a candidate.
    #[error("cannot advertise {0}: a candidate needs a unicast address and a port")]
    AdvertisedAddress(SocketAddr),
    /// The socket is bound to every address, none is advertised, and the system does not tell the
    /// addresses of this host.
    #[error(
        "the socket is bound to {0}: bind it to one address, or name the addresses that clients \
         reach it at with Options::advertised"
    )]
    NoAddress(SocketAddr),
    /// The socket cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The socket has no address.
    #[error("cannot read the address of the socket")]
    Socket(#[source] std::io::Error),
    /// No certificate could be made.
    #[error("cannot generate a DTLS certificate: {0}")]
    Certificate(String),
}
