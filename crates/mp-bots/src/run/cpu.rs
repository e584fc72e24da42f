//! CPU time of threads.

use std::time::Duration;

/// Returns the CPU time that the calling thread has used; on systems without times of threads that
/// of the process, and zero on systems without either.
pub(super) fn thread_time() -> Duration {
    #[cfg(unix)]
    {
        use nix::sys::resource::{UsageWho, getrusage};
        use nix::sys::time::TimeValLike;

        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        let who = UsageWho::RUSAGE_THREAD;
        #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
        let who = UsageWho::RUSAGE_SELF;
        let Ok(usage) = getrusage(who) else { return Duration::ZERO };
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Duration::from_micros(micros.unsigned_abs())
    }
    #[cfg(not(unix))]
    Duration::ZERO
}
