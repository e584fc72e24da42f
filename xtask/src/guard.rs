//! [`Guard`]: ends the processes of a command that is killed.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// A shell that kills a process group once this program has ended, in whatever way: the other end
/// of its standard input is closed then. Dropping the guard releases the group.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
}

impl Guard {
    /// Starts `command` in a process group of its own, with a guard.
    ///
    /// # Errors
    ///
    /// Returns an error if the command or the shell cannot be started.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<(Child, Self)> {
        let mut child = command.process_group(0).spawn()?;
        match Self::new(child.id()) {
            Ok(guard) => Ok((child, guard)),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }

    /// A group of its own keeps the shell alive when the terminal interrupts this program.
    fn new(group: u32) -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", WATCH, "guard", &group.to_string()]).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { shell: command.spawn()? })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(mut input) = self.shell.stdin.take() {
            drop(input.write_all(b"released\n")); // fails if the shell was killed
        }
        drop(self.shell.wait());
    }
}

/// Waits for a line, or for the end of the program that would write it.
const WATCH: &str = "read -r line || kill -s KILL -- -$1";

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn sleep() -> (Child, Guard) {
        // A child of a wrapper is in the same group.
        Guard::spawn(Command::new("sh").args(["-c", "sleep 60; exit 3"])).unwrap()
    }

    #[test]
    fn group_is_killed_when_the_program_ends_without_releasing_it() {
        let (mut child, mut guard) = sleep();
        // The system does this when the program is killed.
        drop(guard.shell.stdin.take());
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn released_group_goes_on() {
        let (mut child, guard) = sleep();
        drop(guard);
        assert_eq!(child.try_wait().unwrap(), None);
        drop(Guard::new(child.id()).unwrap().shell.stdin.take());
        child.wait().unwrap();
    }
}
