//! The mailboxes between machines.
#![expect(clippy::exhaustive_enums, reason = "a mailbox is full or closed")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// The sender's end of a machine's mailbox.
///
/// The receiver need not be local: a gateway to a machine in another process implements this trait
/// too, and stands where a local branch or endpoint would.
pub trait Mailbox<T> {
    /// Queues `message`; never waits.
    ///
    /// # Errors
    ///
    /// [`TrySendError`], with the message.
    fn try_send(&self, message: T) -> Result<(), TrySendError<T>>;

    /// Queues `message` although the mailbox may be full. A host does so once for each mailbox it
    /// sends to, when it leaves it: the bound of a mailbox is exceeded by one message per sender at
    /// most.
    fn send_last(&self, message: T);
}

/// Why a mailbox did not accept a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// It has no capacity now.
    Full(T),
    /// Its machine has ended.
    Closed(T),
}

/// A mailbox between machines of one thread, first in, first out. Clones share the queue.
#[derive(Debug)]
pub struct LocalMailbox<T> {
    messages: Rc<RefCell<VecDeque<T>>>,
    capacity: usize,
}

impl<T> LocalMailbox<T> {
    /// A mailbox that holds up to `capacity` messages, the last message of each sender not counted.
    pub fn new(capacity: usize) -> Self {
        Self { messages: Rc::default(), capacity }
    }

    /// A mailbox without a bound of its own, for a receiver that empties it before its sender goes
    /// on: what it holds was in the sender's bounded queue a moment ago.
    pub fn direct() -> Self {
        Self::new(usize::MAX)
    }

    /// Removes the oldest message.
    pub fn pop(&self) -> Option<T> {
        self.messages.borrow_mut().pop_front()
    }

    /// Number of messages.
    pub fn len(&self) -> usize {
        self.messages.borrow().len()
    }

    /// Returns whether there is no message.
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
        self.send_last(message);
        Ok(())
    }

    fn send_last(&self, message: T) {
        self.messages.borrow_mut().push_back(message);
    }
}
