//! The text of a recorded scenario.

use std::fmt::Write;
use std::time::Duration;

use mp_core::TransferMode;

use super::arguments::{WrittenArgument, argument, toml_text};
use super::timeline::{RecordedStep, steps};
use super::{RecordedContent, ScenarioRecorder};
use crate::scenario::Receivers;

impl ScenarioRecorder {
    /// Returns the scenario file of the recorded client, for the server at this address.
    pub fn scenario(&self, server: &str) -> String {
        let mut text = String::from(HEADER);
        let total = self.end.as_secs() + DURATION_MARGIN;
        let _ = writeln!(text, "server = {}\n", toml_text(server));
        let _ = writeln!(text, "[[phase]]\njoins_per_second = 1\nplayers = 1\nfor = \"{total}s\"");
        for (path, methods) in &self.nodes {
            let methods: Vec<String> = methods.iter().map(|name| toml_text(name)).collect();
            let _ = writeln!(
                text,
                "\n[[node]]\npath = {}\nmethods = [{}]",
                toml_text(path),
                methods.join(", ")
            );
        }
        text.push_str("\n[[do]]\nconnect = \"10s\"\n");
        for len in &self.auth {
            let _ = writeln!(
                text,
                "\n[[do]] # {len} bytes, which are not recorded: write the packet here\nauthenticate = \"MASKED\""
            );
        }
        let too_large = self.write_steps(&mut text);
        self.write_omitted(&mut text, too_large);
        text
    }

    /// Writes the steps. Returns the number of those that are too large.
    fn write_steps(&self, text: &mut String) -> usize {
        let mut now = Duration::ZERO;
        let steps = steps(&self.actions, self.end);
        let mut too_large = 0;
        for (index, step) in steps.iter().enumerate() {
            let Some(written) = self.step(step) else {
                too_large += 1;
                continue;
            };
            if text.len() + written.len() > TEXT_BYTES_MAX {
                too_large += steps.len() - index;
                break;
            }
            let start = step.first().at;
            write_wait(text, start.saturating_sub(now));
            text.push_str(&written);
            now = now.max(start);
            if let (Some(interval), false) = (step.interval(), step.is_background) {
                now = start + duration(interval, step.actions.len());
            }
        }
        write_wait(text, self.end.saturating_sub(now));
        text.push_str("\n[[do]]\nleave = \"disconnect\"\n");
        too_large
    }

    /// Returns a step; `None` if it is too large.
    fn step(&self, step: &RecordedStep<'_>) -> Option<String> {
        let first = step.first();
        let mut text = String::from("\n[[do]]\n");
        match &first.content {
            RecordedContent::Call { path, method, args } => {
                let _ = writeln!(text, "rpc = {}\npath = {}", toml_text(method), toml_text(path));
                let args = (0..args.len()).map(|index| self.argument(step, index));
                let args = args.collect::<Option<Vec<_>>>()?;
                for (index, arg) in args.iter().enumerate() {
                    if let Some(note) = &arg.note {
                        let _ = writeln!(text, "# argument {}: {note}", index + 1);
                    }
                }
                let args: Vec<String> = args.into_iter().map(|arg| arg.text).collect();
                if !args.is_empty() {
                    let _ = writeln!(text, "args = [{}]", args.join(", "));
                }
            }
            RecordedContent::Raw(bytes) => {
                let is_text =
                    |it: &str| it.len() <= RAW_TEXT_MAX && !it.chars().any(char::is_control);
                match std::str::from_utf8(bytes).ok().filter(|it| is_text(it)) {
                    Some(content) if step.actions.len() == 1 => {
                        let _ = writeln!(text, "raw = {}", toml_text(content));
                    }
                    _ => {
                        let _ = writeln!(text, "raw = {}", bytes.len().clamp(1, RAW_BYTES_MAX));
                    }
                }
            }
        }
        match first.receivers() {
            Receivers::Server => {}
            Receivers::All => text.push_str("to = \"all\"\n"),
            Receivers::RandomPlayer => text.push_str("to = \"random_player\"\n"),
        }
        let mode = match first.mode {
            TransferMode::Unreliable => "unreliable",
            TransferMode::UnreliableOrdered => "unreliable_ordered",
            TransferMode::Reliable => "reliable",
        };
        let _ = writeln!(text, "mode = \"{mode}\"");
        if first.channel.0 != 0 {
            let _ = writeln!(text, "channel = {}", first.channel);
        }
        if let Some(interval) = step.interval() {
            let _ = writeln!(text, "every = \"{}ms\"", interval.as_millis());
            if !step.is_background {
                let millis = duration(interval, step.actions.len()).as_millis();
                let _ = writeln!(text, "for = \"{millis}ms\"");
            }
        }
        Some(text)
    }

    fn argument(&self, step: &RecordedStep<'_>, index: usize) -> Option<WrittenArgument> {
        let mut values = Vec::new();
        for action in &step.actions {
            let RecordedContent::Call { args, .. } = &action.content else { return None };
            let arg = args.get(index)?;
            if arg.is_masked {
                let note = Some("not recorded, write it here".to_owned());
                return Some(WrittenArgument { text: "\"MASKED\"".to_owned(), note });
            }
            values.push(&arg.value);
        }
        argument(&values, self.id)
    }

    fn write_omitted(&self, text: &mut String, too_large: usize) {
        let omitted = &self.omitted;
        for (count, what) in [
            (
                omitted.unnamed,
                "calls whose methods have no names; pass the folder of the game with --project",
            ),
            (omitted.replication, "spawned nodes and synchronizations, which bots cannot send"),
            (omitted.malformed, "malformed packets"),
            (omitted.excess, "packets beyond the limits of a recording"),
            (too_large as u64, "steps that are too large"),
        ] {
            if count > 0 {
                let _ = writeln!(text, "\n# not recorded: {count} {what}");
            }
        }
    }
}

/// Returns the duration of a step that sends `count` times.
fn duration(interval: Duration, count: usize) -> Duration {
    interval * u32::try_from(count).unwrap_or(u32::MAX)
}

fn write_wait(text: &mut String, wait: Duration) {
    if wait >= WAIT_MIN {
        let _ = writeln!(text, "\n[[do]]\nwait = \"{}ms\"", wait.as_millis());
    }
}

const HEADER: &str = "# Recorded by `mp-server bots record`. `mp-server bots --help` describes the names.\n# Ranges contain the recorded values: widen them, and raise `players`.\n";
/// Seconds of the phase after the recorded session, for the join.
const DURATION_MARGIN: u64 = 15;
/// Shortest pause that is written.
const WAIT_MIN: Duration = Duration::from_millis(10);
/// Maximum length of a raw packet that is written as a text.
const RAW_TEXT_MAX: usize = 256;
/// Maximum length of a random raw packet in a scenario.
const RAW_BYTES_MAX: usize = 64 << 10;
/// Maximum length of the steps in bytes, below that of a scenario file.
const TEXT_BYTES_MAX: usize = 960 << 10;
