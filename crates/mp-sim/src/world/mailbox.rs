//! The mailbox of an actor.

use std::collections::VecDeque;

/// A bounded queue: what does not fit is given back, as actix's `try_send` does.
#[derive(Debug)]
pub(crate) struct Mailbox<M> {
    messages: VecDeque<M>,
    capacity: usize,
}

impl<M> Mailbox<M> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { messages: VecDeque::new(), capacity }
    }

    /// Puts a message in, unless the box is full.
    pub(crate) fn offer(&mut self, message: M) -> Result<(), M> {
        if self.messages.len() >= self.capacity {
            return Err(message);
        }
        self.messages.push_back(message);
        Ok(())
    }

    /// Puts a message in however full the box is: for what is said once in an actor's life.
    pub(crate) fn force(&mut self, message: M) {
        self.messages.push_back(message);
    }

    pub(crate) fn pop(&mut self) -> Option<M> {
        self.messages.pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }
}
