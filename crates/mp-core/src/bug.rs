//! Impossible states: [`bug!`](crate::bug!) reports them.
//!
//! Code that no input can reach calls `bug!`, then returns as if the packet or connection concerned
//! were lost, and closes that connection with
//! [`DisconnectReason::InternalError`](crate::DisconnectReason::InternalError):
//!
//! | where | what `bug!` does |
//! |---|---|
//! | debug builds, simulated worlds | panics |
//! | release builds | counts ([`count`]), logs an error the first time at each place |
//!
//! A state that a remote peer or a program can cause is not a bug of mp: its cause is rejected and
//! counted.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// The reaction of a thread to [`bug!`](crate::bug!).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnBug {
    /// Panics. The default of debug builds.
    Panic,
    /// Counts, and logs an error the first time at each place. The default of release builds.
    Count,
}

impl OnBug {
    /// The default of this build.
    pub const DEFAULT: Self = if cfg!(debug_assertions) { Self::Panic } else { Self::Count };
}

thread_local! {
    static POLICY: Cell<OnBug> = const { Cell::new(OnBug::DEFAULT) };
}

/// Bugs that were counted in this process.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Returns how many times [`bug!`](crate::bug!) has counted an impossible state in this process.
pub fn count() -> u64 {
    COUNT.load(Relaxed)
}

/// Runs `run` with `policy` on this thread: simulators panic in release builds, too, and tests of
/// the release path count.
pub fn with_policy<T>(policy: OnBug, run: impl FnOnce() -> T) -> T {
    struct Restore(OnBug);
    impl Drop for Restore {
        fn drop(&mut self) {
            POLICY.set(self.0);
        }
    }
    let _restore = Restore(POLICY.replace(policy));
    run()
}

/// Subtracts `amount` from `counter`, a sum of bytes or packets to which it was added before. If
/// the counter is less all the same, reports it as [`bug!`](crate::bug!) does, and sets it to 0.
#[inline]
#[track_caller]
pub fn subtract(counter: &mut usize, amount: usize) {
    match counter.checked_sub(amount) {
        Some(rest) => *counter = rest,
        None => underflow(counter, amount),
    }
}

#[cold]
#[track_caller]
fn underflow(counter: &mut usize, amount: usize) {
    crate::bug!("{amount} is subtracted from a counter of {counter}");
    *counter = 0;
}

/// A place in the code that no input can reach. Made by [`bug!`](crate::bug!).
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct BugSite {
    is_logged: AtomicBool,
}

impl BugSite {
    pub const fn new() -> Self {
        Self { is_logged: AtomicBool::new(false) }
    }

    /// Reports that the place was reached.
    ///
    /// # Panics
    ///
    /// With [`OnBug::Panic`].
    #[cold]
    #[track_caller]
    pub fn reached(&self, message: fmt::Arguments<'_>) {
        if POLICY.get() == OnBug::Panic {
            panic!("impossible state: {message}");
        }
        COUNT.fetch_add(1, Relaxed);
        if !self.is_logged.swap(true, Relaxed) {
            let place = Location::caller();
            tracing::error!(%place, "impossible state, a bug of mp: {message}");
        }
    }
}

/// Reports a state that cannot be: panics in debug builds and simulated worlds, counts and logs
/// once in release builds. Takes the arguments of [`format!`]. See
/// [`mp_core::bug`](mod@crate::bug).
///
/// The code behind it must leave a consistent state, and should close the connection concerned with
/// [`DisconnectReason::InternalError`](crate::DisconnectReason::InternalError).
///
/// ```should_panic
/// # mp_core::bug::with_policy(mp_core::bug::OnBug::Panic, || {
/// let queue: Vec<u8> = vec![];
/// let Some(first) = queue.first() else {
///     mp_core::bug!("{} messages, but no first one", queue.len());
///     return;
/// };
/// # let _ = first;
/// # });
/// ```
#[macro_export]
macro_rules! bug {
    ($($message:tt)+) => {{
        static SITE: $crate::bug::BugSite = $crate::bug::BugSite::new();
        SITE.reached(::std::format_args!($($message)+));
    }};
}
