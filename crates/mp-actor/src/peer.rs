//! [`PeerActor`]: one remote participant, off the packet path.
//!
//! What concerns one participant can take time, and the branch must not wait for it. A peer's actor lives on the branch's
//! thread from `peer_authenticating`, or `peer_connected`, until the peer leaves or fails; it keeps no protocol state and
//! sees no packet but those of the authentication.
#![expect(clippy::exhaustive_structs, reason = "messages of actors: programs build them")]

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use mp_core::{ConnectionStats, EndpointId, PeerId};
use mp_scene::SceneMultiplayer;

use crate::auth::Presence;
use crate::error::{AnswerError, CallError};
use crate::mail::AskLink;

/// One remote participant of a branch. Reached with [`BranchRef::peer`](crate::BranchRef::peer).
pub struct PeerActor {
    presence: Presence,
    /// Since when it has taken part; not yet while it authenticates itself.
    since: Option<tokio::time::Instant>,
    /// Runs the program's authenticators. It ends with the actor, wherever it stands.
    authentication: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

/// Sends bytes to a peer that authenticates itself (Godot: `send_auth`).
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), AnswerError>")]
pub struct SendAuth(pub Bytes);

/// Says that a peer that authenticates itself may take part (Godot: `complete_auth`). It is admitted when it says the same
/// of this side.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), AnswerError>")]
pub struct CompleteAuth;

/// Makes the peer leave (Godot: `disconnect_peer`): it is gone at once on this side, without a signal, and the others are
/// told.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), CallError>")]
pub struct Disconnect;

/// Asks for the peer's figures.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<PeerStats, CallError>")]
pub struct Stats;

/// The peer takes part.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Admitted;

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
    /// Whether it still authenticates itself.
    pub is_authenticating: bool,
    /// For how long it has taken part; zero while it authenticates itself.
    pub connected_for: Duration,
    /// The endpoint that has its link; `None` for another client behind the server.
    pub endpoint: Option<EndpointId>,
    /// Figures of its link, where there is one and its transport keeps them.
    pub link: Option<ConnectionStats>,
}

impl PeerActor {
    pub(crate) fn admitted(presence: Presence) -> Self {
        Self { presence, since: Some(tokio::time::Instant::now()), authentication: None }
    }

    pub(crate) fn authenticating(
        presence: Presence,
        run: impl Future<Output = ()> + 'static,
    ) -> Self {
        Self { presence, since: None, authentication: Some(Box::pin(run)) }
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
    type Result = ResponseFuture<Result<(), AnswerError>>;

    fn handle(&mut self, SendAuth(data): SendAuth, _: &mut Context<Self>) -> Self::Result {
        let presence = self.presence.clone();
        Box::pin(async move { presence.call(move |api, peer| api.send_auth(peer, &data)).await })
    }
}

impl Handler<CompleteAuth> for PeerActor {
    type Result = ResponseFuture<Result<(), AnswerError>>;

    fn handle(&mut self, _: CompleteAuth, _: &mut Context<Self>) -> Self::Result {
        let presence = self.presence.clone();
        Box::pin(async move { presence.call(SceneMultiplayer::complete_auth).await })
    }
}

impl Handler<Disconnect> for PeerActor {
    type Result = ResponseFuture<Result<(), CallError>>;

    fn handle(&mut self, _: Disconnect, _: &mut Context<Self>) -> Self::Result {
        let presence = self.presence.clone();
        Box::pin(async move {
            let done = presence.call(|api, peer| {
                api.disconnect_peer(peer);
                Ok(())
            });
            match done.await {
                Err(AnswerError::Call(error)) => Err(error),
                Ok(()) | Err(AnswerError::Auth(_)) => Ok(()),
            }
        })
    }
}

impl Handler<Stats> for PeerActor {
    type Result = ResponseFuture<Result<PeerStats, CallError>>;

    fn handle(&mut self, _: Stats, _: &mut Context<Self>) -> Self::Result {
        let Presence { peer: id, number, branch } = self.presence.clone();
        let is_authenticating = self.since.is_none();
        let connected_for = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        Box::pin(async move {
            let link = branch.call(move |actor, _| {
                let is_present = actor.peers.is_present(id, number);
                is_present.then(|| actor.link(id))
            });
            let link = link.await?;
            let mut stats =
                PeerStats { id, is_authenticating, connected_for, endpoint: None, link: None };
            if let Some((endpoint, links, connection)) = link {
                stats.endpoint = Some(endpoint);
                stats.link = links.send(AskLink(connection)).await.ok().flatten();
            }
            Ok(stats)
        })
    }
}

impl Handler<Admitted> for PeerActor {
    type Result = ();

    fn handle(&mut self, _: Admitted, _: &mut Context<Self>) {
        self.since = Some(tokio::time::Instant::now());
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

    /// Sends it bytes while it authenticates itself: see [`SendAuth`].
    ///
    /// # Errors
    ///
    /// [`AnswerError`]; [`CallError::Ended`] in it when the peer has left, or its branch has ended.
    pub async fn send_auth(&self, data: impl Into<Bytes>) -> Result<(), AnswerError> {
        let sent = self.address.send(SendAuth(data.into())).await;
        sent.unwrap_or(Err(AnswerError::Call(CallError::Ended)))
    }

    /// Says that it may take part: see [`CompleteAuth`].
    ///
    /// # Errors
    ///
    /// As [`send_auth`](Self::send_auth).
    pub async fn complete_auth(&self) -> Result<(), AnswerError> {
        let sent = self.address.send(CompleteAuth).await;
        sent.unwrap_or(Err(AnswerError::Call(CallError::Ended)))
    }

    /// Makes it leave, whether or not it was admitted: see [`Disconnect`].
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
