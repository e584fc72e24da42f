//! Authentication that may answer later: a database or another service is asked, and the branch goes on meanwhile.
//!
//! The program's futures run in the [`PeerActor`](crate::PeerActor) of the peer that they are about, on the branch's
//! thread: one packet of a peer after the other, as many peers at a time as there are. What they answer is done in the
//! branch's turn, and only to the presence of the peer that they were asked about; one that joins later under the same id
//! is another.

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
use crate::error::{AnswerError, CallError};
use crate::limits::{AUTH_BYTES_WAITING_MAX, AUTH_PACKETS_WAITING_MAX};

/// What a peer that authenticates itself has sent, and the way to answer it, now or later.
///
/// It may be moved to another thread and answered there. Answers are done in the branch's turn, in the order in which they are
/// awaited. An answer for a peer that has left meanwhile does nothing, and says [`CallError::Ended`]; so does one for a peer
/// that has come again under the same id.
#[derive(Debug)]
pub struct AuthRequest {
    presence: Presence,
    data: Bytes,
}

impl AuthRequest {
    /// The peer.
    pub fn peer(&self) -> PeerId {
        self.presence.peer
    }

    /// What it sent; never empty. Before it has sent anything
    /// ([`on_peer_authenticating`](crate::Launch::on_peer_authenticating)) there is nothing.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Sends it bytes (Godot: `send_auth`).
    ///
    /// # Errors
    ///
    /// [`AnswerError`].
    pub async fn send(&self, data: &[u8]) -> Result<(), AnswerError> {
        let data = Bytes::copy_from_slice(data);
        self.presence.answer(move |api, peer| api.send_auth(peer, &data)).await
    }

    /// Says that it may take part (Godot: `complete_auth`). It is admitted when it says the same of this side.
    ///
    /// # Errors
    ///
    /// [`AnswerError`].
    pub async fn complete(&self) -> Result<(), AnswerError> {
        self.presence.answer(SceneMultiplayer::complete_auth).await
    }

    /// Disconnects it, as Godot's `disconnect_peer` without a signal on this side. One that was admitted meanwhile stays.
    ///
    /// It is the last thing that a future does: it is dropped with its peer.
    ///
    /// # Errors
    ///
    /// [`AnswerError`].
    pub async fn refuse(&self) -> Result<(), AnswerError> {
        self.presence.answer(refuse).await
    }
}

/// A peer from when it came until it leaves.
#[derive(Clone)]
pub(crate) struct Presence {
    pub(crate) peer: PeerId,
    /// Different for one that comes again.
    pub(crate) number: u64,
    pub(crate) branch: BranchCaller,
}

impl Presence {
    /// An answer of the program's future: it waits for its turn.
    async fn answer(&self, answer: impl Answer) -> Result<(), AnswerError> {
        self.branch.call_in_line(self.in_turn(answer)).await?
    }

    /// An answer of whoever holds a [`PeerRef`](crate::PeerRef): it is counted as every call.
    pub(crate) async fn call(&self, answer: impl Answer) -> Result<(), AnswerError> {
        self.branch.call(self.in_turn(answer)).await?
    }

    fn in_turn<A: Answer>(
        &self,
        answer: A,
    ) -> impl FnOnce(&mut BranchActor, &mut Context<BranchActor>) -> Option<Result<(), AnswerError>>
    + use<A> {
        let (peer, number) = (self.peer, self.number);
        move |actor, _| {
            let Some(api) = actor.present(peer, number) else {
                return Some(Err(AnswerError::Call(CallError::Ended)));
            };
            Some(answer(api, peer).map_err(AnswerError::Auth))
        }
    }
}

fn refuse(api: &mut SceneMultiplayer, peer: PeerId) -> Result<(), AuthError> {
    if api.has_peer(peer) || api.link(peer).is_none() {
        return Err(AuthError::UnknownPeer(peer));
    }
    api.disconnect_peer(peer);
    Ok(())
}

impl std::fmt::Debug for Presence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Presence").field(&self.peer).finish()
    }
}

/// What is done to a peer in its branch's turn.
pub(crate) trait Answer:
    FnOnce(&mut SceneMultiplayer, PeerId) -> Result<(), AuthError> + Send + 'static
{
}

impl<A> Answer for A where
    A: FnOnce(&mut SceneMultiplayer, PeerId) -> Result<(), AuthError> + Send + 'static
{
}

/// The program's own, as it is given to the launcher.
#[derive(Default)]
pub(crate) struct AuthSetup {
    pub(crate) opening: Option<Box<Authenticator>>,
    pub(crate) packets: Option<Box<Authenticator>>,
}

