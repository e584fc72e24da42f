//! Replication errors, until the program is notified.

use mp_core::ErrorChain;

use super::super::events::Events;
use super::state::Synchronizer;
use crate::replication::ReplicationError;
use crate::signal::Signal;

/// Errors of the local peer's own nodes, in order.
#[derive(Debug, Default)]
pub(super) struct Errors(Vec<ReplicationError>);

impl Errors {
    /// Reports an error of a synchronizer, unless one was reported since it was last sent.
    pub(super) fn fail(&mut self, synchronizer: &mut Synchronizer, error: ReplicationError) {
        if !std::mem::replace(&mut synchronizer.reported, true) {
            self.report(error);
        }
    }

    pub(super) fn report(&mut self, error: ReplicationError) {
        tracing::error!(error = %ErrorChain::new(&error), "replication failed");
        self.0.push(error);
    }

    /// Notifies the program.
    pub(super) fn emit(&mut self, events: &mut Events) {
        for error in std::mem::take(&mut self.0) {
            events.emit(Signal::ReplicationFailed(Box::new(error)));
        }
    }
}
