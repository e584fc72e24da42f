//! Settings of a peer.

use std::net::SocketAddr;
use std::time::Duration;

use mp_core::{ConnectionGate, OutOfRange, TransferMode};

use crate::candidate::CandidatePolicy;
use crate::io::BindError;
use crate::limits::{
    CHANNELS_CONFIG_MAX, HALF_OPEN_MAX, LOCAL_CANDIDATES_MAX, PEERS_MAX, WEB_PACING_BYTES,
    WEB_PACING_INTERVAL,
};

/// Settings of a [`WebRtcMultiplayerPeer`](crate::WebRtcMultiplayerPeer).
///
/// ```
/// use mp_core::TransferMode;
/// use mp_transport_webrtc::WebRtcOptions;
///
/// let options = WebRtcOptions::default().channels_config([TransferMode::Reliable]).ice_lite(true);
/// ```
#[derive(Clone, Debug)]
pub struct WebRtcOptions {
    pub(crate) channels_config: Vec<TransferMode>,
    pub(crate) ice_lite: bool,
    pub(crate) advertised: Vec<SocketAddr>,
    pub(crate) candidate_policy: Option<CandidatePolicy>,
    pub(crate) max_peers: u16,
    pub(crate) max_half_open: usize,
    pub(crate) gate: Option<ConnectionGate>,
    pub(crate) falls_back: bool,
    pub(crate) web_pacing: Pacing,
}

/// Maximum number of bytes per channel and interval sent to a web peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pacing {
    pub(crate) bytes: usize,
    pub(crate) interval: Duration,
}

impl Default for WebRtcOptions {
    /// Returns full ICE, no channels beyond Godot's three, and the socket's own address as
    /// candidate.
    fn default() -> Self {
        Self {
            channels_config: Vec::new(),
            ice_lite: false,
            advertised: Vec::new(),
            candidate_policy: None,
            max_peers: PEERS_MAX,
            max_half_open: HALF_OPEN_MAX,
            gate: None,
            falls_back: false,
            web_pacing: Pacing { bytes: WEB_PACING_BYTES, interval: WEB_PACING_INTERVAL },
        }
    }
}

impl WebRtcOptions {
    /// Sets the modes of transfer channels 1, 2, … (Godot: `channels_config`; default: none). Both
    /// peers must use the same: messages on a channel that the remote peer does not have are lost.
    #[must_use]
    pub fn channels_config(mut self, modes: impl Into<Vec<TransferMode>>) -> Self {
        self.channels_config = modes.into();
        self
    }

    /// Sets whether this peer is ICE-lite (default: no). It then sends no checks, and only replies
    /// to checks of remote peers that know its session description. For servers at a public
    /// address, because candidates of a remote peer cannot make an ICE-lite peer send anywhere.
    #[must_use]
    pub fn ice_lite(mut self, ice_lite: bool) -> Self {
        self.ice_lite = ice_lite;
        self
    }

    /// Sets the addresses at which remote peers reach the socket, for a server behind a NAT. Each
    /// becomes a host candidate, at most 16.
    ///
    /// Default: the socket's own address. If it is bound to all addresses, those of this host,
    /// without loopback and link-local addresses.
    #[must_use]
    pub fn advertised(mut self, addresses: impl Into<Vec<SocketAddr>>) -> Self {
        self.advertised = addresses.into();
        self
    }

    /// Sets the candidates of remote peers that are used with full ICE (default:
    /// [`CandidatePolicy::Public`] for a server, [`CandidatePolicy::Any`] for clients and meshes).
    ///
    /// A server in a local network needs no other policy if its clients reach it: it learns their
    /// addresses from their checks.
    #[must_use]
    pub fn candidate_policy(mut self, policy: CandidatePolicy) -> Self {
        self.candidate_policy = Some(policy);
        self
    }

    /// Sets whether packets for a transfer channel that is not configured are sent on channel 0
    /// with their mode (default: no; [`send`](mp_core::MultiplayerPeer::send) rejects them, as in
    /// Godot). Useful for servers that relay between transports, if players on the other transports
    /// use more channels.
    #[must_use]
    pub fn channel_fallback(mut self, falls_back: bool) -> Self {
        self.falls_back = falls_back;
        self
    }

    /// Sets the maximum number of open connections, 1 to 4,095 (default).
    #[must_use]
    #[doc(alias = "max_clients")]
    pub fn max_peers(mut self, peers: u16) -> Self {
        self.max_peers = peers;
        self
    }

    /// Sets the maximum number of half-open connections, whose channels are not all open, at least
    /// 1 (default: [`HALF_OPEN_MAX`]). At the limit the one with the least progress is dropped, so
    /// that peers that never connect do not exclude others.
    #[must_use]
    pub fn max_half_open(mut self, peers: usize) -> Self {
        self.max_half_open = peers;
        self
    }

    /// Sets the gate that accepts or refuses addresses, which other transports may share (default:
    /// accepts all). It applies to the address from which a peer's signaling was received
    /// ([`add_peer_of`](crate::WebRtcMultiplayerPeer::add_peer_of)).
    #[must_use]
    pub fn gate(mut self, gate: ConnectionGate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Sets the maximum number of bytes sent to each channel of a web peer: `bytes` per `interval`
    /// (default: 32 KiB per 50 ms). Neither may be 0.
    ///
    /// A Godot web export buffers 64 KiB per channel until its script runs the next frame, and
    /// drops the rest, on reliable channels too. With the default nothing is lost as long as a
    /// frame takes less than 100 ms.
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
        OutOfRange::check("max_half_open", self.max_half_open, 1..)?;
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

/// The reason why a peer was not created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// An option is out of range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The id of a client is 1, which is the server's.
    #[error("the id of a client must be 2 or more; 1 is the server's")]
    InvalidId,
    /// An advertised address cannot be a candidate.
    #[error("cannot advertise {0}; use a unicast address with a port")]
    AdvertisedAddress(SocketAddr),
    /// The socket is bound to all addresses, no address is advertised, and the addresses of this
    /// host are unknown.
    #[error(
        "the socket is bound to {0}; bind it to one address, or set the addresses that clients \
         reach it at with WebRtcOptions::advertised"
    )]
    NoCandidate(SocketAddr),
    /// The socket cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The address of the socket is unknown.
    #[error("cannot read the address of the socket")]
    LocalAddress(#[source] std::io::Error),
    /// The cryptography provider generated no certificate.
    #[error("cannot generate a DTLS certificate")]
    Certificate,
}
