//! [`PeerActor`]: one remote participant, off the packet path.
//!
//! What concerns one participant can take time, and the branch must not wait for it. A peer's actor lives on the branch's
//! thread from `peer_connected` until the peer leaves; it keeps no protocol state and sees no packet.
//!
//! Authentication by an outside service belongs here: the actor would begin at `peer_authenticating`, be given the bytes
//! of `auth_callback`, ask the service, and call `complete_auth` or `disconnect_peer` on the branch; it waits for the
//! authentication phase of `SceneMultiplayer`.

use std::time::Duration;

use actix::prelude::*;
use mp_core::{ConnectionStats, EndpointId, PeerId};

use crate::branch_ref::BranchCaller;
use crate::error::CallError;
use crate::mail::AskLink;

/// One remote participant of a branch. Reached with [`BranchRef::peer`](crate::BranchRef::peer).
pub struct PeerActor {
    id: PeerId,
    branch: BranchCaller,
    since: tokio::time::Instant,
}

/// Makes the peer leave (Godot: `disconnect_peer`): it is gone at once on this side, without a signal, and the others are
/// told.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), CallError>")]
pub struct Disconnect;

/// Asks for the peer's figures.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<PeerStats, CallError>")]
pub struct Stats;

/// The peer has left.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Gone;

/// Figures of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStats {
    /// The peer.
    pub id: PeerId,
    /// For how long it has taken part.
    pub connected_for: Duration,
    /// The endpoint that has its link; `None` for another client behind the server.
    pub endpoint: Option<EndpointId>,
    /// Figures of its link, where there is one and its transport keeps them.
    pub link: Option<ConnectionStats>,
}

impl PeerActor {
    pub(crate) fn new(id: PeerId, branch: BranchCaller) -> Self {
        Self { id, branch, since: tokio::time::Instant::now() }
    }
}

impl Actor for PeerActor {
    type Context = Context<Self>;
}

impl Handler<Disconnect> for PeerActor {
    type Result = ResponseFuture<Result<(), CallError>>;

    fn handle(&mut self, _: Disconnect, _: &mut Context<Self>) -> Self::Result {
        let (id, branch) = (self.id, self.branch.clone());
        Box::pin(async move {
            branch.with(move |scene| scene.multiplayer_mut().disconnect_peer(id)).await
        })
    }
}

impl Handler<Stats> for PeerActor {
    type Result = ResponseFuture<Result<PeerStats, CallError>>;

    fn handle(&mut self, _: Stats, _: &mut Context<Self>) -> Self::Result {
        let (id, branch, connected_for) = (self.id, self.branch.clone(), self.since.elapsed());
        Box::pin(async move {
            let link = branch.call(move |actor, _| Some(actor.link(id))).await?;
            let mut stats = PeerStats { id, connected_for, endpoint: None, link: None };
            if let Some((endpoint, links, connection)) = link {
                stats.endpoint = Some(endpoint);
                stats.link = links.send(AskLink(connection)).await.ok().flatten();
            }
            Ok(stats)
        })
    }
}

impl Handler<Gone> for PeerActor {
    type Result = ();

    fn handle(&mut self, _: Gone, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

/// Addresses the actor of a remote peer. It does not keep the peer there.
#[derive(Clone, Debug)]
pub struct PeerRef {
    id: PeerId,
    address: Addr<PeerActor>,
}

impl PeerRef {
    pub(crate) fn new(id: PeerId, address: Addr<PeerActor>) -> Self {
        Self { id, address }
    }

    /// The peer.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// Makes it leave: see [`Disconnect`].
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] when it has left, or its branch has ended; [`CallError::Busy`].
    pub async fn disconnect(&self) -> Result<(), CallError> {
        self.address.send(Disconnect).await.unwrap_or(Err(CallError::Ended))
    }

    /// Its figures.
    ///
    /// # Errors
    ///
    /// As [`disconnect`](Self::disconnect).
    pub async fn stats(&self) -> Result<PeerStats, CallError> {
        self.address.send(Stats).await.unwrap_or(Err(CallError::Ended))
    }

    /// The actor itself, for actors that send it messages.
    pub fn address(&self) -> &Addr<PeerActor> {
        &self.address
    }
}
