//! Replication errors, until the program is notified.

use mp_core::ErrorChain;

use super::super::events::Events;
use crate::replication::ReplicationError;
use crate::signal::Signal;

/// Errors of the local peer's own nodes, in order.
#[derive(Debug, Default)]
pub(super) struct Errors {
    queued: Vec<ReplicationError>,
    oversized_states: u64,
}

impl Errors {
    /// Reports an error of a synchronizer and sets its flag `reported`, unless that is set.
    pub(super) fn fail(&mut self, reported: &mut bool, error: ReplicationError) {
        if matches!(error, ReplicationError::TooLarge { .. }) {
            self.oversized_states += 1;
        }
        if !std::mem::replace(reported, true) {
            self.report(error);
        }
    }

    pub(super) fn report(&mut self, error: ReplicationError) {
        tracing::error!(error = %ErrorChain::new(&error), "replication failed");
        self.queued.push(error);
    }

    /// Returns the number of times that properties were not sent because of their size.
    pub(super) fn oversized_states(&self) -> u64 {
        self.oversized_states
    }

    /// Returns whether the program has been notified of all errors.
    pub(super) fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    /// Notifies the program.
    pub(super) fn emit(&mut self, events: &mut Events) {
        for error in std::mem::take(&mut self.queued) {
            events.emit(Signal::ReplicationFailed(Box::new(error)));
        }
    }
}
