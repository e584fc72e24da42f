//! Asynchronous authentication: a database or another service may be queried while the branch
//! continues.
//!
//! The program's futures run in the [`PeerActor`](crate::PeerActor) of the peer that they
//! authenticate, on the branch's thread. Packets of one peer are handled in order, those of
//! different peers concurrently. Responses take effect in the branch's turn, and only for the
//! session of the peer that they were made for. A peer that connects later with the same id has
//! another session.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use actix::Context;
use bytes::Bytes;
use mp_core::PeerId;
use mp_scene::{AuthError, SceneMultiplayer};
use tokio::sync::Notify;

use crate::branch::{BranchActor, panic_message};
use crate::branch_ref::BranchCaller;
use crate::error::{AuthResponseError, CallError};
use crate::limits::{AUTH_QUEUE_BYTES_MAX, AUTH_QUEUE_PACKETS_MAX};

/// Data received from a peer that authenticates, and methods to respond, now or later.
///
/// The request may be moved to another thread. Responses take effect in the branch's turn, in the
/// order in which they are awaited. A response to a peer that has disconnected has no effect and
/// returns [`CallError::Ended`], even if a peer with the same id has connected since.
#[derive(Debug)]
pub struct AuthRequest {
    session: PeerSession,
    data: Bytes,
}

impl AuthRequest {
    /// Returns the peer.
    pub fn peer(&self) -> PeerId {
        self.session.peer
    }

    /// Returns the received data. It is empty only in
    /// [`on_peer_authenticating`](crate::BranchStarter::on_peer_authenticating), before the peer
    /// has sent anything.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Sends data to the peer (Godot: `send_auth`).
    ///
    /// # Errors
    ///
    /// See [`AuthResponseError`].
    pub async fn send(&self, data: &[u8]) -> Result<(), AuthResponseError> {
        let data = Bytes::copy_from_slice(data);
        self.session.respond(move |api, peer| api.send_auth(peer, &data)).await
    }

    /// Accepts the peer (Godot: `complete_auth`). It is admitted when it has accepted the local
    /// peer, too.
    ///
    /// # Errors
    ///
    /// See [`AuthResponseError`].
    pub async fn complete(&self) -> Result<(), AuthResponseError> {
        self.session.respond(SceneMultiplayer::complete_auth).await
    }

    /// Disconnects the peer, like Godot's `disconnect_peer` without a local signal. A peer that was
    /// admitted meanwhile stays.
    ///
    /// The future that calls this method ends here: it is dropped with its peer.
    ///
    /// # Errors
    ///
    /// See [`AuthResponseError`].
    pub async fn reject(&self) -> Result<(), AuthResponseError> {
        self.session.respond(reject).await
    }
}

/// The session of a peer, from connecting to disconnecting.
#[derive(Clone)]
pub(crate) struct PeerSession {
    pub(crate) peer: PeerId,
    /// Number that distinguishes consecutive sessions of the same peer id.
    pub(crate) number: u64,
    pub(crate) branch: BranchCaller,
}

impl PeerSession {
    /// Runs a response of an authenticator's future. It waits for its turn.
    async fn respond(&self, response: impl AuthResponse) -> Result<(), AuthResponseError> {
        self.branch.call_queued(self.in_turn(response)).await?
    }

    /// Runs a response of a [`PeerRef`](crate::PeerRef). It is limited like all calls.
    pub(crate) async fn call(&self, response: impl AuthResponse) -> Result<(), AuthResponseError> {
        self.branch.call(self.in_turn(response)).await?
    }

    fn in_turn<A: AuthResponse>(
        &self,
        response: A,
    ) -> impl FnOnce(
        &mut BranchActor,
        &mut Context<BranchActor>,
    ) -> Option<Result<(), AuthResponseError>>
    + use<A> {
        let (peer, number) = (self.peer, self.number);
        move |actor, _| {
            let Some(api) = actor.multiplayer_for(peer, number) else {
                return Some(Err(AuthResponseError::Call(CallError::Ended)));
            };
            Some(response(api, peer).map_err(AuthResponseError::Auth))
        }
    }
}

fn reject(api: &mut SceneMultiplayer, peer: PeerId) -> Result<(), AuthError> {
    if api.has_peer(peer) || api.connection(peer).is_none() {
        return Err(AuthError::UnknownPeer(peer));
    }
    api.disconnect_peer(peer);
    Ok(())
}

impl std::fmt::Debug for PeerSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Presence").field(&self.peer).finish()
    }
}

/// A response to a peer, which runs in the branch's turn.
pub(crate) trait AuthResponse:
    FnOnce(&mut SceneMultiplayer, PeerId) -> Result<(), AuthError> + Send + 'static
{
}

impl<A> AuthResponse for A where
    A: FnOnce(&mut SceneMultiplayer, PeerId) -> Result<(), AuthError> + Send + 'static
{
}

/// The authenticators of the program, as passed to [`BranchStarter`](crate::BranchStarter).
#[derive(Default)]
pub(crate) struct AuthSetup {
    pub(crate) opening: Option<Box<Authenticator>>,
    pub(crate) packets: Option<Box<Authenticator>>,
}

/// The authenticators on the branch's thread.
#[derive(Clone, Default)]
pub(crate) struct Authenticators {
    /// Authenticator for a peer that begins to authenticate.
    opening: Option<Rc<Authenticator>>,
    /// Authenticator for each AUTH packet of a peer.
    packets: Option<Rc<Authenticator>>,
}

