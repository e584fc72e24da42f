//! The limit of the memory that the process uses: `limits.max_memory`.

use std::time::Duration;

/// Compares the used memory with a limit. Below the limit by [`SLACK`] it is met again, so that
/// players are not accepted and refused by turns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryLimit {
    max: u64,
    is_exceeded: bool,
}

impl MemoryLimit {
    /// Returns a limit of `max` bytes.
    pub(crate) fn new(max: u64) -> Self {
        Self { max, is_exceeded: false }
    }

    /// Updates the state by the memory in use. Returns whether the limit is exceeded.
    pub(crate) fn update(&mut self, used: u64) -> bool {
        let max = if self.is_exceeded { self.max - self.max / SLACK } else { self.max };
        self.is_exceeded = used > max;
        self.is_exceeded
    }
}

/// Returns the resident memory of the process in bytes; `None` except on Linux.
pub(crate) fn resident_bytes() -> Option<u64> {
    #[cfg(target_os = "linux")]
    return parse_status(&std::fs::read_to_string("/proc/self/status").ok()?);
    #[cfg(not(target_os = "linux"))]
    None
}

/// Reads the resident memory in the text of `/proc/PID/status`.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has the file"))]
fn parse_status(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?;
    kibibytes.checked_mul(1_024)
}

/// Time between two checks.
pub(crate) const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The limit is met again below it by this part.
const SLACK: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_is_met_again_only_well_below_it() {
        let mut limit = MemoryLimit::new(1_600);
        let exceeded = [1_600, 1_601, 1_600, 1_501, 1_500, 1_600, 1_601].map(|it| limit.update(it));
        assert_eq!(exceeded, [false, true, true, true, false, false, true]);
    }

    #[test]
    fn resident_memory_is_read_from_the_status_of_the_process() {
        let text = "Name:\tmp-server\nVmHWM:\t  900 kB\nVmRSS:\t  812 kB\nThreads:\t1\n";
        assert_eq!(parse_status(text), Some(812 * 1_024));
        for wrong in ["", "VmRSS:\t812 MB", "VmRSS: kB", "VmRSS: 99999999999999999999 kB"] {
            assert_eq!(parse_status(wrong), None, "{wrong:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_memory() {
        let bytes = resident_bytes().unwrap();
        assert!((1 << 20..1 << 40).contains(&bytes), "{bytes}");
    }
}
