//! [`Facts`]: what a branch asks its program.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Recording;
use crate::limits::FACTS_MAX;

/// Answers of the program to questions of a branch, such as the role of a player. A recording
/// contains each answer when it changes, and a replay gives the same ones.
///
/// A question is a number that the program chooses. A branch asks it with
/// [`ask`](Self::ask) instead of the program itself.
#[derive(Clone, Debug, Default)]
pub struct Facts(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    /// The branch is not recorded.
    #[default]
    Program,
    Recorded(Recording),
    Replayed(ReplayedFacts),
}

impl Facts {
    /// Returns the answers of the program, which `recording` records.
    pub fn recorded(recording: Recording) -> Self {
        Self(Source::Recorded(recording))
    }

    /// Returns the answers of a recording.
    pub(crate) fn replayed(facts: ReplayedFacts) -> Self {
        Self(Source::Replayed(facts))
    }

    /// Returns the answer to question `key`: of `program`, or in a replay the recorded one. 0 if
    /// the recording contains none.
    pub fn ask(&self, key: u64, program: impl FnOnce() -> u64) -> u64 {
        match &self.0 {
            Source::Program => program(),
            Source::Recorded(recording) => {
                let value = program();
                recording.fact(key, value);
                value
            }
            Source::Replayed(facts) => facts.get(key),
        }
    }
}

/// The answers of a recording up to the current frame. Clones are the same answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplayedFacts(Arc<Mutex<BTreeMap<u64, u64>>>);

impl ReplayedFacts {
    fn get(&self, key: u64) -> u64 {
        let facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        facts.get(&key).copied().unwrap_or_default()
    }

    /// Sets an answer. Ignores a new question beyond [`FACTS_MAX`].
    pub(crate) fn set(&self, key: u64, value: u64) {
        let mut facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if facts.len() < FACTS_MAX || facts.contains_key(&key) {
            facts.insert(key, value);
        }
    }
}
