//! Mailboxes between branches and endpoints.
#![expect(clippy::exhaustive_enums, reason = "a mailbox is full or closed")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// The sender of a mailbox of a branch or an endpoint.
///
/// The receiver may be remote: a gateway to a branch or endpoint in another process implements this
/// trait, too.
pub trait Mailbox<T> {
    /// Queues `message` without blocking.
    ///
    /// # Errors
    ///
    /// [`TrySendError`], which returns the message.
    fn try_send(&self, message: T) -> Result<(), TrySendError<T>>;

    /// Queues `message` even if the mailbox is full. A host sends one such message to a mailbox,
    /// when it leaves it, so that the capacity is exceeded by at most one message per sender.
    fn send_unbounded(&self, message: T);
}

/// The reason why a mailbox did not accept a message, and the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// The mailbox is full.
    Full(T),
    /// The receiver has ended.
    Closed(T),
}

/// A FIFO mailbox between branches and endpoints of one thread. Clones share the queue.
#[derive(Debug)]
pub struct LocalMailbox<T> {
    messages: Rc<RefCell<VecDeque<T>>>,
    capacity: usize,
}

impl<T> LocalMailbox<T> {
    /// Returns a mailbox for up to `capacity` messages, not counting the last message of each
    /// sender.
    pub fn new(capacity: usize) -> Self {
        Self { messages: Rc::default(), capacity }
    }

    /// Returns a mailbox without a limit, for a receiver that empties it before the sender
    /// continues. Its messages come from the sender's queue, which is bounded.
    pub fn unbounded() -> Self {
        Self::new(usize::MAX)
    }

    /// Removes and returns the oldest message.
    pub fn pop(&self) -> Option<T> {
        self.messages.borrow_mut().pop_front()
    }

    /// Returns the number of messages.
    pub fn len(&self) -> usize {
        self.messages.borrow().len()
    }

    /// Returns whether the mailbox is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Clone for LocalMailbox<T> {
    fn clone(&self) -> Self {
        Self { messages: Rc::clone(&self.messages), capacity: self.capacity }
    }
}

impl<T> Mailbox<T> for LocalMailbox<T> {
    fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        if self.len() >= self.capacity {
            return Err(TrySendError::Full(message));
        }
        self.send_unbounded(message);
        Ok(())
    }

    fn send_unbounded(&self, message: T) {
        self.messages.borrow_mut().push_back(message);
    }
}
