//! [`RemoteWake`]: the mailboxes of a gateway that have messages.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::branch_ref::next_number;

/// Wakes the program that passes on the messages of [`RemoteBranch`](crate::RemoteBranch)es and
/// [`RemoteEndpoint`](crate::RemoteEndpoint)s, and names those that have messages, so that it need
/// not visit all of them.
#[derive(Debug, Default)]
pub struct RemoteWake {
    notify: Notify,
    /// Each mailbox at most once.
    ready: Mutex<Vec<Arc<MailboxState>>>,
}

/// The number of a mailbox, unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxId(u32);

#[derive(Debug)]
struct MailboxState {
    id: MailboxId,
    /// True while the mailbox is in the list.
    is_ready: AtomicBool,
}

impl RemoteWake {
    /// Returns a wake without mailboxes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for a message, or for the end of a mailbox. One since the last call is enough.
    pub async fn notified(&self) {
        self.notify.notified().await;
    }

    /// Removes and returns the mailboxes that have received a message or have ended since the last
    /// call. Receive from each until it is empty, or keep its number: it is not named again until
    /// it receives another message.
    pub fn take_ready(&self) -> Vec<MailboxId> {
        let ready = std::mem::take(&mut *self.lock());
        let take = |state: Arc<MailboxState>| {
            // Before the program receives: a message that is sent from now on is named again.
            state.is_ready.swap(false, Ordering::AcqRel);
            state.id
        };
        ready.into_iter().map(take).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<MailboxState>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sender's part: a mailbox that names itself when it has messages.
#[derive(Debug)]
pub(crate) struct Mailed {
    wake: Arc<RemoteWake>,
    state: Arc<MailboxState>,
}

impl Mailed {
    pub(crate) fn new(wake: Arc<RemoteWake>) -> Self {
        let (id, is_ready) = (MailboxId(next_number()), AtomicBool::new(false));
        Self { wake, state: Arc::new(MailboxState { id, is_ready }) }
    }

    pub(crate) fn id(&self) -> MailboxId {
        self.state.id
    }

    /// Names the mailbox, after it has received a message or has ended.
    pub(crate) fn notify(&self) {
        if !self.state.is_ready.swap(true, Ordering::AcqRel) {
            self.wake.lock().push(Arc::clone(&self.state));
        }
        self.wake.notify.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mp_core::host::SystemClock;

    use super::*;

    #[test]
    fn mailbox_is_named_once_until_it_is_taken() {
        let wake = Arc::new(RemoteWake::new());
        let [one, other] = [(); 2].map(|()| Mailed::new(Arc::clone(&wake)));
        one.notify();
        other.notify();
        one.notify();
        assert_eq!(wake.take_ready(), [one.id(), other.id()]);
        assert_eq!(wake.take_ready(), []);
        one.notify();
        assert_eq!(wake.take_ready(), [one.id()]);
    }

    #[test]
    fn messages_that_are_sent_while_others_are_taken_are_named() {
        const MESSAGES: usize = 5_000;
        let wake = Arc::new(RemoteWake::new());
        let mailed = Mailed::new(Arc::clone(&wake));
        let (sender, inbox) = std::sync::mpsc::sync_channel(4);
        let id = mailed.id();
        let sending = std::thread::spawn(move || {
            for number in 0..MESSAGES {
                sender.send(number).expect("the receiver lives");
                mailed.notify();
            }
        });
        let mut received = 0;
        let clock = SystemClock::new();
        let deadline = clock.now() + Duration::from_secs(60);
        while received < MESSAGES {
            for ready in wake.take_ready() {
                assert_eq!(ready, id);
                received += inbox.try_iter().count();
            }
            assert!(clock.now() < deadline, "{received} messages were named");
            std::thread::yield_now();
        }
        sending.join().expect("all messages were sent");
    }
}
