//! What every process of a benchmark says and hears, on its standard output and input, line by line.
//!
//! | who | hears | says |
//! |---|---|---|
//! | server | | `ready PORT` when it listens |
//! | | `mark` | a JSON object of its counters |
//! | | end of input | nothing; it exits |
//! | load | | `ready` when all its clients are connected |
//! | | `start` | nothing; traffic begins |
//! | | `mark` | a JSON object of its counters; the first begins the measured phase, the second ends it |
//! | | `stop` | after a pause for what is on its way, a JSON object of the measured phase; it exits |
//!
//! CPU time and memory are not asked of anybody: the runner reads them from /proc, so that a server that knows nothing of
//! benchmarks (mp-server) is measured in the same way.

use std::io::{self, BufRead, Write};
use std::process;
use std::thread;

use serde_json::Value;
pub use stats_alloc;

/// Says that this server listens on `port`.
pub fn ready(port: u16) {
    say(&format!("ready {port}"));
}

/// Says a line.
pub fn say(line: &str) {
    let mut out = io::stdout().lock();
    // Nobody listens any more: the end of the input ends this process, too.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Answers each `mark` with what `counters` says, and exits at the end of the input. For servers; on a thread of its own,
/// which sleeps otherwise.
pub fn answer_marks(counters: impl Fn() -> Value + Send + 'static) {
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            match line.as_deref() {
                Ok("mark") => say(&counters().to_string()),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        process::exit(0);
    });
}

/// Makes a binary count its allocations, as `allocations()` of the crate root. For mp's own servers.
#[macro_export]
macro_rules! count_allocations {
    () => {
        #[global_allocator]
        static ALLOCATOR: &$crate::stats_alloc::StatsAlloc<std::alloc::System> =
            &$crate::stats_alloc::INSTRUMENTED_SYSTEM;

        /// Allocations and reallocations since the process began.
        fn allocations() -> usize {
            let stats = ALLOCATOR.stats();
            stats.allocations + stats.reallocations
        }
    };
}
