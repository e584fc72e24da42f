//! Requests: calls that a peer answers.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mp_core::variant::FromVariantError;
use mp_core::{FromVariant, PeerId};

use super::IntoArgs;
use crate::limits::REQUEST_TIMEOUT;
use crate::tree::NodeId;
use crate::{RpcError, Scene};

/// The reason why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The answer has another type.
    #[error("the answer has the wrong type")]
    Answer(#[from] FromVariantError),
    /// The peer left, or the session ended.
    #[error("the peer left before it answered")]
    PeerLeft,
    /// The request could not be sent.
    #[error("the request could not be sent")]
    Send(#[from] RpcError),
    /// The peer did not answer in time: it is slow, or refused the call.
    #[error("the peer did not answer in time")]
    TimedOut,
    /// The peer has [`OPEN_REQUESTS_MAX`](crate::limits::OPEN_REQUESTS_MAX) requests to answer.
    #[error("the peer has too many requests to answer")]
    TooManyOpen,
}

/// A typed request that was not sent yet. `T` is the type of the answer.
#[must_use = "nothing is sent until `ask(scene, peer)`"]
pub struct RequestCall<A, T> {
    node: NodeId,
    method: &'static str,
    answer_method: &'static str,
    args: A,
    timeout: Duration,
    answer: PhantomData<fn() -> T>,
}

impl<A, T> RequestCall<A, T> {
    /// Creates a request by the RPCs `method` and `answer_method` of `node`, with a timeout of
    /// [`REQUEST_TIMEOUT`].
    pub fn new(
        node: impl Into<NodeId>,
        method: &'static str,
        answer_method: &'static str,
        args: A,
    ) -> Self {
        let (node, timeout, answer) = (node.into(), REQUEST_TIMEOUT, PhantomData);
        Self { node, method, answer_method, args, timeout, answer }
    }

    /// Sets the time in which the answer must be received.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}

impl<A: IntoArgs, T: FromVariant + 'static> RequestCall<A, T> {
    /// Sends the request to `peer`. Returns the answer, which is ready in a later turn.
    ///
    /// # Errors
    ///
    /// [`RequestError::Send`] and [`RequestError::TooManyOpen`]; nothing was sent then.
    pub fn ask(self, scene: &mut Scene, peer: PeerId) -> Result<Answer<T>, RequestError> {
        let answer = Answer(Rc::default());
        let slot = Rc::clone(&answer.0);
        self.ask_then(scene, peer, move |_, result| {
            let mut slot = slot.borrow_mut();
            slot.result = Some(result);
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        })?;
        Ok(answer)
    }

    /// Sends the request to `peer`, and runs `then` once with its answer or with the reason why
    /// there is none, at the end of a later turn.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask); `then` does not run then.
    pub fn ask_then(
        self,
        scene: &mut Scene,
        peer: PeerId,
        then: impl FnOnce(&mut Scene, Result<T, RequestError>) + 'static,
    ) -> Result<(), RequestError> {
        let Self { node, method, answer_method, args, timeout, .. } = self;
        let then = move |scene: &mut Scene, result: Result<mp_core::Variant, RequestError>| {
            then(scene, result.and_then(|value| Ok(T::from_variant(value)?)));
        };
        scene.request(node, (method, answer_method), args.into_args(), peer, timeout, then)
    }
}

impl<A: fmt::Debug, T> fmt::Debug for RequestCall<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestCall")
            .field("method", &self.method)
            .field("args", &self.args)
            .finish_non_exhaustive()
    }
}

/// The answer to a request: a future, for tasks on the branch's thread, whose value can also be
/// [taken](Self::take) without waiting. Dropping it does not cancel the request.
#[derive(Debug)]
pub struct Answer<T>(Rc<RefCell<Slot<T>>>);

#[derive(Debug)]
struct Slot<T> {
    result: Option<Result<T, RequestError>>,
    waker: Option<Waker>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { result: None, waker: None }
    }
}

impl<T> Answer<T> {
    /// Takes the answer, or the reason why there is none; `None` while it is not received, and
    /// after it was taken.
    pub fn take(&self) -> Option<Result<T, RequestError>> {
        self.0.borrow_mut().result.take()
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T, RequestError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.0.borrow_mut();
        match slot.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                slot.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
