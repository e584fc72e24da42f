//! Statistics of the process, from `/proc`.

use std::time::Duration;

/// Statistics of this process. Each is `None` except on Linux, and its family is then not exported.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ProcessStats {
    /// CPU time of all threads.
    pub(super) cpu: Option<Duration>,
    /// Resident memory in bytes.
    pub(super) resident_bytes: Option<u64>,
    /// Open file descriptors, sockets included.
    pub(super) open_files: Option<u64>,
    /// Start of the process in seconds of Unix time.
    pub(super) start: Option<f64>,
}

impl ProcessStats {
    /// Reads the statistics. The files are in memory.
    #[cfg(target_os = "linux")]
    pub(super) fn read() -> Self {
        let times = std::fs::read_to_string("/proc/self/stat").ok();
        let times = times.as_deref().and_then(Times::parse);
        let system = std::fs::read_to_string("/proc/stat").ok();
        let boot = system.as_deref().and_then(parse_boot_time);
        let files = std::fs::read_dir("/proc/self/fd").ok();
        Self {
            cpu: times.map(|times| times.cpu),
            resident_bytes: crate::memory::resident_bytes(),
            // Without the one that reads the folder.
            open_files: files.map(|files| files.count().saturating_sub(1) as u64),
            start: times.zip(boot).map(|(times, boot)| boot as f64 + times.start.as_secs_f64()),
        }
    }

    /// Returns nothing: this system has no `/proc`.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn read() -> Self {
        Self::default()
    }
}

/// Times in `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has the file"))]
struct Times {
    cpu: Duration,
    /// Start of the process after the boot of the system.
    start: Duration,
}

#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has the file"))]
impl Times {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, which may contain both and spaces.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<_> = fields.split(' ').collect();
        let ticks = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let (user, system, start) = (ticks(14)?, ticks(15)?, ticks(22)?);
        let duration = |ticks: u64| Duration::from_millis(ticks.saturating_mul(TICK_MILLIS));
        Some(Self { cpu: duration(user.saturating_add(system)), start: duration(start) })
    }
}

/// Returns the boot time in seconds of Unix time, in the text of `/proc/stat`.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has the file"))]
fn parse_boot_time(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// Unit of the times: `USER_HZ` is 100 on all architectures of Linux that Rust supports.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has the file"))]
const TICK_MILLIS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_the_text_of_linux() {
        let text = "7 (mp ) server) S 1 7 7 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 9 0 12345 99 88";
        let expected = Times { cpu: Duration::from_secs(3), start: Duration::from_millis(123_450) };
        assert_eq!(Times::parse(text), Some(expected));
        assert_eq!(parse_boot_time("cpu 1 2\nbtime 1700000000\nctxt 3\n"), Some(1_700_000_000));
        for wrong in ["", "7 (x) S", "7 (x) S 1 7 7 0 -1 4194560 900 0 0 0 a 50 0 0 20 0 9 0 1"] {
            assert_eq!(Times::parse(wrong), None, "{wrong:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_all_statistics() {
        let stats = ProcessStats::read();
        assert!(stats.cpu.is_some() && stats.resident_bytes.is_some_and(|bytes| bytes > 1 << 20));
        // Standard input, output and error.
        assert!(stats.open_files.is_some_and(|files| files >= 3), "{stats:?}");
        // After 2020, and not in the future.
        let now = mp_core::host::unix_now() as f64;
        assert!(stats.start.is_some_and(|at| at > 1_577_836_800.0 && at <= now + 1.0));
    }
}
