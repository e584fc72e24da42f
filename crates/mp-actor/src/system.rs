//! Running a program's main future.

use std::future::Future;

use actix::System;

/// Runs `future` in a new actix system on this thread until it completes, and returns its output.
/// Branches need such a system. The attribute `#[mp::main]` calls this function.
///
/// # Panics
///
/// Panics if the thread runs in an async runtime already, or if the operating system cannot create
/// one.
pub fn block_on<F: Future>(future: F) -> F::Output {
    System::new().block_on(future)
}
