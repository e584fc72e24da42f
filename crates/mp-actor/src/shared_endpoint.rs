//! [`SharedEndpoint`]: a transport that serves branches which come and go.

use std::fmt;

use actix::prelude::*;
use mp_core::limits::MAILBOX_BATCHES;
use mp_core::{
    AddressPrefix, ConnectionId, ConnectionRouter, DisconnectRequest, Endpoint, EndpointId,
    EndpointStats, MultiplayerPeer, PeerId, ReceiveLimits, Route,
};
use tokio::sync::{oneshot, watch};

use crate::arbiter_guard::ArbiterGuard;
use crate::branch_ref::{BranchRef, next_number};
use crate::endpoint::{EndpointActor, EndpointUse};
use crate::error::{CallError, StartError};
use crate::limits::CLOSE_TIMEOUT;
use crate::link_conditions::ConditionsRequest;
use crate::mail::{
    Assign, CloseEndpoint, Decide, DisconnectAddresses, DisconnectConnection, GetEndpointStats,
    Redirect, RefuseConnections, Serve, ServeRemote, SetReceiveLimits, control_to,
};
use crate::start::TransportError;
use crate::stats::{EndpointSnapshot, SharedSnapshot};

/// A handle to an endpoint that serves branches which come and go, for example the rooms of a
/// server. [`shared_endpoint`] starts one. Clones refer to the same endpoint.
///
/// A [`ConnectionRouter`] assigns each new connection to a branch, or leaves the decision to
/// [`decide`](Self::decide). Branches that the endpoint [serves](Self::serve) share its socket, and
/// do not reach each other's connections. A branch that closes or panics does not affect the
/// others.
///
/// ```
/// use mp_actor::prelude::*;
/// use mp_core::{ConnectionRouter, DisconnectReason, NewConnection, OutgoingPacket, Route};
///
/// /// Assigns even peer ids to one room, and rejects the others.
/// struct EvenOnly(mp_core::BranchId);
///
/// impl ConnectionRouter for EvenOnly {
///     fn route(&mut self, new: &NewConnection<'_>, _: &mut Vec<OutgoingPacket>) -> Route {
///         match new.claimed_id {
///             Some(id) if id.get() % 2 == 0 => Route::Branch(self.0),
///             _ => Route::Reject(DisconnectReason::Refused),
///         }
///     }
/// }
///
/// # fn game() -> Result<Branch, BuildError> { Branch::builder("/root").build() }
/// # actix::System::new().block_on(async {
/// let transport = mp_core::MemoryMultiplayerPeer::server();
/// let address = transport.address();
/// let room = mp_actor::branch(game).start().await?;
/// let router = EvenOnly(room.id());
/// let make = move || Ok::<_, StartError>((transport, router));
/// let endpoint = mp_actor::shared_endpoint(make).start().await?;
/// endpoint.serve(&room).await?;
///
/// let seat = address.connect(PeerId::new(4).unwrap());
/// let client = mp_actor::branch(game).connect(move || Ok::<_, StartError>(seat)).await?;
/// assert_eq!(client.peers().await?, [PeerId::SERVER]);
/// endpoint.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct SharedEndpoint {
    id: EndpointId,
    serve: Recipient<Serve>,
    pub(crate) serve_remote: Recipient<ServeRemote>,
    pub(crate) redirect: Recipient<Redirect>,
    assign: Recipient<Assign>,
    decide: Recipient<Decide>,
    refuse: Recipient<RefuseConnections>,
    limit: Recipient<SetReceiveLimits>,
    kick: Recipient<DisconnectAddresses>,
    disconnect: Recipient<DisconnectConnection>,
    close: Recipient<CloseEndpoint>,
    stats: Recipient<GetEndpointStats>,
    pub(crate) conditions: Recipient<ConditionsRequest>,
    snapshot: SharedSnapshot,
    ended: watch::Receiver<()>,
}

