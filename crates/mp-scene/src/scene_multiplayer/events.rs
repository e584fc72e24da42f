//! The queue of events for the program.

use std::collections::VecDeque;

use crate::api::ApiEvent;
use crate::signal::Signal;

/// Events for the program, in order. The branch empties the queue after each input.
#[derive(Debug, Default)]
pub(super) struct Events(VecDeque<ApiEvent>);

impl Events {
    pub(super) fn emit(&mut self, signal: Signal) {
        self.push(ApiEvent::Signal(signal));
    }

    pub(super) fn push(&mut self, event: ApiEvent) {
        self.0.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<ApiEvent> {
        self.0.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Removes the signals after the first `len` events.
    pub(super) fn drop_signals_after(&mut self, len: usize) {
        let later = self.0.split_off(len).into_iter();
        self.0.extend(later.filter(|event| !matches!(event, ApiEvent::Signal(_))));
    }
}
