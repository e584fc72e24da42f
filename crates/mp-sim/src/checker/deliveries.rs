//! Reliable messages that were sent and received.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mp_core::{Channel, TransferMode};

use crate::journal::RunId;
use crate::programs::Programs;
use crate::workload::{Audience, ProgramMessage, Stream};

/// Shared between several checkers.
pub(super) type SharedDeliveries = Rc<RefCell<Deliveries>>;

/// Last message number by receiver, sender and stream.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    received: BTreeMap<Key, u32>,
    sent: BTreeMap<Key, u32>,
}

type Key = (RunId, RunId, Stream);

impl Deliveries {
    /// Records a message that a branch accepted.
    pub(super) fn record_sent(&mut self, message: &ProgramMessage, programs: &Programs) {
        let ProgramMessage { from, stream, number, .. } = *message;
        if let Audience::One(receiver) = stream.to {
            self.sent.insert((receiver, from, stream), number);
            return;
        }
        let Some(sender) = programs.record(from) else { return };
        for receiver in sender.known_peers.iter().filter_map(|&id| programs.run_of(id)) {
            self.sent.insert((receiver, from, stream), number);
        }
    }

    /// Records a received message. Fails if its number is not the next one.
    pub(super) fn record_received(
        &mut self,
        receiver: RunId,
        message: &ProgramMessage,
    ) -> Result<(), String> {
        let ProgramMessage { from, stream, number, .. } = *message;
        let expected = match self.received.insert((receiver, from, stream), number) {
            Some(last) => last + 1,
            None if matches!(stream.to, Audience::One(_)) => 1,
            // A broadcast stream starts with any number: a receiver misses messages from before it
            // joined.
            None => number,
        };
        if number == expected {
            return Ok(());
        }
        let fault = if number < expected {
            "is a duplicate or out of order"
        } else {
            "leaves a gap in the sequence"
        };
        Err(format!("{receiver} receives {message}, which {fault}: #{expected} was expected"))
    }

    /// Removes all entries of a receiver.
    pub(super) fn remove_receiver(&mut self, receiver: RunId) {
        self.received.retain(|&(to, ..), _| to != receiver);
        self.sent.retain(|&(to, ..), _| to != receiver);
    }

    /// Returns the pairs of receiver and sender with sent messages.
    pub(super) fn pairs(&self) -> BTreeSet<(RunId, RunId)> {
        self.sent.keys().map(|&(to, from, _)| (to, from)).collect()
    }

    /// Describes the first message from `from` that `to` has not received.
    pub(super) fn missing(&self, from: RunId, to: RunId) -> Option<String> {
        let of_pair = |key: &Key| (key.0, key.1) == (to, from);
        let mut streams = self.sent.range((to, from, FIRST)..).take_while(|(key, _)| of_pair(key));
        streams.find_map(|(key, &sent)| {
            let received = self.received.get(key).copied().unwrap_or(0);
            let stream = key.2;
            (received < sent).then(|| {
                format!("{to} has received #{received} and not #{sent} of {from}, {stream}")
            })
        })
    }
}

/// Smallest stream of the order.
const FIRST: Stream =
    Stream { to: Audience::One(RunId(0)), mode: TransferMode::Unreliable, channel: Channel(0) };
