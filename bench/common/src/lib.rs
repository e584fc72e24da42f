//! Line protocol between the runner and the processes of a benchmark, on standard input and output.
//!
//! | process | receives | prints |
//! |---|---|---|
//! | server | | `ready PORT` when it listens |
//! | | `mark` | a JSON object of its counters |
//! | | end of input | nothing; it exits |
//! | load | | `ready` when all clients are connected |
//! | | `start` | nothing; traffic starts |
//! | | `mark` | a JSON object of its counters; the first starts the measured phase, the second ends it |
//! | | `stop` | after a pause for packets in flight, a JSON object of the measured phase; it exits |
//!
//! The runner reads CPU time and memory from /proc, so that a server without this protocol
//! (mp-server) is measured in the same way.

pub mod floor;

use std::io::{self, BufRead, Write};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::{Value, json};
pub use stats_alloc;

/// Reports that this server listens on `port`.
pub fn ready(port: u16) {
    print_line(&format!("ready {port}"));
}

/// Prints a line.
pub fn print_line(line: &str) {
    let mut out = io::stdout().lock();
    // Fails if the runner has exited; then the end of the input ends this process, too.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Starts a thread that answers each `mark` with `counters`, and exits the process at the end of
/// the input. For servers.
pub fn answer_marks(counters: impl Fn() -> Value + Send + 'static) {
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            match line.as_deref() {
                Ok("mark") => print_line(&counters().to_string()),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        process::exit(0);
    });
}

/// Counters of a server in memory, whose packets are counted and dropped.
#[derive(Debug, Default)]
pub struct MemoryCounters {
    updates: AtomicU64,
    bytes: AtomicU64,
    ticks: AtomicU64,
}

impl MemoryCounters {
    /// Returns counters with which each `mark` is answered from now on, and reports that the server
    /// is ready.
    pub fn start() -> Arc<Self> {
        let counters = Arc::new(Self::default());
        let shown = Arc::clone(&counters);
        answer_marks(move || {
            let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            json!({
                "operations": read(&shown.updates),
                "bytes": read(&shown.bytes),
                "ticks": read(&shown.ticks),
            })
        });
        ready(0);
        counters
    }

    /// Adds packets with the state of `updates` nodes, one for each client.
    pub fn add(&self, updates: usize, bytes: usize) {
        self.updates.fetch_add(updates as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Adds a tick.
    pub fn add_tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }
}

/// Installs an allocator that counts allocations, as `allocations()` in the crate root. For mp's
/// own servers.
#[macro_export]
macro_rules! count_allocations {
    () => {
        #[global_allocator]
        static ALLOCATOR: &$crate::stats_alloc::StatsAlloc<std::alloc::System> =
            &$crate::stats_alloc::INSTRUMENTED_SYSTEM;

        /// Returns the number of allocations and reallocations since the start.
        fn allocations() -> usize {
            let stats = ALLOCATOR.stats();
            stats.allocations + stats.reallocations
        }
    };
}
