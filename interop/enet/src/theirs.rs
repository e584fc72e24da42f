//! The C program, led over its standard input.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use mp_core::Instant;

use crate::ledger::Arrival;

/// The C program.
#[derive(Debug)]
pub(crate) struct Theirs {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

/// What the C program says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Said {
    Listening,
    Connected(u32),
    Disconnected(u32),
    Packet(Arrival),
    Figures(Figures),
    Stepped,
}

/// Figures of its connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Commands that were lost, and sent again.
    pub(crate) lost: u64,
    /// How many 32nds of unreliable packets it sends.
    pub(crate) throttle: u32,
}

impl Theirs {
    /// Starts `program`.
    pub(crate) fn start(program: &Path) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            return Err("the program has no standard input and output".to_owned());
        };
        let (sender, lines) = sync_channel(LINES_MAX);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, input, lines })
    }

    /// Tells it lines.
    pub(crate) fn tell(&mut self, lines: &str) -> Result<(), String> {
        let written = writeln!(self.input, "{lines}").and_then(|()| self.input.flush());
        written.map_err(|error| format!("C ENet does not listen any more: {error}"))
    }

    /// Lets it receive and send at `now`; returns what it reports.
    pub(crate) fn step(&mut self, now: Instant) -> Result<Vec<Said>, String> {
        self.tell(&format!("step {}", now.as_millis()))?;
        let mut reports = Vec::new();
        loop {
            match self.said()? {
                Said::Stepped => return Ok(reports),
                said => reports.push(said),
            }
        }
    }

    /// Waits for its next line.
    fn said(&mut self) -> Result<Said, String> {
        match self.lines.recv_timeout(HANG_LIMIT) {
            Ok(line) => parse(&line).ok_or_else(|| format!("C ENet says {line:?}")),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("C ENet hangs: no line for {} s", HANG_LIMIT.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => Err("C ENet has ended".to_owned()),
        }
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(line: &str) -> Option<Said> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let numbers: Option<Vec<u32>> = rest.split_whitespace().map(|word| word.parse().ok()).collect();
    Some(match (word, &numbers?[..]) {
        ("listening", []) => Said::Listening,
        ("stepped", []) => Said::Stepped,
        ("connected", &[data]) => Said::Connected(data),
        ("disconnected", &[data]) => Said::Disconnected(data),
        ("packet", &[channel, flags, number, size, is_intact]) => Said::Packet(Arrival {
            channel: channel as u8,
            flags: flags as u8,
            number,
            size: size as usize,
            is_intact: is_intact == 1,
        }),
        ("figures", &[_sent, lost, _round_trip, throttle]) => {
            Said::Figures(Figures { lost: lost.into(), throttle })
        }
        _ => return None,
    })
}

/// Lines that wait to be read; then the program waits.
const LINES_MAX: usize = 4_096;

/// Real time after which a program that does not answer counts as hung. A step takes microseconds.
const HANG_LIMIT: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood_or_refused() {
        assert!(matches!(parse("listening"), Some(Said::Listening)));
        assert!(matches!(parse("stepped"), Some(Said::Stepped)));
        assert!(matches!(parse("connected 7"), Some(Said::Connected(7))));
        let Some(Said::Packet(packet)) = parse("packet 3 8 70000 3000 1") else { panic!() };
        assert_eq!((packet.channel, packet.flags, packet.number), (3, 8, 70_000));
        assert!(packet.is_intact);
        for line in ["", "packet 1 2", "connected x", "error no host", "figures 1 2 3"] {
            assert!(parse(line).is_none(), "{line}");
        }
    }
}
