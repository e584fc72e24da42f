//! The list of connections that are ready. Each connection has a waker that adds its slot to the
//! list, so that the work of a turn depends on activity and not on the number of connections.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

/// Pseudo-slot of the source of connections.
pub(crate) const SOURCE: usize = usize::MAX;

/// The slots that are ready.
#[derive(Debug, Default)]
pub(crate) struct ReadyList(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    slots: Vec<Arc<Slot>>,
    task: Option<Waker>,
}

#[derive(Debug)]
struct Slot {
    number: usize,
    is_listed: AtomicBool,
    list: Weak<Mutex<List>>,
}

impl ReadyList {
    /// Returns a waker that adds `slot` to the list, once until the list is taken.
    pub(crate) fn waker(&self, slot: usize) -> Waker {
        let (number, list) = (slot, Arc::downgrade(&self.0));
        Waker::from(Arc::new(Slot { number, is_listed: AtomicBool::new(false), list }))
    }

    /// Moves the listed slots to `into`. The connection of a slot may have ended.
    pub(crate) fn take(&self, into: &mut Vec<usize>) {
        let mut list = self.lock();
        for slot in list.slots.drain(..) {
            slot.is_listed.store(false, Ordering::Release);
            into.push(slot.number);
        }
    }

    /// Returns `Ready` if a slot is listed; otherwise registers the task to be woken.
    pub(crate) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut list = self.lock();
        if !list.slots.is_empty() {
            return Poll::Ready(());
        }
        match &mut list.task {
            Some(task) => task.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Slot {
    fn wake(self: Arc<Self>) {
        if self.is_listed.swap(true, Ordering::AcqRel) {
            return;
        }
        let Some(list) = self.list.upgrade() else { return };
        let task = {
            let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
            list.slots.push(self);
            list.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}
