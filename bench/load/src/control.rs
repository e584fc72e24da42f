//! Commands of the runner on standard input.

use std::io::{self, BufRead};
use std::process;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// Command; see mp-bench-common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Start,
    Mark,
    Stop,
}

/// Queue of commands.
pub(crate) struct Commands(Receiver<Command>);

impl Commands {
    /// Starts a thread that reads commands, and exits the process at the end of the input.
    pub(crate) fn listen() -> Self {
        let (sender, orders) = sync_channel(8);
        thread::spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                let order = match line.as_str() {
                    "start" => Command::Start,
                    "mark" => Command::Mark,
                    "stop" => Command::Stop,
                    _ => continue,
                };
                if sender.send(order).is_err() {
                    return;
                }
            }
            process::exit(1);
        });
        Self(orders)
    }

    /// Waits for a command.
    pub(crate) fn wait(&self) -> Command {
        self.0.recv().expect("the process exits at the end of the input")
    }

    pub(crate) fn next(&self) -> Option<Command> {
        self.0.try_recv().ok()
    }
}
