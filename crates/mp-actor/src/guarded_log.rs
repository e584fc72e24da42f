//! Log lines that cannot end an actor.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Logs, and drops the line when the program's subscriber panics.
///
/// A subscriber panics when it cannot write, for example to a full disk. Outside the code that is
/// guarded anyway, such a panic would end the thread, and within `Drop` the process.
pub(crate) fn log_guarded(log: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(log));
}
