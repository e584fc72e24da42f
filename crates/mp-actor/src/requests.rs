//! Requests from outside a branch.

use mp_core::{FromVariant, PeerId};
use mp_scene::rpc::{IntoArgs, RequestCall};
use tokio::sync::oneshot;

use crate::{AskError, BranchRef, CallError};

impl BranchRef {
    /// Sends a request to `peer` and waits for the answer.
    ///
    /// It ends with an error when its [`timeout`](RequestCall::timeout) has passed (default:
    /// [`REQUEST_TIMEOUT`](mp_scene::limits::REQUEST_TIMEOUT)), and when the peer leaves or the
    /// branch ends. Dropping the returned future does not cancel the request.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use mp_actor::prelude::*;
    /// use mp_scene::rpc::RequestCall;
    ///
    /// # async fn price(client: &BranchRef, shop: NodeId) -> Result<i64, mp_actor::AskError> {
    /// // With the crate mp: shop.rpcs().price("sword".into())
    /// let price = RequestCall::<_, i64>::new(shop, "price", "price_answer", ("sword",));
    /// client.ask(price.timeout(Duration::from_secs(1)), PeerId::SERVER).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`AskError`].
    pub async fn ask<A, T>(&self, request: RequestCall<A, T>, peer: PeerId) -> Result<T, AskError>
    where
        A: IntoArgs + Send + 'static,
        T: FromVariant + Send + 'static,
    {
        let (reply, response) = oneshot::channel();
        let sent = self.with(move |scene| {
            request.ask_then(scene, peer, move |_, answer| {
                // Fails if the caller has stopped waiting.
                let _ = reply.send(answer);
            })
        });
        sent.await??;
        Ok(response.await.map_err(|_| CallError::Ended)??)
    }
}
