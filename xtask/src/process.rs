//! Process of a scenario. Its output goes to files, and it is killed when its `Process` is dropped,
//! or this program ends.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::guard::Guard;
use crate::workspace::shown;

/// Running or finished process.
pub(crate) struct Process {
    /// Name in messages: `server`, `client0`, ...
    pub(crate) who: String,
    /// Path of its standard output. Standard error goes to the `.err` file beside it.
    pub(crate) log: PathBuf,
    child: Child,
    /// `None` once the process has ended.
    guard: Option<Guard>,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` in its own process group, so that children of a wrapper are ended, too.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be started.
    pub(crate) fn start(who: &str, command: &mut Command, log: &Path) -> Result<Self, String> {
        let mut start = || -> io::Result<(Child, Guard)> {
            fs::create_dir_all(log.parent().unwrap_or(log))?;
            command.stdin(Stdio::null()).stdout(File::create(log)?);
            Guard::spawn(command.stderr(File::create(log.with_extension("err"))?))
        };
        let (child, guard) =
            start().map_err(|e| format!("cannot start {}: {e}", shown(command)))?;
        let (who, log, guard) = (who.to_owned(), log.to_path_buf(), Some(guard));
        Ok(Self { who, log, child, guard, status: None })
    }

    /// Returns the exit status, or `None` while it runs.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().unwrap_or(None);
            // Another group may have the id from now on.
            self.guard.take_if(|_| self.status.is_some());
        }
        self.status
    }

    /// Returns its standard output so far.
    pub(crate) fn output(&self) -> String {
        read(&self.log)
    }

    /// Returns its standard error so far.
    pub(crate) fn errors(&self) -> String {
        read(&self.log.with_extension("err"))
    }

    /// Waits until `condition` holds. Returns false if the process ends or `limit` passes before.
    pub(crate) fn wait_until(&mut self, limit: Instant, condition: impl Fn(&Self) -> bool) -> bool {
        loop {
            let ended = self.ended().is_some();
            if condition(self) {
                return true;
            }
            if ended || now() > limit {
                return false;
            }
            thread::sleep(POLL);
        }
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Returns the id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.signal("INT");
    }

    /// Checks that the process has printed a result line with "pass" and has exited with 0.
    pub(crate) fn check_result(&mut self) -> Result<(), String> {
        let Some(status) = self.ended() else {
            return Err("still running at the time limit".to_owned());
        };
        match result_line(&self.output()) {
            Some((true, _)) if status.success() => Ok(()),
            Some((true, _)) => Err(format!("reported pass, but exited with {status}")),
            Some((false, why)) => Err(why),
            None => {
                let errors = self.errors();
                let last = errors
                    .lines()
                    .rev()
                    .find(|line| !line.trim().is_empty())
                    .unwrap_or("no output");
                Err(format!("ended without a result line, {status}: {last}"))
            }
        }
    }

    /// Uses the shell: sending a signal from Rust needs `unsafe` or another dependency.
    fn signal(&self, name: &str) {
        let group = self.child.id();
        let script = format!("kill -s {name} -- -{group}");
        let sent = Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).status();
        drop(sent); // fails if the process has just ended
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.signal("KILL");
            drop(self.child.wait());
        }
    }
}

/// Waits until all processes have ended, or `limit` passes. After a failure, the others get
/// `REPORT_TIME` to report.
pub(crate) fn wait_for_all(processes: &mut [Process], limit: Instant) {
    let mut limit = limit;
    let mut failed = false;
    loop {
        let ended: Vec<_> = processes.iter_mut().map(Process::ended).collect();
        if ended.iter().all(Option::is_some) || now() > limit {
            return;
        }
        if !failed && ended.iter().flatten().any(|status| !status.success()) {
            failed = true;
            limit = limit.min(now() + REPORT_TIME);
        }
        thread::sleep(POLL);
    }
}

/// Time limit of waiting for a process; longer than any wait takes on a slow or busy machine.
pub(crate) const PROCESS_TIMEOUT: Duration = Duration::from_secs(180);

/// Returns the current time.
#[expect(clippy::disallowed_methods, reason = "the commands measure and limit real processes")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Returns whether `output` has a JSON line with this `event`.
pub(crate) fn has_event(output: &str, event: &str) -> bool {
    json_lines(output).any(|line| line["event"] == event)
}

/// Returns whether the last result line of `output` is a pass, and its reason. `None` without a
/// result line.
pub(crate) fn result_line(output: &str) -> Option<(bool, String)> {
    let line = json_lines(output).filter(|line| line["result"].is_string()).last()?;
    Some((line["result"] == "pass", line["why"].as_str().unwrap_or_default().to_owned()))
}

fn json_lines(output: &str) -> impl Iterator<Item = Value> {
    output
        .lines()
        .filter(|line| line.starts_with('{'))
        .filter_map(|line| serde_json::from_str(line).ok())
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

const POLL: Duration = Duration::from_millis(20);

/// Longer than a side waits for one expectation (60 s), so that each side reports what it has
/// waited for.
const REPORT_TIME: Duration = Duration::from_secs(75);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_line_returns_the_last_one() {
        let output = "Godot says hello\n{\"event\":\"listening\"}\n{\"result\":\"pass\",\"why\":\"\"}\n{\"result\":\"fail\",\"why\":\"late\"}\n";
        assert_eq!(result_line(output), Some((false, "late".to_owned())));
        assert!(has_event(output, "listening"));
        assert!(!has_event(output, "check_failed"));
    }

    #[test]
    fn truncated_lines_and_other_text_are_not_results() {
        assert_eq!(result_line("{\"result\":\"pa"), None);
        assert_eq!(result_line("\"result\":\"pass\"\n{\"event\":\"result\"}"), None);
    }
}
