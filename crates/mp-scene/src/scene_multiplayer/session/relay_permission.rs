//! [`RelayPermission`]: which peers may send to others through the server.

use std::fmt;

use mp_core::PeerId;

/// A function of the program that returns whether a peer may send to others. Default: all may.
#[derive(Default)]
pub(super) struct RelayPermission(Option<Box<dyn Fn(PeerId) -> bool + Send>>);

impl RelayPermission {
    pub(super) fn new(may_send: impl Fn(PeerId) -> bool + Send + 'static) -> Self {
        Self(Some(Box::new(may_send)))
    }

    pub(super) fn may_send(&self, peer: PeerId) -> bool {
        self.0.as_ref().is_none_or(|may_send| may_send(peer))
    }
}

impl fmt::Debug for RelayPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayPermission")
    }
}