/// A shared endpoint that is about to start. See [`shared_endpoint`].
#[must_use = "nothing starts before `start`"]
pub struct SharedEndpointStarter<F> {
    make: F,
    arbiter: Option<ArbiterHandle>,
    outlives_branches: bool,
}

/// Prepares an endpoint that serves branches which come and go. `make` creates its transport and
/// its router, on the thread of the endpoint: neither needs to be `Send`.
pub fn shared_endpoint<F>(make: F) -> SharedEndpointStarter<F> {
    SharedEndpointStarter { make, arbiter: None, outlives_branches: true }
}

impl<F> SharedEndpointStarter<F> {
    /// Runs the endpoint on the thread of `arbiter`. Default: a new thread, which ends with it.
    pub fn on(mut self, arbiter: ArbiterHandle) -> Self {
        self.arbiter = Some(arbiter);
        self
    }

    /// Ends the endpoint with its branches: as soon as none of those that it has served is left, it
    /// accepts no connections and closes. Default: it runs until it is
    /// [closed](SharedEndpoint::close), or until its transport ends.
    pub fn until_left(mut self) -> Self {
        self.outlives_branches = false;
        self
    }

    /// Starts the endpoint.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub async fn start<P, R, E>(self) -> Result<SharedEndpoint, StartError>
    where
        F: FnOnce() -> Result<(P, R), E> + Send + 'static,
        P: MultiplayerPeer + Unpin + 'static,
        R: ConnectionRouter + Unpin + 'static,
        E: Into<TransportError>,
    {
        let Self { make, arbiter, outlives_branches } = self;
        let guard = match arbiter {
            Some(arbiter) => ArbiterGuard::shared(arbiter),
            None => ArbiterGuard::new()?,
        };
        let (reply, response) = oneshot::channel();
        let arbiter = guard.arbiter().clone();
        arbiter.spawn_fn(move || {
            let made = make().map_err(|error| StartError::Transport(error.into()));
            let started = made.map(|(peer, router)| {
                let id = EndpointId(next_number());
                let mut endpoint = Endpoint::new(id, peer, router);
                if outlives_branches {
                    endpoint = endpoint.shared();
                }
                let (alive, ended) = watch::channel(());
                let snapshot = SharedSnapshot::default();
                let used = EndpointUse::Shared(alive, snapshot.clone());
                let actor = EndpointActor::start(id, endpoint, used, MAILBOX_BATCHES, guard);
                SharedEndpoint::new(id, &actor, snapshot, ended)
            });
            let _ = reply.send(started);
        });
        response.await.map_err(|_| StartError::Panicked)?
    }
}

impl<F> fmt::Debug for SharedEndpointStarter<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outlives = self.outlives_branches;
        f.debug_struct("SharedEndpointStarter")
            .field("outlives_branches", &outlives)
            .finish_non_exhaustive()
    }
}

impl SharedEndpoint {
    fn new<P, R>(
        id: EndpointId,
        actor: &Addr<EndpointActor<P, R>>,
        snapshot: SharedSnapshot,
        ended: watch::Receiver<()>,
    ) -> Self
    where
        P: MultiplayerPeer + Unpin + 'static,
        R: ConnectionRouter + Unpin + 'static,
    {
        Self {
            id,
            serve: actor.clone().recipient(),
            serve_remote: actor.clone().recipient(),
            redirect: actor.clone().recipient(),
            assign: actor.clone().recipient(),
            decide: actor.clone().recipient(),
            refuse: actor.clone().recipient(),
            limit: actor.clone().recipient(),
            kick: actor.clone().recipient(),
            disconnect: actor.clone().recipient(),
            close: actor.clone().recipient(),
            stats: actor.clone().recipient(),
            conditions: actor.clone().recipient(),
            snapshot,
            ended,
        }
    }

    /// Starts to serve `branch`, until the branch ends. When this returns, the router may assign
    /// connections to the branch. Does nothing if the branch is served already.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] if the endpoint has ended.
    pub async fn serve(&self, branch: &BranchRef) -> Result<(), CallError> {
        let serve = Serve(branch.caller().clone());
        self.serve.send(serve).await.map_err(|_| CallError::Ended)
    }

