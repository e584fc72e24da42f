//! Conditions that callers of [`BranchRef::until`](crate::BranchRef::until) wait for.

use mp_scene::Scene;
use tokio::sync::oneshot;

use crate::limits::CONDITIONS_MAX;

/// The conditions of a branch that do not hold yet, in the order of the calls.
#[derive(Default)]
pub(crate) struct Conditions(Vec<Waiter>);

struct Waiter {
    condition: Box<Condition>,
    reply: oneshot::Sender<()>,
}

pub(crate) type Condition = dyn FnMut(&Scene) -> bool + Send;

impl Conditions {
    /// Adds a condition. Returns the receiver of the time at which it holds; `None` if there are
    /// [`CONDITIONS_MAX`].
    pub(crate) fn add(&mut self, condition: Box<Condition>) -> Option<oneshot::Receiver<()>> {
        self.0.retain(|waiter| !waiter.reply.is_closed());
        if self.0.len() >= CONDITIONS_MAX {
            return None;
        }
        let (reply, response) = oneshot::channel();
        self.0.push(Waiter { condition, reply });
        Some(response)
    }

    /// Evaluates the conditions. Removes those that hold, and those whose callers have stopped
    /// waiting.
    pub(crate) fn evaluate(&mut self, scene: &Scene) {
        for mut waiter in std::mem::take(&mut self.0) {
            if waiter.reply.is_closed() {
                continue;
            }
            if (waiter.condition)(scene) {
                // Fails if the caller has just stopped waiting.
                let _ = waiter.reply.send(());
            } else {
                self.0.push(waiter);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
