//! Who is owed which reliable messages, and who has heard them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mp_core::{Channel, TransferMode};

use crate::census::Census;
use crate::journal::Run;
use crate::workload::{Audience, Lane, Message};

/// A ledger that several checkers read.
pub(super) type Shared = Rc<RefCell<Ledger>>;

/// The last numbers by receiver, sender and lane.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    heard: BTreeMap<Key, u32>,
    owed: BTreeMap<Key, u32>,
}

type Key = (Run, Run, Lane);

impl Ledger {
    /// A message was accepted.
    pub(super) fn owe(&mut self, message: &Message, census: &Census) {
        let Message { from, lane, number, .. } = *message;
        if let Audience::One(receiver) = lane.to {
            self.owed.insert((receiver, from, lane), number);
            return;
        }
        let Some(sender) = census.person(from) else { return };
        for receiver in sender.knows.iter().filter_map(|&id| census.run_of(id)) {
            self.owed.insert((receiver, from, lane), number);
        }
    }

    /// A message was heard; says so when it was not its turn.
    pub(super) fn hear(&mut self, receiver: Run, message: &Message) -> Result<(), String> {
        let Message { from, lane, number, .. } = *message;
        let expected = match self.heard.insert((receiver, from, lane), number) {
            Some(last) => last + 1,
            None if matches!(lane.to, Audience::One(_)) => 1,
            // Of what is said to all, one hears what is said while one is there.
            None => number,
        };
        if number == expected {
            return Ok(());
        }
        let fault = if number < expected { "comes twice or too late" } else { "leaves a gap" };
        Err(format!("{receiver} hears {message}, which {fault}: #{expected} should have come"))
    }

    /// Nothing is heard by `receiver` any more.
    pub(super) fn forget(&mut self, receiver: Run) {
        self.heard.retain(|&(to, ..), _| to != receiver);
        self.owed.retain(|&(to, ..), _| to != receiver);
    }

    /// Receivers and senders between whom something was said.
    pub(super) fn pairs(&self) -> BTreeSet<(Run, Run)> {
        self.owed.keys().map(|&(to, from, _)| (to, from)).collect()
    }

    /// What `to` has not heard of what `from` was to tell it.
    pub(super) fn missing(&self, from: Run, to: Run) -> Option<String> {
        let of_pair = |key: &Key| (key.0, key.1) == (to, from);
        let mut lanes = self.owed.range((to, from, FIRST)..).take_while(|(key, _)| of_pair(key));
        lanes.find_map(|(key, &owed)| {
            let heard = self.heard.get(key).copied().unwrap_or(0);
            let lane = key.2;
            (heard < owed)
                .then(|| format!("{to} has heard #{heard} and not #{owed} of {from}, {lane}"))
        })
    }
}

/// The first of all lanes.
const FIRST: Lane =
    Lane { to: Audience::One(Run(0)), mode: TransferMode::Unreliable, channel: Channel(0) };
