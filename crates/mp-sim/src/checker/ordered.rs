//! Checks that unreliable-ordered messages never go backwards, and that unreliable messages are not
//! duplicated.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::TransferMode;

use super::Checker;
use crate::journal::{Fact, FactKind, RunId};
use crate::programs::Programs;
use crate::workload::{ProgramMessage, Stream};

/// Checker of unreliable messages.
#[derive(Debug, Default)]
pub struct OrderedChecker {
    /// Last received number by receiver, sender and unreliable-ordered stream.
    last: BTreeMap<(RunId, RunId, Stream), u32>,
    /// Received numbers by receiver, sender and unreliable stream.
    received: BTreeMap<(RunId, RunId, Stream), BTreeSet<u32>>,
}

impl Checker for OrderedChecker {
    fn name(&self) -> &'static str {
        "ordered"
    }

    fn observe(&mut self, fact: &Fact, _programs: &Programs) -> Result<(), String> {
        let receiver = fact.run;
        match &fact.kind {
            FactKind::Received { message, .. } => {
                let ProgramMessage { from, stream, number, .. } = *message;
                let key = (receiver, from, stream);
                match stream.mode {
                    TransferMode::Reliable => {}
                    TransferMode::UnreliableOrdered => {
                        let last = self.last.insert(key, number).unwrap_or(0);
                        if number <= last {
                            return Err(format!("{receiver} receives {message} after #{last}"));
                        }
                    }
                    TransferMode::Unreliable => {
                        if !self.received.entry(key).or_default().insert(number) {
                            return Err(format!("{receiver} receives {message} twice"));
                        }
                    }
                }
            }
            FactKind::Ended(_) => {
                self.last.retain(|&(to, ..), _| to != receiver);
                self.received.retain(|&(to, ..), _| to != receiver);
            }
            _ => {}
        }
        Ok(())
    }
}
