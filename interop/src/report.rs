//! Results of a run: JSON lines on standard output, and failed checks.

use std::cell::RefCell;
use std::fmt::Debug;
use std::io::Write as _;
use std::rc::Rc;

use serde_json::{Value, json};

/// Report of a run. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report(Rc<RefCell<Vec<String>>>);

impl Report {
    /// Prints a JSON line. Ignores errors: standard output may be closed.
    pub(crate) fn say(&self, line: &Value) {
        let _ = writeln!(std::io::stdout(), "{line}");
    }

    /// Checks that `got` equals `want`.
    pub(crate) fn check<T: PartialEq + Debug>(&self, what: &str, got: T, want: T) {
        if got != want {
            self.fail(format!("{what}: got {}, expected {}", shown(&got), shown(&want)));
        }
    }

    /// Checks that `holds` is true.
    pub(crate) fn check_that(&self, what: &str, holds: bool) {
        if !holds {
            self.fail(format!("check failed: {what}"));
        }
    }

    /// Records a failed check.
    pub(crate) fn fail(&self, why: String) {
        self.say(&json!({ "event": "check_failed", "why": why }));
        self.0.borrow_mut().push(why);
    }

    /// Returns the first failed checks, or an empty string.
    pub(crate) fn summary(&self) -> String {
        const SHOWN: usize = 5;
        let failures = self.0.borrow();
        let mut summary = failures.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
        if failures.len() > SHOWN {
            summary.push_str(&format!("; and {} more", failures.len() - SHOWN));
        }
        summary
    }

    /// Returns whether a check has failed.
    pub(crate) fn has_failed(&self) -> bool {
        !self.0.borrow().is_empty()
    }
}

/// Formats a value for a message.
fn shown(value: &impl Debug) -> String {
    const CHARS_MAX: usize = 500;
    let mut text = format!("{value:?}");
    if let Some((end, _)) = text.char_indices().nth(CHARS_MAX) {
        text.truncate(end);
        text.push_str(" ...");
    }
    text
}