/// The same on the branch's thread.
#[derive(Clone, Default)]
pub(crate) struct Authenticators {
    /// Run when a peer has come.
    opening: Option<Rc<Authenticator>>,
    /// Run with each of its packets.
    packets: Option<Rc<Authenticator>>,
}

pub(crate) type Authenticator = dyn Fn(AuthRequest) -> AuthFuture + Send;
pub(crate) type AuthFuture = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Forgets of which types the program's own are.
pub(crate) fn boxed<F, R, E>(run: F) -> Box<Authenticator>
where
    F: Fn(AuthRequest) -> R + Send + 'static,
    R: Future<Output = Result<(), E>> + 'static,
    E: Into<Failure>,
{
    Box::new(move |request| {
        let answered = run(request);
        Box::pin(async move { answered.await.map_err(Into::into) })
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
    pub(crate) fn take_packets(&self) -> bool {
        self.packets.is_some()
    }

    /// Runs them for one peer, until it is admitted, leaves or is refused.
    pub(crate) async fn run(self, presence: Presence, queue: Rc<AuthQueue>) {
        if let Some(opening) = &self.opening
            && !serve(opening, &presence, Bytes::new()).await
        {
            return;
        }
        let Some(packets) = &self.packets else { return };
        while let Some(data) = queue.next().await {
            if !serve(packets, &presence, data).await {
                return;
            }
        }
    }
}

/// Runs one future. Whether there is more to do for the peer: it is refused when the future fails or panics.
async fn serve(authenticator: &Rc<Authenticator>, presence: &Presence, data: Bytes) -> bool {
    let peer = presence.peer;
    let request = AuthRequest { presence: presence.clone(), data };
    match caught(async { authenticator(request).await }).await {
        Ok(Ok(())) => return true,
        // It may lie in what the peer sent.
        Ok(Err(error)) => tracing::debug!(%peer, %error, "an authenticator failed"),
        Err(message) => tracing::error!(%peer, message, "an authenticator panicked"),
    }
    let branch = presence.branch.clone();
    let refused = presence.answer(move |api, peer| {
        refuse(api, peer)?;
        branch.count_failed_authentication();
        Ok(())
    });
    // Whether or not it was still there to be refused.
    refused.await.ok();
    false
}

/// Runs a future of the program's own to its end, or to its panic.
async fn caught<R>(future: impl Future<Output = R>) -> Result<R, String> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic_message(&*panic))),
    })
    .await
}

/// AUTH packets of one peer that wait for its authenticator.
///
/// Bounds: [`AUTH_PACKETS_WAITING_MAX`] and [`AUTH_BYTES_WAITING_MAX`]; one packet of any size may wait. What does not fit is
/// not taken, and its sender is to be refused.
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
    /// Takes a packet, if it fits.
    pub(crate) fn offer(&self, data: Bytes) -> bool {
        let mut state = self.state.borrow_mut();
        let is_small = state.packets.len() < AUTH_PACKETS_WAITING_MAX
            && state.bytes + data.len() <= AUTH_BYTES_WAITING_MAX;
        if state.is_closed || !(is_small || state.packets.is_empty()) {
            return false;
        }
        state.bytes += data.len();
        state.packets.push_back(data);
        self.changed.notify_one();
        true
    }

    /// Takes nothing any more and gives nothing any more; how many packets nobody saw.
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
    fn a_big_packet_waits_alone_and_small_ones_up_to_their_bounds() {
        let queue = AuthQueue::default();
        assert!(queue.offer(packet(AUTH_BYTES_WAITING_MAX + 1)));
        assert!(!queue.offer(packet(1)));

        let queue = AuthQueue::default();
        assert!((0..AUTH_PACKETS_WAITING_MAX).all(|_| queue.offer(packet(1))));
        assert!(!queue.offer(packet(1)));

        let queue = AuthQueue::default();
        assert!(queue.offer(packet(AUTH_BYTES_WAITING_MAX - 1)) && queue.offer(packet(1)));
        assert!(!queue.offer(packet(1)));
    }

    #[test]
    fn a_closed_queue_takes_and_gives_nothing() {
        let queue = AuthQueue::default();
        assert!(queue.offer(packet(1)) && queue.offer(packet(1)));
        assert_eq!((queue.close(), queue.close()), (2, 0));
        assert!(!queue.offer(packet(1)));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(queue.next()), None);
    }

    #[test]
    fn what_is_taken_makes_room() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let queue = AuthQueue::default();
            for _ in 0..10 {
                assert!(queue.offer(packet(AUTH_BYTES_WAITING_MAX)));
                assert_eq!(queue.next().await, Some(packet(AUTH_BYTES_WAITING_MAX)));
            }
        });
    }
}