    /// Assigns a connection that its router left [undecided](Route::Undecided) to `branch`, which
    /// the endpoint [serves](Self::serve) from now on. Does nothing if the connection is not
    /// undecided any more.
    ///
    /// The router receives the decision [`Route::Branch`] if the branch authenticates peers, else
    /// [`Route::Admit`].
    pub fn assign(&self, connection: ConnectionId, branch: &BranchRef) {
        // At most one per undecided connection, whose number is bounded.
        let branch = branch.caller().clone();
        control_to(&self.assign, Assign { connection, branch, resumed: None });
    }

    /// Assigns a connection as [`assign`](Self::assign) does, which resumes the session of `peer`
    /// ([`Route::Resume`]). The caller has checked that the remote peer may do so.
    pub fn resume(&self, connection: ConnectionId, branch: &BranchRef, peer: PeerId) {
        let branch = branch.caller().clone();
        control_to(&self.assign, Assign { connection, branch, resumed: Some(peer) });
    }

    /// Sets whether the transport refuses new connections in their handshake.
    pub fn set_refuse_new_connections(&self, refuse: bool) {
        // At most one per connection that joins or leaves, whose number is bounded.
        control_to(&self.refuse, RefuseConnections(refuse));
    }

    /// Limits the rate at which each connection sends, including existing ones. Default: no limit.
    /// The total of a branch is set with
    /// [`BranchStarter::receive_limits`](crate::BranchStarter::receive_limits).
    pub fn set_receive_limits(&self, limits: ReceiveLimits) {
        control_to(&self.limit, SetReceiveLimits(limits));
    }

    /// Disconnects all connections from the addresses of `prefix`, with the reason
    /// [`Kicked`](mp_core::DisconnectReason::Kicked). Returns their number.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] if the endpoint has ended.
    pub async fn disconnect_addresses(&self, prefix: AddressPrefix) -> Result<usize, CallError> {
        self.kick.send(DisconnectAddresses(prefix)).await.map_err(|_| CallError::Ended)
    }

    /// Disconnects a connection, whether or not it is assigned to a branch; see
    /// [`Endpoint::disconnect`]. Does nothing if there is no such connection.
    pub fn disconnect(&self, connection: ConnectionId, request: DisconnectRequest) {
        // At most one per connection, whose number is bounded.
        control_to(&self.disconnect, DisconnectConnection(connection, request));
    }

    /// Passes a decision about a connection that its router left [undecided](Route::Undecided) to
    /// the router. Does nothing if the connection is not undecided any more.
    pub fn decide(&self, connection: ConnectionId, route: Route) {
        // At most one per undecided connection, whose number is bounded.
        control_to(&self.decide, Decide(connection, route));
    }

    /// Returns the endpoint's id.
    pub fn id(&self) -> EndpointId {
        self.id
    }

    /// Returns the endpoint's statistics.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`].
    pub async fn stats(&self) -> Result<EndpointStats, CallError> {
        self.stats.send(GetEndpointStats).await.map_err(|_| CallError::Ended)
    }

    /// Returns the last published statistics, without waiting for the endpoint's thread: at most a
    /// second old, or final if the endpoint has ended.
    pub fn snapshot(&self) -> EndpointSnapshot {
        self.snapshot.get()
    }

    /// Closes the endpoint: rejects undecided connections, delivers accepted packets of the others
    /// for up to [`DRAIN_TIMEOUT`](mp_core::limits::DRAIN_TIMEOUT), disconnects them, and ends.
    /// Waits at most [`CLOSE_TIMEOUT`]. Branches that no other endpoint serves end, too.
    pub async fn close(&self) {
        control_to(&self.close, CloseEndpoint);
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.ended()).await;
    }

    /// Waits until the endpoint has ended for any reason.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }
}

impl fmt::Debug for SharedEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedEndpoint").field("id", &self.id).finish_non_exhaustive()
    }
}
