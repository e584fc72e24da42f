//! [`BranchCaller`]: calls of a branch.

use std::sync::Arc;

use actix::prelude::*;
use mp_core::{BranchId, BranchRate};
use mp_scene::Scene;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::shared::Shared;
use crate::branch::{BranchActor, BranchCall};
use crate::error::CallError;
use crate::mail::control;

/// Calls a branch without keeping it open, for its own peers and channels.
#[derive(Clone)]
pub(crate) struct BranchCaller {
    shared: Arc<Shared>,
    address: Addr<BranchActor>,
}

impl BranchCaller {
    pub(crate) fn new(address: Addr<BranchActor>, shared: Arc<Shared>) -> Self {
        Self { shared, address }
    }

    pub(crate) async fn with<R: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Scene) -> R + Send + 'static,
    ) -> Result<R, CallError> {
        self.call(|actor, ctx| actor.guarded(ctx, |branch, _| call(branch.machine().scene()))).await
    }

    /// Runs `call` in the branch's turn. If it returns `None`, the branch has ended.
    pub(crate) async fn call<R: Send + 'static>(
        &self,
        call: impl CallFn<R>,
    ) -> Result<R, CallError> {
        let permit = self.shared.try_begin_call()?;
        self.run(permit, call).await
    }

    /// Same as [`call`](Self::call), but waits while too many calls are pending. For callers with
    /// one call at a time.
    pub(crate) async fn call_queued<R: Send + 'static>(
        &self,
        call: impl CallFn<R>,
    ) -> Result<R, CallError> {
        let permit = self.shared.begin_call().await?;
        self.run(permit, call).await
    }

    pub(crate) fn id(&self) -> BranchId {
        self.shared.id()
    }

    pub(crate) fn authenticates(&self) -> bool {
        self.shared.authenticates()
    }

    /// Returns the total of the branch's connections.
    pub(crate) fn rate(&self) -> Option<BranchRate> {
        self.shared.rate()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn address(&self) -> &Addr<BranchActor> {
        &self.address
    }

    /// Returns a receiver that an endpoint holds while it serves the branch.
    pub(crate) fn alive(&self) -> watch::Receiver<()> {
        self.shared.alive()
    }

    pub(crate) fn count_failed_authentication(&self) {
        self.shared.count_failed_authentication();
    }

    async fn run<R: Send + 'static>(
        &self,
        permit: OwnedSemaphorePermit,
        call: impl CallFn<R>,
    ) -> Result<R, CallError> {
        let (reply, response) = oneshot::channel();
        let call: Box<crate::branch::CallBody> = Box::new(move |actor, ctx| {
            drop(permit);
            if let Some(result) = call(actor, ctx) {
                let _ = reply.send(result);
            }
        });
        control(&self.address, BranchCall(call));
        response.await.map_err(|_| CallError::Ended)
    }
}

/// A closure that runs in a branch's turn. `None` means that the branch has ended.
pub(crate) trait CallFn<R>:
    FnOnce(&mut BranchActor, &mut Context<BranchActor>) -> Option<R> + Send + 'static
{
}

impl<R, F> CallFn<R> for F where
    F: FnOnce(&mut BranchActor, &mut Context<BranchActor>) -> Option<R> + Send + 'static
{
}
