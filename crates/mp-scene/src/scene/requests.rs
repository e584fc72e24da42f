//! The open requests of a scene.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use mp_core::{Instant, PeerId, Rng, Variant};
use rustc_hash::FxHashMap;

use super::Scene;
use crate::limits::OPEN_REQUESTS_MAX;
use crate::rpc::RequestError;
use crate::tree::NodeId;

type Then = Box<dyn FnOnce(&mut Scene, Result<Variant, RequestError>)>;

/// Requests that were sent and have no answer yet, and answers that the program has not received.
pub(super) struct Requests {
    open: FxHashMap<i64, OpenRequest>,
    answered: VecDeque<(Then, Result<Variant, RequestError>)>,
    /// Source of the ids.
    rng: Rng,
    refused_answers: u64,
}

struct OpenRequest {
    peer: PeerId,
    node: NodeId,
    answer_method: &'static str,
    deadline: Instant,
    then: Then,
}

impl Requests {
    pub(super) fn new(rng: Rng) -> Self {
        let (open, answered) = (FxHashMap::default(), VecDeque::new());
        Self { open, answered, rng, refused_answers: 0 }
    }

    /// Returns an id that is not in use and that a peer cannot predict.
    fn next_id(&mut self) -> i64 {
        loop {
            let id = (self.rng.next_u64() >> 1) as i64;
            if !self.open.contains_key(&id) {
                return id;
            }
        }
    }

    pub(super) fn refused_answers(&self) -> u64 {
        self.refused_answers
    }

    /// Ends requests with `error`, in the order of their deadlines.
    fn end(&mut self, error: &RequestError, is_over: impl Fn(&OpenRequest) -> bool) {
        let ended = self.open.iter().filter(|(_, request)| is_over(request));
        let mut ended: Vec<_> = ended.map(|(&id, request)| (request.deadline, id)).collect();
        ended.sort_unstable();
        for (_, id) in ended {
            let request = self.open.remove(&id).expect("an open request");
            self.answered.push_back((request.then, Err(error.clone())));
        }
    }
}

impl Scene {
    /// Sends a request: a call of the first method with a new id before `args`. The peer answers by
    /// the second method with the id and a value.
    pub(crate) fn request(
        &mut self,
        node: NodeId,
        (method, answer_method): (&str, &'static str),
        mut args: Vec<Variant>,
        peer: PeerId,
        timeout: Duration,
        then: impl FnOnce(&mut Self, Result<Variant, RequestError>) + 'static,
    ) -> Result<(), RequestError> {
        let of_peer = self.requests.open.values().filter(|request| request.peer == peer).count();
        if of_peer >= OPEN_REQUESTS_MAX {
            return Err(RequestError::TooManyOpen);
        }
        let id = self.requests.next_id();
        args.insert(0, id.into());
        self.rpc_id(peer, node, method, args)?;
        let (deadline, then) = (self.now() + timeout, Box::new(then));
        let request = OpenRequest { peer, node, answer_method, deadline, then };
        self.requests.open.insert(id, request);
        Ok(())
    }

    /// Handles an answer of `peer`. An answer to another peer, node or method, a late and a second
    /// one are dropped and counted.
    pub(crate) fn receive_answer(
        &mut self,
        node: NodeId,
        answer_method: &str,
        peer: PeerId,
        id: i64,
        value: Variant,
    ) {
        let is_expected = self.requests.open.get(&id).is_some_and(|request| {
            request.peer == peer && request.node == node && request.answer_method == answer_method
        });
        if !is_expected {
            tracing::debug!(sender = %peer, answer_method, "dropped an unexpected answer");
            self.requests.refused_answers += 1;
            return;
        }
        let request = self.requests.open.remove(&id).expect("an open request");
        self.requests.answered.push_back((request.then, Ok(value)));
    }

    /// Ends the requests whose time is over or whose peers have left, and passes all answers to the
    /// program.
    pub(crate) fn run_answers(&mut self) {
        if !self.requests.open.is_empty() {
            let (now, peers) = (self.now(), self.peers());
            self.requests.end(&RequestError::PeerLeft, |it| !peers.contains(&it.peer));
            self.requests.end(&RequestError::TimedOut, |it| it.deadline <= now);
        }
        // Answers to requests that these programs send are received in a later turn.
        for (then, result) in std::mem::take(&mut self.requests.answered) {
            then(self, result);
        }
    }

    /// Returns the time at which a request times out next.
    pub(crate) fn next_request_timeout(&self) -> Option<Instant> {
        self.requests.open.values().map(|request| request.deadline).min()
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("open", &self.open.len()).finish_non_exhaustive()
    }
}