pub(crate) type Authenticator = dyn Fn(AuthRequest) -> AuthFuture + Send;
pub(crate) type AuthFuture = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Erases the types of an authenticator.
pub(crate) fn boxed<F, R, E>(run: F) -> Box<Authenticator>
where
    F: Fn(AuthRequest) -> R + Send + 'static,
    R: Future<Output = Result<(), E>> + 'static,
    E: Into<Failure>,
{
    Box::new(move |request| {
        let future = run(request);
        Box::pin(async move { future.await.map_err(Into::into) })
    })
}

impl AuthSetup {
    pub(crate) fn is_empty(&self) -> bool {
        self.opening.is_none() && self.packets.is_none()
    }
}

impl From<AuthSetup> for Authenticators {
    fn from(setup: AuthSetup) -> Self {
        Self { opening: setup.opening.map(Rc::from), packets: setup.packets.map(Rc::from) }
    }
}

impl Authenticators {
    pub(crate) fn handles_packets(&self) -> bool {
        self.packets.is_some()
    }

    /// Runs the authenticators for one peer, until it is admitted, disconnects or is rejected.
    pub(crate) async fn run(self, session: PeerSession, queue: Rc<AuthQueue>) {
        if let Some(opening) = &self.opening
            && !run_authenticator(opening, &session, Bytes::new()).await
        {
            return;
        }
        let Some(packets) = &self.packets else { return };
        while let Some(data) = queue.next().await {
            if !run_authenticator(packets, &session, data).await {
                return;
            }
        }
    }
}

/// Runs one future. Returns false if it failed or panicked, after rejecting the peer.
async fn run_authenticator(
    authenticator: &Rc<Authenticator>,
    session: &PeerSession,
    data: Bytes,
) -> bool {
    let peer = session.peer;
    let request = AuthRequest { session: session.clone(), data };
    match catch_panics(async { authenticator(request).await }).await {
        Ok(Ok(())) => return true,
        // The peer's data may be the cause, so this is not logged above debug.
        Ok(Err(error)) => tracing::debug!(%peer, %error, "authenticator failed"),
        Err(message) => tracing::error!(%peer, message, "authenticator panicked"),
    }
    let branch = session.branch.clone();
    let rejected = session.respond(move |api, peer| {
        reject(api, peer)?;
        branch.count_failed_authentication();
        Ok(())
    });
    // The peer may have disconnected already.
    rejected.await.ok();
    false
}

/// Runs a future and returns its output, or the message of its panic.
async fn catch_panics<R>(future: impl Future<Output = R>) -> Result<R, String> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic_message(&*panic))),
    })
    .await
}

/// AUTH packets of one peer that are queued for its authenticator.
///
/// Limits: [`AUTH_QUEUE_PACKETS_MAX`] and [`AUTH_QUEUE_BYTES_MAX`]. A single packet of any size is
/// always accepted. A packet that does not fit is dropped, and its sender has to be rejected.
#[derive(Debug, Default)]
pub(crate) struct AuthQueue {
    state: RefCell<QueueState>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct QueueState {
    packets: VecDeque<Bytes>,
    bytes: usize,
    is_closed: bool,
}

impl AuthQueue {
    /// Queues a packet. Returns false if it does not fit.
    pub(crate) fn push(&self, data: Bytes) -> bool {
        let mut state = self.state.borrow_mut();
        let is_small = state.packets.len() < AUTH_QUEUE_PACKETS_MAX
            && state.bytes + data.len() <= AUTH_QUEUE_BYTES_MAX;
        if state.is_closed || !(is_small || state.packets.is_empty()) {
            return false;
        }
        state.bytes += data.len();
        state.packets.push_back(data);
        self.changed.notify_one();
        true
    }

    /// Closes the queue and returns the number of packets that were dropped.
    pub(crate) fn close(&self) -> usize {
        let mut state = self.state.borrow_mut();
        state.is_closed = true;
        state.bytes = 0;
        self.changed.notify_one();
        std::mem::take(&mut state.packets).len()
    }

    async fn next(&self) -> Option<Bytes> {
        loop {
            {
                let mut state = self.state.borrow_mut();
                if let Some(data) = state.packets.pop_front() {
                    state.bytes -= data.len();
                    return Some(data);
                }
                if state.is_closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(len: usize) -> Bytes {
        vec![7; len].into()
    }

    #[test]
    fn single_large_packet_is_accepted_and_small_ones_up_to_the_limits() {
        let queue = AuthQueue::default();
        assert!(queue.push(packet(AUTH_QUEUE_BYTES_MAX + 1)));
        assert!(!queue.push(packet(1)));

        let queue = AuthQueue::default();
        assert!((0..AUTH_QUEUE_PACKETS_MAX).all(|_| queue.push(packet(1))));
        assert!(!queue.push(packet(1)));

        let queue = AuthQueue::default();
        assert!(queue.push(packet(AUTH_QUEUE_BYTES_MAX - 1)) && queue.push(packet(1)));
        assert!(!queue.push(packet(1)));
    }

    #[test]
    fn closed_queue_accepts_and_returns_nothing() {
        let queue = AuthQueue::default();
        assert!(queue.push(packet(1)) && queue.push(packet(1)));
        assert_eq!((queue.close(), queue.close()), (2, 0));
        assert!(!queue.push(packet(1)));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(queue.next()), None);
    }

    #[test]
    fn removed_packets_free_capacity() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let queue = AuthQueue::default();
            for _ in 0..10 {
                assert!(queue.push(packet(AUTH_QUEUE_BYTES_MAX)));
                assert_eq!(queue.next().await, Some(packet(AUTH_QUEUE_BYTES_MAX)));
            }
        });
    }
}
