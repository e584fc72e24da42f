//! [`PeerActor`]: one remote peer, outside the packet path.
//!
//! Work for one peer may take long, and the branch must not wait for it. A peer's actor runs on the
//! branch's thread from `peer_authenticating`, or `peer_connected`, until the peer disconnects or
//! fails. It has no protocol state, and receives no packets except for authentication.
#![expect(clippy::exhaustive_structs, reason = "actor messages, which programs construct")]

use std::future::Future;
use std::pin::Pin;

use actix::prelude::*;
use bytes::Bytes;
use mp_core::PeerId;
use mp_scene::SceneMultiplayer;

use crate::auth::PeerSession;
use crate::error::{AuthResponseError, CallError};
use crate::peer_stats::PeerStats;

/// The actor of a remote peer of a branch. [`BranchRef::peer`](crate::BranchRef::peer) returns a
/// handle to it.
pub struct PeerActor {
    session: PeerSession,
    /// Future that runs the program's authenticators. It is dropped with the actor.
    authentication: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

/// A request to send data to a peer that authenticates (Godot: `send_auth`).
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), AuthResponseError>")]
pub struct SendAuth(pub Bytes);

/// A request to accept a peer that authenticates (Godot: `complete_auth`). The peer is admitted
/// when it has accepted the local peer, too.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), AuthResponseError>")]
pub struct CompleteAuth;

/// A request to disconnect the peer (Godot: `disconnect_peer`). The peer is removed immediately,
/// without a local signal, and the other peers are notified.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), CallError>")]
pub struct DisconnectPeer;

/// A request for the peer's statistics.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<PeerStats, CallError>")]
pub struct GetPeerStats;

/// The peer disconnected.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Disconnected;

impl PeerActor {
    pub(crate) fn admitted(session: PeerSession) -> Self {
        Self { session, authentication: None }
    }

    pub(crate) fn authenticating(
        session: PeerSession,
        run: impl Future<Output = ()> + 'static,
    ) -> Self {
        Self { session, authentication: Some(Box::pin(run)) }
    }
}

impl Actor for PeerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        if let Some(run) = self.authentication.take() {
            ctx.spawn(fut::wrap_future(run));
        }
    }
}

impl Handler<SendAuth> for PeerActor {
    type Result = ResponseFuture<Result<(), AuthResponseError>>;

    fn handle(&mut self, SendAuth(data): SendAuth, _: &mut Context<Self>) -> Self::Result {
        let session = self.session.clone();
        Box::pin(async move { session.call(move |api, peer| api.send_auth(peer, &data)).await })
    }
}

impl Handler<CompleteAuth> for PeerActor {
    type Result = ResponseFuture<Result<(), AuthResponseError>>;

    fn handle(&mut self, _: CompleteAuth, _: &mut Context<Self>) -> Self::Result {
        let session = self.session.clone();
        Box::pin(async move { session.call(SceneMultiplayer::complete_auth).await })
    }
}

impl Handler<DisconnectPeer> for PeerActor {
    type Result = ResponseFuture<Result<(), CallError>>;

    fn handle(&mut self, _: DisconnectPeer, _: &mut Context<Self>) -> Self::Result {
        let session = self.session.clone();
        Box::pin(async move {
            let done = session.call(|api, peer| {
                api.disconnect_peer(peer);
                Ok(())
            });
            match done.await {
                Err(AuthResponseError::Call(error)) => Err(error),
                Ok(()) | Err(AuthResponseError::Auth(_)) => Ok(()),
            }
        })
    }
}

impl Handler<GetPeerStats> for PeerActor {
    type Result = ResponseFuture<Result<PeerStats, CallError>>;

    fn handle(&mut self, _: GetPeerStats, _: &mut Context<Self>) -> Self::Result {
        let PeerSession { peer: id, number, branch } = self.session.clone();
        Box::pin(async move {
            let records = branch.call(move |actor, _| {
                let is_current = actor.peers.is_current(id, number);
                is_current.then(|| actor.peer_records(&[id]))
            });
            records.await?.complete().await.pop().ok_or(CallError::Ended)
        })
    }
}

impl Handler<Disconnected> for PeerActor {
    type Result = ();

    fn handle(&mut self, _: Disconnected, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

/// A handle to the actor of a remote peer. It does not keep the peer connected.
#[derive(Clone, Debug)]
pub struct PeerRef {
    id: PeerId,
    address: Addr<PeerActor>,
}

impl PeerRef {
    pub(crate) fn new(id: PeerId, address: Addr<PeerActor>) -> Self {
        Self { id, address }
    }

    /// Returns the peer id.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// Sends data to the peer while it authenticates; see [`SendAuth`].
    ///
    /// # Errors
    ///
    /// See [`AuthResponseError`]. It contains [`CallError::Ended`] if the peer has disconnected or
    /// its branch has ended.
    pub async fn send_auth(&self, data: impl Into<Bytes>) -> Result<(), AuthResponseError> {
        let sent = self.address.send(SendAuth(data.into())).await;
        sent.unwrap_or(Err(AuthResponseError::Call(CallError::Ended)))
    }

    /// Accepts the peer while it authenticates; see [`CompleteAuth`].
    ///
    /// # Errors
    ///
    /// Same as [`send_auth`](Self::send_auth).
    pub async fn complete_auth(&self) -> Result<(), AuthResponseError> {
        let sent = self.address.send(CompleteAuth).await;
        sent.unwrap_or(Err(AuthResponseError::Call(CallError::Ended)))
    }

    /// Disconnects the peer, admitted or not; see [`DisconnectPeer`].
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] if the peer has disconnected or its branch has ended;
    /// [`CallError::Busy`].
    pub async fn disconnect(&self) -> Result<(), CallError> {
        self.address.send(DisconnectPeer).await.unwrap_or(Err(CallError::Ended))
    }

    /// Returns the peer's statistics.
    ///
    /// # Errors
    ///
    /// Same as [`disconnect`](Self::disconnect).
    pub async fn stats(&self) -> Result<PeerStats, CallError> {
        self.address.send(GetPeerStats).await.unwrap_or(Err(CallError::Ended))
    }

    /// Returns the address of the actor, for actors that send it messages.
    pub fn address(&self) -> &Addr<PeerActor> {
        &self.address
    }
}
