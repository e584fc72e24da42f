//! Log lines that cannot end an actor by a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `log`, and drops the line if the program's subscriber panics.
///
/// A subscriber may panic if it cannot write, for example to a full disk. Outside guarded code such
/// a panic would end the thread, and within `Drop` the process.
pub(crate) fn log_guarded(log: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(log));
}
