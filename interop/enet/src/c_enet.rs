//! The C program, which receives commands on its standard input.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use mp_core::Instant;

use crate::deliveries::ReceivedPacket;

/// The running C program.
#[derive(Debug)]
pub(crate) struct CEnet {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

/// Event reported by the C program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CEnetEvent {
    Listening,
    Connected(u32),
    Disconnected(u32),
    Packet(ReceivedPacket),
    CEnetStats(CEnetStats),
    Stepped,
}

/// Statistics of C's connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CEnetStats {
    /// Commands that were retransmitted.
    pub(crate) lost: u64,
    /// Packet throttle: share of unreliable packets that are sent, in 1/32.
    pub(crate) throttle: u32,
}

impl CEnet {
    /// Starts `program`.
    pub(crate) fn start(program: &Path) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            return Err("the C program has no standard input or output".to_owned());
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

    /// Sends command lines.
    pub(crate) fn command(&mut self, lines: &str) -> Result<(), String> {
        let written = writeln!(self.input, "{lines}").and_then(|()| self.input.flush());
        written.map_err(|error| format!("cannot send a command to C ENet: {error}"))
    }

    /// Lets C receive and send at `now`. Returns the reported events.
    pub(crate) fn step(&mut self, now: Instant) -> Result<Vec<CEnetEvent>, String> {
        self.command(&format!("step {}", now.as_millis()))?;
        let mut reports = Vec::new();
        loop {
            match self.next_event()? {
                CEnetEvent::Stepped => return Ok(reports),
                next_event => reports.push(next_event),
            }
        }
    }

    /// Waits for the next event.
    fn next_event(&mut self) -> Result<CEnetEvent, String> {
        match self.lines.recv_timeout(HANG_LIMIT) {
            Ok(line) => {
                parse(&line).ok_or_else(|| format!("unexpected line from C ENet: {line:?}"))
            }
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("C ENet hangs: no output for {} s", HANG_LIMIT.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => Err("C ENet has exited".to_owned()),
        }
    }
}

impl Drop for CEnet {
    fn drop(&mut self) {
        // Fails if it has already exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(line: &str) -> Option<CEnetEvent> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let numbers: Option<Vec<u32>> = rest.split_whitespace().map(|word| word.parse().ok()).collect();
    Some(match (word, &numbers?[..]) {
        ("listening", []) => CEnetEvent::Listening,
        ("stepped", []) => CEnetEvent::Stepped,
        ("connected", &[data]) => CEnetEvent::Connected(data),
        ("disconnected", &[data]) => CEnetEvent::Disconnected(data),
        ("packet", &[channel, flags, number, size, is_intact]) => {
            CEnetEvent::Packet(ReceivedPacket {
                channel: channel as u8,
                flags: flags as u8,
                number,
                size: size as usize,
                is_intact: is_intact == 1,
            })
        }
        ("stats", &[_sent, lost, _round_trip, throttle]) => {
            CEnetEvent::CEnetStats(CEnetStats { lost: lost.into(), throttle })
        }
        _ => return None,
    })
}

/// Maximum number of unread lines; then the program blocks.
const LINES_MAX: usize = 4_096;

/// Real time after which the program counts as hung. A step takes microseconds.
const HANG_LIMIT: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_lines_are_rejected() {
        assert!(matches!(parse("listening"), Some(CEnetEvent::Listening)));
        assert!(matches!(parse("stepped"), Some(CEnetEvent::Stepped)));
        assert!(matches!(parse("connected 7"), Some(CEnetEvent::Connected(7))));
        let Some(CEnetEvent::Packet(packet)) = parse("packet 3 8 70000 3000 1") else { panic!() };
        assert_eq!((packet.channel, packet.flags, packet.number), (3, 8, 70_000));
        assert!(packet.is_intact);
        for line in ["", "packet 1 2", "connected x", "error no host", "stats 1 2 3"] {
            assert!(parse(line).is_none(), "{line}");
        }
    }
}
