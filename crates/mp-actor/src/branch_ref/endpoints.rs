//! The endpoints of a running branch.

use mp_core::{Endpoint, EndpointId, MultiplayerPeer};
use tokio::sync::oneshot;

use super::{BranchRef, next_number};
use crate::arbiter_guard::ArbiterGuard;
use crate::endpoint::{EndpointActor, EndpointRef, EndpointUse};
use crate::error::{EndReason, StartError};
use crate::start::TransportError;

impl BranchRef {
    /// Serves the branch on another transport, which `make` creates on the branch's thread. ENet
    /// and WebSocket clients can share one branch.
    ///
    /// # Errors
    ///
    /// See [`StartError`]. The branch continues without the transport.
    pub async fn add_endpoint<P, E>(
        &self,
        make: impl FnOnce() -> Result<P, E> + Send + 'static,
    ) -> Result<EndpointRef, StartError>
    where
        P: MultiplayerPeer + Unpin + 'static,
        E: Into<TransportError>,
    {
        self.start_endpoint(self.guard()?, make).await
    }

    /// Serves the branch on the shards of one transport, so that several cores share the work of
    /// its sockets. Each closure creates its shard on a new thread, which ends with the shard. A
    /// single shard runs on the branch's thread.
    ///
    /// ```
    /// use mp_actor::prelude::*;
    /// use mp_transport_enet::{EnetShards, ServerOptions};
    ///
    /// # fn game() -> Result<Branch, BuildError> { Branch::builder("/root/Game").build() }
    /// # actix::System::new().block_on(async {
    /// let shards = EnetShards::bind("127.0.0.1:0".parse()?, ServerOptions::default(), 2)?;
    /// let server = mp_actor::branch(game).start().await?;
    /// server.add_shards(shards.into_servers()).await?;
    /// # server.close().await;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// The [`StartError`] of the first shard that does not start. The branch continues with the
    /// shards before it.
    pub async fn add_shards<F, P, E>(
        &self,
        makes: impl IntoIterator<Item = F>,
    ) -> Result<Vec<EndpointRef>, StartError>
    where
        F: FnOnce() -> Result<P, E> + Send + 'static,
        P: MultiplayerPeer + Unpin + 'static,
        E: Into<TransportError>,
    {
        let mut makes = makes.into_iter().peekable();
        let Some(first) = makes.next() else { return Ok(Vec::new()) };
        if makes.peek().is_none() {
            return Ok(vec![self.add_endpoint(first).await?]);
        }
        let mut endpoints = Vec::new();
        for make in std::iter::once(first).chain(makes) {
            endpoints.push(self.start_endpoint(ArbiterGuard::new()?, make).await?);
        }
        Ok(endpoints)
    }

    /// Returns a guard of the branch's thread.
    fn guard(&self) -> Result<ArbiterGuard, StartError> {
        let ended = || StartError::Ended(self.shared().ended().unwrap_or(EndReason::Stopped));
        self.shared().guard().ok_or_else(ended)
    }

    async fn start_endpoint<P, E>(
        &self,
        guard: ArbiterGuard,
        make: impl FnOnce() -> Result<P, E> + Send + 'static,
    ) -> Result<EndpointRef, StartError>
    where
        P: MultiplayerPeer + Unpin + 'static,
        E: Into<TransportError>,
    {
        let caller = self.0.caller.clone();
        let (reply, response) = oneshot::channel();
        let arbiter = guard.arbiter().clone();
        arbiter.spawn_fn(move || {
            let started = make().map_err(|error| StartError::Transport(error.into())).map(|peer| {
                let id = EndpointId(next_number());
                let (endpoint, mailbox) =
                    (Endpoint::new(id, peer, caller.id()), caller.shared().mailbox());
                let endpoint =
                    EndpointActor::start(id, endpoint, EndpointUse::Of(&caller), mailbox, guard);
                EndpointRef { id, ask: endpoint.recipient() }
            });
            let _ = reply.send(started);
        });
        response.await.map_err(|_| StartError::Panicked)?
    }
}
