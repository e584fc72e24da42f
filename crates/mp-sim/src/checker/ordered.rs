//! Unreliable-ordered messages never go backwards, and no unreliable message comes twice.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::TransferMode;

use super::Checker;
use crate::census::Census;
use crate::journal::{Fact, Run, What};
use crate::workload::{Lane, Message};

/// See [the module](self).
#[derive(Debug, Default)]
pub struct Ordered {
    /// The last number of an ordered lane that each receiver has heard of each sender.
    last: BTreeMap<(Run, Run, Lane), u32>,
    /// The numbers of unordered lanes.
    heard: BTreeMap<(Run, Run, Lane), BTreeSet<u32>>,
}

impl Checker for Ordered {
    fn name(&self) -> &'static str {
        "ordered"
    }

    fn observe(&mut self, fact: &Fact, _census: &Census) -> Result<(), String> {
        let receiver = fact.run;
        match &fact.what {
            What::Hears { message, .. } => {
                let Message { from, lane, number, .. } = *message;
                let key = (receiver, from, lane);
                match lane.mode {
                    TransferMode::Reliable => {}
                    TransferMode::UnreliableOrdered => {
                        let last = self.last.insert(key, number).unwrap_or(0);
                        if number <= last {
                            return Err(format!("{receiver} hears {message} after #{last}"));
                        }
                    }
                    TransferMode::Unreliable => {
                        if !self.heard.entry(key).or_default().insert(number) {
                            return Err(format!("{receiver} hears {message} twice"));
                        }
                    }
                }
            }
            What::Ended(_) => {
                self.last.retain(|&(to, ..), _| to != receiver);
                self.heard.retain(|&(to, ..), _| to != receiver);
            }
            _ => {}
        }
        Ok(())
    }
}
