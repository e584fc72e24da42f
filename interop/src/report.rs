//! What a run says: JSON lines on standard output, and its failed checks.

use std::cell::RefCell;
use std::fmt::Debug;
use std::io::Write as _;
use std::rc::Rc;

use serde_json::{Value, json};

/// Where everything of a run reports to. Clones are the same report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report(Rc<RefCell<Vec<String>>>);

impl Report {
    /// Prints one line. Nobody may be reading any more, which is not this run's fault.
    pub(crate) fn say(&self, line: &Value) {
        let _ = writeln!(std::io::stdout(), "{line}");
    }

    /// `got` must equal `want`, or the run has failed.
    pub(crate) fn check<T: PartialEq + Debug>(&self, what: &str, got: T, want: T) {
        if got != want {
            self.fail(format!("{what}: got {}, expected {}", shown(&got), shown(&want)));
        }
    }

    /// `holds` must be true, or the run has failed.
    pub(crate) fn check_that(&self, what: &str, holds: bool) {
        if !holds {
            self.fail(format!("this does not hold: {what}"));
        }
    }

    /// A check has failed.
    pub(crate) fn fail(&self, why: String) {
        self.say(&json!({ "event": "check_failed", "why": why }));
        self.0.borrow_mut().push(why);
    }

    /// The first of the checks that have failed so far; empty when none has.
    pub(crate) fn summary(&self) -> String {
        const SHOWN: usize = 5;
        let failures = self.0.borrow();
        let mut summary = failures.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
        if failures.len() > SHOWN {
            summary.push_str(&format!("; and {} more", failures.len() - SHOWN));
        }
        summary
    }

    /// Whether any check has failed.
    pub(crate) fn has_failed(&self) -> bool {
        !self.0.borrow().is_empty()
    }
}

/// A value as a line may hold it.
fn shown(value: &impl Debug) -> String {
    const CHARS_MAX: usize = 500;
    let mut text = format!("{value:?}");
    if let Some((end, _)) = text.char_indices().nth(CHARS_MAX) {
        text.truncate(end);
        text.push_str(" ...");
    }
    text
}
