//! Adding and removing peers, and their signaling.

use std::sync::Arc;

use mp_core::{CloseMode, DisconnectReason, GateRefusal, PeerId};
use str0m::{Candidate, IceCreds, RtcConfig};

use super::{Mode, WebRtcMultiplayerPeer};
use crate::candidate::{CandidateError, CandidatePolicy, IceCandidate};
use crate::connection::{Connection, DescriptionError, Setup};
use crate::io::DatagramSocket;
use crate::limits::{CHECK_INTERVAL_MAX, MESSAGE_BYTES_MAX, SCTP_BUFFER_BYTES};
use crate::requester::Requester;
use crate::sdp::SdpKind;
use crate::signal::Signal;
use crate::signaling::{Action, Command, Signaling, SignalingError};

/// The reason why a peer was not added. Godot: `ERR_INVALID_PARAMETER` (31) and others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddPeerError {
    /// A client can only add its server.
    #[error("a client can only add peer 1, not {0}")]
    NotTheServer(PeerId),
    /// The id is that of the local peer.
    #[error("peer id {0} is that of the local peer")]
    OwnId(PeerId),
    /// The id is in use.
    #[error("peer {0} was already added")]
    Exists(PeerId),
    /// New connections are refused.
    #[error("new connections are refused")]
    Refusing,
    /// The maximum number of open connections
    /// ([`WebRtcOptions::max_peers`](crate::WebRtcOptions::max_peers)) is reached.
    #[error("the limit of {0} connected peers is reached; see WebRtcOptions::max_peers")]
    Full(usize),
    /// The [gate](crate::WebRtcOptions::gate) refuses the address of the signaling.
    #[error("the address is not accepted: {0}")]
    Gate(GateRefusal),
    /// The peer is closed.
    #[error("the multiplayer peer is closed")]
    Closed,
}

impl<S: DatagramSocket> WebRtcMultiplayerPeer<S> {
    /// Adds a connection to a remote peer, in state
    /// [`ConnectionState::New`](crate::ConnectionState::New).
    ///
    /// `unreliable_lifetime` is the time in milliseconds during which unreliable packets to it are
    /// retransmitted, at least
    /// [`UNRELIABLE_LIFETIME_MIN`](crate::limits::UNRELIABLE_LIFETIME_MIN). Godot's default is 1,
    /// but it retransmits them forever.
    ///
    /// # Errors
    ///
    /// See [`AddPeerError`]. Nothing was added then.
    pub fn add_peer(&mut self, peer: PeerId, unreliable_lifetime: u16) -> Result<(), AddPeerError> {
        self.add(peer, unreliable_lifetime, None)
    }

    /// Same as [`add_peer`](Self::add_peer), for a client whose signaling session is known. Its
    /// address cannot exclude peers of other addresses: at most
    /// [`HALF_OPEN_PER_ADDRESS_MAX`](crate::limits::HALF_OPEN_PER_ADDRESS_MAX) of its connections
    /// are half-open at the same time, and further ones replace them.
    ///
    /// # Errors
    ///
    /// Same as for [`add_peer`](Self::add_peer).
    pub fn add_peer_of(
        &mut self,
        peer: PeerId,
        unreliable_lifetime: u16,
        requested_by: impl Into<Requester>,
    ) -> Result<(), AddPeerError> {
        self.add(peer, unreliable_lifetime, Some(requested_by.into()))
    }

    fn add(
        &mut self,
        peer: PeerId,
        unreliable_lifetime: u16,
        requester: Option<Requester>,
    ) -> Result<(), AddPeerError> {
        let requested_by = requester.as_ref().map(|requester| requester.address);
        if self.is_closed {
            return Err(AddPeerError::Closed);
        }
        if self.is_refusing {
            return Err(AddPeerError::Refusing);
        }
        if self.mode == Mode::Client && !peer.is_server() {
            return Err(AddPeerError::NotTheServer(peer));
        }
        if peer == self.unique_id {
            return Err(AddPeerError::OwnId(peer));
        }
        if self.connections.slot_of(peer).is_some() {
            return Err(AddPeerError::Exists(peer));
        }
        let open = self.connections.open_count();
        if open >= usize::from(self.options.max_peers) {
            return Err(AddPeerError::Full(open));
        }
        let gate = self.options.gate.clone().zip(requested_by);
        if let Some((gate, address)) = &gate {
            gate.check(self.running.to_program(self.now), *address).map_err(AddPeerError::Gate)?;
        }
        while let Some(replaced) =
            self.connections.replaced_by(requested_by, self.options.max_half_open)
        {
            self.stats.replaced_peers += 1;
            self.end(replaced, DisconnectReason::Timeout, CloseMode::Immediate);
        }
        let credentials = IceCreds::new();
        let ufrag = credentials.ufrag.clone();
        let mut config = RtcConfig::new();
        config.set_max_stun_rto(CHECK_INTERVAL_MAX);
        let mut rtc = config
            .clear_codecs()
            .set_crypto_provider(Arc::clone(&self.crypto))
            .set_dtls_cert(self.certificate.clone())
            .set_local_ice_credentials(credentials)
            .set_ice_lite(self.options.ice_lite)
            .set_sctp_max_buffered_amount(SCTP_BUFFER_BYTES)
            .set_sctp_max_message_size(MESSAGE_BYTES_MAX as u32)
            .build(self.clock.to_std(self.now));
        for &address in &self.local_candidates {
            let candidate = Candidate::host(address, "udp");
            rtc.add_local_candidate(candidate.expect("checked when the peer was created"));
        }
        let default_policy = match self.mode {
            Mode::Server => CandidatePolicy::Public,
            Mode::Client | Mode::Mesh => CandidatePolicy::Any,
        };
        let policy = self.options.candidate_policy.unwrap_or(default_policy);
        let id = self.connections.next_id();
        let connection = Connection::new(Setup {
            id,
            peer,
            requester,
            rtc,
            ufrag: ufrag.clone(),
            local_candidates: self.local_candidates.clone(),
            table: &self.table,
            lifetime: unreliable_lifetime,
            policy,
            pacing: self.options.web_pacing,
            pass: gate
                .map(|(gate, address)| gate.enter(self.running.to_program(self.now), address)),
        });
        let slot = self.connections.insert(connection);
        self.routes.insert(&ufrag, slot);
        Ok(())
    }

