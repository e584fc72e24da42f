//! The watchdog of debug builds and tests: aborts the process, with the stacks of its threads, if a
//! turn never ends.
//!
//! A thread that is busy in one turn serves none of its branches and endpoints, and nothing else
//! reports it. Release builds have no watchdog.

use std::cell::Cell;
use std::collections::HashMap;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak, mpsc};
use std::thread;
use std::time::Duration;

/// A thread that runs turns.
#[derive(Debug)]
struct Watched {
    thread: String,
    /// Number of begins and ends of turns: odd within a turn.
    edges: AtomicU64,
}

/// A mark of a turn, which lasts until the value is dropped. Nested turns count as the outer one.
#[derive(Debug)]
pub(crate) struct Turn(());

static WATCHED: Mutex<Vec<Weak<Watched>>> = Mutex::new(Vec::new());

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static OWN: Arc<Watched> = watch_this_thread();
}

impl Turn {
    /// Begins a turn of this thread.
    pub(crate) fn begin() -> Self {
        if DEPTH.replace(DEPTH.get() + 1) == 0 {
            OWN.with(|own| own.edges.fetch_add(1, Ordering::Relaxed));
        }
        Self(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        if DEPTH.get() == 0 {
            OWN.with(|own| own.edges.fetch_add(1, Ordering::Relaxed));
        }
    }
}

fn watch_this_thread() -> Arc<Watched> {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let started = thread::Builder::new().name("watchdog".to_owned()).spawn(watch);
        drop(started.expect("cannot start the watchdog thread"));
    });
    let thread = thread::current().name().unwrap_or("unnamed").to_owned();
    let own = Arc::new(Watched { thread, edges: AtomicU64::new(0) });
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    watched.push(Arc::downgrade(&own));
    own
}

/// Counts the seconds that each thread has been in the same turn. Time in which the process was
/// stopped counts as at most one second.
fn watch() {
    let limit = limit_seconds();
    let mut seconds: HashMap<*const Watched, (u64, u64)> = HashMap::new();
    loop {
        thread::sleep(Duration::from_secs(1));
        let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|it| it.strong_count() > 0);
        let mut lasting = HashMap::new();
        for it in watched.iter().filter_map(Weak::upgrade) {
            let (key, turn) = (Arc::as_ptr(&it), it.edges.load(Ordering::Relaxed));
            if turn % 2 == 0 {
                continue;
            }
            let lasted = match seconds.get(&key) {
                Some(&(before, lasted)) if before == turn => lasted + 1,
                _ => 0,
            };
            if lasted >= limit {
                abort(&it.thread, limit);
            }
            lasting.insert(key, (turn, lasted));
        }
        seconds = lasting;
    }
}

/// Reports the turn and aborts, at the latest after [`REPORT_TIMEOUT`]: writing to standard error
/// may block, and so may a debugger.
fn abort(thread: &str, limit: u64) -> ! {
    let (reporting, reported) = mpsc::sync_channel::<()>(1);
    let thread = thread.to_owned();
    let report = move || {
        // Dropped when the report is complete, or panics.
        let _reporting = reporting;
        report(&thread, limit);
    };
    // If no thread can be started, the closure is dropped and the wait ends immediately.
    let _ = thread::Builder::new().name("watchdog report".to_owned()).spawn(report);
    let _ = reported.recv_timeout(REPORT_TIMEOUT);
    std::process::abort();
}

/// Prints the stacks of all threads with a debugger, since safe code can capture only its own.
fn report(thread: &str, limit: u64) {
    let process = std::process::id().to_string();
    eprintln!("watchdog: a turn on thread {thread:?} has lasted {limit} s; aborting the process");
    let gdb = ["-nx", "-batch", "-ex", "thread apply all backtrace", "-p", &process];
    let printed =
        [("gdb", &gdb[..]), ("eu-stack", &["-p", &process][..])].into_iter().any(|(tool, args)| {
            match Command::new(tool).args(args).output() {
                Ok(output) if !output.stdout.is_empty() => {
                    eprintln!("{}", String::from_utf8_lossy(&output.stdout));
                    true
                }
                _ => false,
            }
        });
    if !printed {
        eprintln!("watchdog: no stacks; install gdb or elfutils (eu-stack), and allow ptrace");
    }
}

/// Returns the maximum duration of a turn in seconds: 10, or the environment variable
/// `MP_TURN_LIMIT_SECONDS`, which tests set.
fn limit_seconds() -> u64 {
    let given = std::env::var("MP_TURN_LIMIT_SECONDS").ok();
    given.and_then(|given| given.parse().ok()).unwrap_or(10)
}

/// Maximum delay of the abort by the report. A debugger takes seconds for a large program.
const REPORT_TIMEOUT: Duration = Duration::from_secs(30);
