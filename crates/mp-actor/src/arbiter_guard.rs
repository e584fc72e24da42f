//! The thread of actors.

use std::sync::{Arc, Weak};

use actix::{Arbiter, ArbiterHandle, System};

use crate::error::StartError;

/// The arbiter of actors: one that the program owns, or a new one, which stops when the last guard
/// is dropped.
#[derive(Clone, Debug)]
pub(crate) struct ArbiterGuard {
    arbiter: ArbiterHandle,
    owned: Option<Arc<OwnedArbiter>>,
}

/// An [`ArbiterGuard`] that does not keep the thread alive.
#[derive(Clone, Debug)]
pub(crate) struct WeakArbiterGuard {
    arbiter: ArbiterHandle,
    owned: Option<Weak<OwnedArbiter>>,
}

#[derive(Debug)]
struct OwnedArbiter(ArbiterHandle);

impl ArbiterGuard {
    pub(crate) fn shared(arbiter: ArbiterHandle) -> Self {
        Self { arbiter, owned: None }
    }

    /// Starts a new thread.
    pub(crate) fn new() -> Result<Self, StartError> {
        if System::try_current().is_none() {
            return Err(StartError::NoSystem);
        }
        let arbiter = Arbiter::try_new().map_err(StartError::Thread)?.handle();
        Ok(Self { owned: Some(Arc::new(OwnedArbiter(arbiter.clone()))), arbiter })
    }

    pub(crate) fn arbiter(&self) -> &ArbiterHandle {
        &self.arbiter
    }

    pub(crate) fn downgrade(&self) -> WeakArbiterGuard {
        WeakArbiterGuard {
            arbiter: self.arbiter.clone(),
            owned: self.owned.as_ref().map(Arc::downgrade),
        }
    }
}

impl WeakArbiterGuard {
    /// Returns the guard, unless the thread has ended.
    pub(crate) fn upgrade(&self) -> Option<ArbiterGuard> {
        let owned = match &self.owned {
            Some(owned) => Some(owned.upgrade()?),
            None => None,
        };
        self.arbiter.alive().then(|| ArbiterGuard { arbiter: self.arbiter.clone(), owned })
    }
}

impl Drop for OwnedArbiter {
    fn drop(&mut self) {
        self.0.stop();
    }
}
