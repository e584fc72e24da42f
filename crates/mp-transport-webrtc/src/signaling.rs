//! A handle to the signaling of a peer that another task or thread runs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use mp_core::PeerId;

use crate::candidate::{CandidateError, IceCandidate};
use crate::connection::DescriptionError;
use crate::limits::{COMMANDS_MAX, SIGNALS_MAX};
use crate::peer::AddPeerError;
use crate::requester::Requester;
use crate::sdp::SdpKind;
use crate::signal::Signal;

/// A handle that adds peers and passes session descriptions, from any thread. The peer runs the
/// commands in its next `poll`. Their results are [`Signal`]s.
///
/// Clones of a handle share the signals.
#[derive(Clone, Debug, Default)]
pub struct Signaling(Arc<Mutex<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    commands: VecDeque<Command>,
    signals: VecDeque<Signal>,
    /// The task that runs the peer.
    peer: Option<Waker>,
    /// The task that waits for a signal.
    reader: Option<Waker>,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) peer: PeerId,
    pub(crate) action: Action,
}

#[derive(Debug)]
pub(crate) enum Action {
    AddPeer { unreliable_lifetime: u16, requested_by: Option<Requester> },
    RemovePeer,
    CreateOffer,
    SetRemoteDescription { kind: SdpKind, sdp: String },
    AddIceCandidate(IceCandidate),
}

/// The reason why a command of a [`Signaling`] handle failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignalingError {
    /// The peer was not added.
    #[error(transparent)]
    AddPeer(#[from] AddPeerError),
    /// A session description was not created or applied.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// A candidate was not added.
    #[error(transparent)]
    Candidate(#[from] CandidateError),
    /// [`COMMANDS_MAX`] commands are queued.
    #[error("the queue of {COMMANDS_MAX} commands is full; poll the peer")]
    Busy,
}

impl Signaling {
    /// Queues [`add_peer`](crate::WebRtcMultiplayerPeer::add_peer).
    ///
    /// # Errors
    ///
    /// [`SignalingError::Busy`].
    pub fn add_peer(&self, peer: PeerId, unreliable_lifetime: u16) -> Result<(), SignalingError> {
        self.command(peer, Action::AddPeer { unreliable_lifetime, requested_by: None })
    }

    /// Queues [`add_peer_of`](crate::WebRtcMultiplayerPeer::add_peer_of).
    ///
    /// # Errors
    ///
    /// [`SignalingError::Busy`].
    pub fn add_peer_of(
        &self,
        peer: PeerId,
        unreliable_lifetime: u16,
        requested_by: impl Into<Requester>,
    ) -> Result<(), SignalingError> {
        let requested_by = Some(requested_by.into());
        self.command(peer, Action::AddPeer { unreliable_lifetime, requested_by })
    }

    /// Queues [`remove_peer`](crate::WebRtcMultiplayerPeer::remove_peer).
    ///
    /// # Errors
    ///
    /// [`SignalingError::Busy`].
    pub fn remove_peer(&self, peer: PeerId) -> Result<(), SignalingError> {
        self.command(peer, Action::RemovePeer)
    }

    /// Queues [`create_offer`](crate::WebRtcMultiplayerPeer::create_offer).
    ///
    /// # Errors
    ///
    /// [`SignalingError::Busy`].
    pub fn create_offer(&self, peer: PeerId) -> Result<(), SignalingError> {
        self.command(peer, Action::CreateOffer)
    }

    /// Queues [`set_remote_description`](crate::WebRtcMultiplayerPeer::set_remote_description).
    ///
    /// # Errors
    ///
    /// [`SignalingError::Busy`].
    pub fn set_remote_description(
        &self,
        peer: PeerId,
        kind: SdpKind,
        sdp: impl Into<String>,
    ) -> Result<(), SignalingError> {
        self.command(peer, Action::SetRemoteDescription { kind, sdp: sdp.into() })
    }

    /// Queues [`add_ice_candidate`](crate::WebRtcMultiplayerPeer::add_ice_candidate).
    ///
    /// # Errors
    ///
    /// [`SignalingError::Busy`].
    pub fn add_ice_candidate(
        &self,
        peer: PeerId,
        candidate: IceCandidate,
    ) -> Result<(), SignalingError> {
        self.command(peer, Action::AddIceCandidate(candidate))
    }

    /// Returns the next signal.
    pub fn next_signal(&self) -> Option<Signal> {
        self.lock().signals.pop_front()
    }

    /// Returns the next signal. If there is none, the task is woken when there is one.
    pub fn poll_signal(&self, cx: &mut Context<'_>) -> Poll<Signal> {
        let mut shared = self.lock();
        match shared.signals.pop_front() {
            Some(signal) => Poll::Ready(signal),
            None => {
                shared.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Returns ready if commands are queued. Otherwise the task is woken when there are.
    pub(crate) fn poll_commands(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut shared = self.lock();
        if !shared.commands.is_empty() {
            return Poll::Ready(());
        }
        shared.peer = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn take_commands(&self) -> VecDeque<Command> {
        std::mem::take(&mut self.lock().commands)
    }

    /// Moves signals to the handle as far as its queue has capacity.
    pub(crate) fn give(&self, signals: &mut VecDeque<Signal>) {
        if signals.is_empty() {
            return;
        }
        let reader = {
            let mut shared = self.lock();
            let room = SIGNALS_MAX.saturating_sub(shared.signals.len()).min(signals.len());
            shared.signals.extend(signals.drain(..room));
            shared.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn command(&self, peer: PeerId, action: Action) -> Result<(), SignalingError> {
        let task = {
            let mut shared = self.lock();
            if shared.commands.len() >= COMMANDS_MAX {
                return Err(SignalingError::Busy);
            }
            shared.commands.push_back(Command { peer, action });
            shared.peer.take()
        };
        if let Some(task) = task {
            task.wake();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // The queues stay valid if a panic occurs.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
