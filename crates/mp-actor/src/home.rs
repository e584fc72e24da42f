//! The thread that actors live on.

use std::sync::{Arc, Weak};

use actix::{Arbiter, ArbiterHandle, System};

use crate::error::StartError;

/// An arbiter: one that somebody else looks after, or one of the actors' own, which ends with the last of them.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    arbiter: ArbiterHandle,
    own: Option<Arc<Own>>,
}

/// A [`Home`] that does not keep the thread alive.
#[derive(Clone, Debug)]
pub(crate) struct WeakHome {
    arbiter: ArbiterHandle,
    own: Option<Weak<Own>>,
}

#[derive(Debug)]
struct Own(ArbiterHandle);

impl Home {
    pub(crate) fn shared(arbiter: ArbiterHandle) -> Self {
        Self { arbiter, own: None }
    }

    /// A thread of its own.
    pub(crate) fn new() -> Result<Self, StartError> {
        if System::try_current().is_none() {
            return Err(StartError::NoSystem);
        }
        let arbiter = Arbiter::try_new().map_err(StartError::Thread)?.handle();
        Ok(Self { own: Some(Arc::new(Own(arbiter.clone()))), arbiter })
    }

    pub(crate) fn arbiter(&self) -> &ArbiterHandle {
        &self.arbiter
    }

    pub(crate) fn downgrade(&self) -> WeakHome {
        WeakHome { arbiter: self.arbiter.clone(), own: self.own.as_ref().map(Arc::downgrade) }
    }
}

impl WeakHome {
    /// The home, unless its thread has ended.
    pub(crate) fn upgrade(&self) -> Option<Home> {
        let own = match &self.own {
            Some(own) => Some(own.upgrade()?),
            None => None,
        };
        self.arbiter.alive().then(|| Home { arbiter: self.arbiter.clone(), own })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.0.stop();
    }
}