    /// Creates the offer for a peer. [`Signal::SessionDescriptionCreated`] follows.
    ///
    /// # Errors
    ///
    /// See [`DescriptionError`].
    pub fn create_offer(&mut self, peer: PeerId) -> Result<(), DescriptionError> {
        let slot = self.connections.slot_of(peer).ok_or(DescriptionError::UnknownPeer)?;
        self.with(slot, |connection, cx| connection.create_offer(cx))
            .unwrap_or(Err(DescriptionError::UnknownPeer))
    }

    /// Applies a session description of a peer. An offer is answered:
    /// [`Signal::SessionDescriptionCreated`] follows.
    ///
    /// # Errors
    ///
    /// See [`DescriptionError`].
    pub fn set_remote_description(
        &mut self,
        peer: PeerId,
        kind: SdpKind,
        sdp: &str,
    ) -> Result<(), DescriptionError> {
        let slot = self.connections.slot_of(peer).ok_or(DescriptionError::UnknownPeer)?;
        self.with(slot, |connection, cx| connection.set_remote_description(cx, (kind, sdp)))
            .unwrap_or(Err(DescriptionError::UnknownPeer))
    }

    /// Adds a candidate of a peer. A connection does not fail because of a candidate that cannot be
    /// used. Others may work, and without any the address is learned from the remote peer's checks.
    ///
    /// # Errors
    ///
    /// See [`CandidateError`]. A candidate of an unknown peer is ignored, because its connection
    /// has ended.
    pub fn add_ice_candidate(
        &mut self,
        peer: PeerId,
        candidate: &IceCandidate,
    ) -> Result<(), CandidateError> {
        let Some(slot) = self.connections.slot_of(peer) else { return Ok(()) };
        self.with(slot, |connection, cx| connection.add_ice_candidate(cx, candidate))
            .unwrap_or(Ok(()))
    }

    /// Returns a handle to the signaling of this peer, for programs in which an actor or another
    /// thread runs the peer. From now on signals are moved to the handle.
    pub fn signaling(&mut self) -> Signaling {
        self.signaling.get_or_insert_default().clone()
    }

    /// Returns the next signal. `None` if there is a [`signaling`](Self::signaling) handle.
    pub fn next_signal(&mut self) -> Option<Signal> {
        self.output.signals.pop_front()
    }

    /// Closes the connection of a peer (Godot: `remove_peer`). An event follows if it was
    /// connected.
    pub fn remove_peer(&mut self, peer: PeerId) {
        if let Some(slot) = self.connections.slot_of(peer) {
            self.end(slot, DisconnectReason::Closed, CloseMode::Graceful);
        }
    }

    /// Runs the commands of the signaling handle.
    pub(super) fn run_commands(&mut self) {
        let Some(signaling) = self.signaling.clone() else { return };
        for Command { peer, action } in signaling.take_commands() {
            let result = match action {
                Action::AddPeer { unreliable_lifetime, requested_by } => {
                    let added = self.add(peer, unreliable_lifetime, requested_by);
                    added.map_err(SignalingError::from)
                }
                Action::RemovePeer => {
                    self.remove_peer(peer);
                    Ok(())
                }
                Action::CreateOffer => self.create_offer(peer).map_err(SignalingError::from),
                Action::SetRemoteDescription { kind, sdp } => {
                    self.set_remote_description(peer, kind, &sdp).map_err(SignalingError::from)
                }
                Action::AddIceCandidate(candidate) => {
                    self.add_ice_candidate(peer, &candidate).map_err(SignalingError::from)
                }
            };
            if let Err(error) = result {
                self.output.signal(Signal::Failed { peer, error });
            }
        }
    }

    /// Moves signals to the signaling handle, if there is one.
    pub(super) fn give_signals(&mut self) {
        if let Some(signaling) = &self.signaling {
            signaling.give(&mut self.output.signals);
        }
    }
}
