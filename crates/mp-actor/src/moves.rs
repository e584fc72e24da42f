//! Moving peers between branches.

use mp_core::PeerId;
use mp_scene::{MoveError, Scene};

use crate::branch_ref::BranchRef;
use crate::error::{CallError, MovePeerError};
use crate::mail::Serve;

impl BranchRef {
    /// Moves `peer` with its connection to `target`, which the peer's endpoint serves from now on,
    /// and waits until it has arrived. The remote peer can be an unmodified Godot client, and stays
    /// connected. Both branches must be built with
    /// [`BranchBuilder::moves`](mp_scene::BranchBuilder::moves).
    ///
    /// The target accepts first; then this branch releases the peer. For the steps see
    /// [`Branch::move_peer`](mp_scene::Branch::move_peer). The move goes on if the returned future
    /// is dropped after the target has accepted.
    ///
    /// ```
    /// use mp_actor::prelude::*;
    /// use mp_scene::IdBlocks;
    ///
    /// fn room() -> Result<Branch, BuildError> {
    ///     Branch::builder("/root/Game").moves(&IdBlocks::of_process()).build()
    /// }
    /// # actix::System::new().block_on(async {
    /// let transport = mp_core::MemoryMultiplayerPeer::server();
    /// # let address = transport.address();
    /// let lobby = mp_actor::branch(room).start().await?;
    /// let arena = mp_actor::branch(room).start().await?;
    /// let router = lobby.id();
    /// let make = move || Ok::<_, StartError>((transport, router));
    /// let endpoint = mp_actor::shared_endpoint(make).start().await?;
    /// endpoint.serve(&lobby).await?;
    /// # let seat = address.connect(PeerId::new(4).unwrap());
    /// # let client = mp_actor::branch(room).connect(move || Ok::<_, StartError>(seat)).await?;
    ///
    /// let player = lobby.peers().await?[0];
    /// lobby.move_peer(player, &arena).await?;
    /// assert_eq!(arena.peers().await?, [player]);
    /// # endpoint.close().await;
    /// # drop(client);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// See [`MovePeerError`]. The peer then stays in this branch, or its connection has ended.
    pub async fn move_peer(&self, peer: PeerId, target: &Self) -> Result<(), MovePeerError> {
        let accepted = target.caller().call_queued(move |actor, ctx| {
            actor.guarded(ctx, |branch, _| branch.machine().expect_peer(peer))
        });
        accepted.await??;
        if let Err(error) = self.start_move(peer, target).await {
            target.cancel_move(peer).await;
            return Err(error);
        }
        let arrival = target
            .until(move |scene| has_peer(scene, peer) || !scene.multiplayer().is_expected(peer));
        let mut is_released = false;
        let returned = self.until(move |scene| {
            is_released |= !has_peer(scene, peer);
            is_released && has_peer(scene, peer)
        });
        tokio::select! {
            biased;
            arrived = arrival => arrived?,
            Ok(()) = returned => {}
        }
        let has_arrived = target.with(move |scene| has_peer(scene, peer)).await?;
        if !has_arrived {
            target.cancel_move(peer).await;
            return Err(MovePeerError::Interrupted);
        }
        Ok(())
    }

    /// Lets the endpoint of `peer` serve `target`, and releases the peer.
    async fn start_move(&self, peer: PeerId, target: &Self) -> Result<(), MovePeerError> {
        let serve = self.caller().call_queued(move |actor, _| Some(actor.serve_of(peer))).await?;
        let serve = serve.ok_or(MoveError::UnknownPeer(peer))?;
        serve.send(Serve(target.caller().clone())).await.map_err(|_| CallError::Ended)?;
        let to = target.id();
        let moved = self.caller().call_queued(move |actor, ctx| {
            actor.guarded(ctx, |branch, _| branch.machine().move_peer(peer, to))
        });
        Ok(moved.await??)
    }

    async fn cancel_move(&self, peer: PeerId) {
        let cancelled = self.caller().call_queued(move |actor, ctx| {
            actor.guarded(ctx, |branch, _| branch.machine().cancel_expected(peer))
        });
        // A branch that has ended expects no peer.
        let _ = cancelled.await;
    }
}

fn has_peer(scene: &Scene, peer: PeerId) -> bool {
    scene.multiplayer().has_peer(peer)
}
