//! A process of a scenario: its output goes to files, and it never outlives its `Process`.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::workspace::shown;

/// A running or finished process.
pub(crate) struct Process {
    /// `server`, `client0`, ...
    pub(crate) who: String,
    /// Its standard output; standard error is beside it, in a file ending in `.err`.
    pub(crate) log: PathBuf,
    child: Child,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` in a process group of its own, so that a wrapper's children can be ended with it.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub(crate) fn start(who: &str, command: &mut Command, log: &Path) -> Result<Self, String> {
        let start = || -> io::Result<Child> {
            fs::create_dir_all(log.parent().unwrap_or(log))?;
            command.stdin(Stdio::null()).process_group(0);
            command.stdout(File::create(log)?).stderr(File::create(log.with_extension("err"))?);
            command.spawn()
        };
        let mut start = start;
        let child = start().map_err(|e| format!("cannot start {}: {e}", shown(command)))?;
        Ok(Self { who: who.to_owned(), log: log.to_path_buf(), child, status: None })
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().unwrap_or(None);
        }
        self.status
    }

    /// Its standard output so far.
    pub(crate) fn output(&self) -> String {
        read(&self.log)
    }

    /// Its standard error so far.
    pub(crate) fn errors(&self) -> String {
        read(&self.log.with_extension("err"))
    }

    /// Waits until `condition` holds for it; false when it ends, or `limit` passes, before.
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

    /// Asks it to end (SIGTERM).
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Presses Ctrl-C (SIGINT).
    pub(crate) fn interrupt(&self) {
        self.signal("INT");
    }

    /// Why it has not passed: it must have exited with 0 after printing a result line that says "pass".
    pub(crate) fn verdict(&mut self) -> Result<(), String> {
        let Some(status) = self.ended() else {
            return Err("still running at the time limit".to_owned());
        };
        match result_line(&self.output()) {
            Some((true, _)) if status.success() => Ok(()),
            Some((true, _)) => Err(format!("says pass, but {status}")),
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

    /// Through the shell, as sending a signal from Rust would need `unsafe` or another dependency.
    fn signal(&self, name: &str) {
        let group = self.child.id();
        let script = format!("kill -s {name} -- -{group}");
        let sent = Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).status();
        drop(sent); // it may have ended in this moment
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

/// Waits until all have ended or `limit` passes. When one has failed, the others get `GRACE` to say what they saw.
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
            limit = limit.min(now() + GRACE);
        }
        thread::sleep(POLL);
    }
}

/// Time after which a wait for a process fails: longer than anything takes, however slow or busy
/// the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// The clock.
#[expect(clippy::disallowed_methods, reason = "the commands measure and limit real processes")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Whether `output` has a JSON line with this `event`.
pub(crate) fn has_event(output: &str, event: &str) -> bool {
    json_lines(output).any(|line| line["event"] == event)
}

/// The last result line of `output`: whether it says pass, and why not.
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

/// Longer than a side of a scenario waits for one expectation (60 s), so that each side reports
/// what it was waiting for.
const GRACE: Duration = Duration::from_secs(75);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_result_line_counts() {
        let output = "Godot says hello\n{\"event\":\"listening\"}\n{\"result\":\"pass\",\"why\":\"\"}\n{\"result\":\"fail\",\"why\":\"late\"}\n";
        assert_eq!(result_line(output), Some((false, "late".to_owned())));
        assert!(has_event(output, "listening"));
        assert!(!has_event(output, "check_failed"));
    }

    #[test]
    fn half_a_line_and_other_text_are_no_result() {
        assert_eq!(result_line("{\"result\":\"pa"), None);
        assert_eq!(result_line("\"result\":\"pass\"\n{\"event\":\"result\"}"), None);
    }
}
