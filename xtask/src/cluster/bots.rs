//! [`Bots`]: a process of `mp-server bots`, whose players call each other.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::nodes::Nodes;
use crate::bots::PING_NODE;
use crate::example::write;
use crate::process::{PROCESS_TIMEOUT, Process, now};

/// Bots that run until they are stopped.
pub(super) struct Bots {
    process: Process,
    report: PathBuf,
    count: usize,
}

/// The results of bots.
#[derive(Debug)]
pub(super) struct BotReport {
    who: String,
    value: Value,
}

impl Bots {
    /// Lets `count` bots join. They use the addresses in turn.
    pub(super) fn start(
        nodes: &Nodes,
        who: &str,
        addresses: &[String],
        count: usize,
    ) -> Result<Self, String> {
        Self::start_with(nodes, who, addresses, count, &play("1s"))
    }

    /// Lets `count` bots join rooms in which no other players are, so that each call is answered:
    /// see [`BotReport::check_undisturbed`].
    pub(super) fn start_alone(
        nodes: &Nodes,
        who: &str,
        addresses: &[String],
        count: usize,
    ) -> Result<Self, String> {
        Self::start_with(nodes, who, addresses, count, &play("8s"))
    }

    /// Lets `count` bots join over ENet. The bot with the number N, from 1 on, joins `room-N`.
    pub(super) fn start_in_rooms(
        nodes: &Nodes,
        who: &str,
        ports: &[u16],
        count: usize,
    ) -> Result<Self, String> {
        let addresses: Vec<_> = ports.iter().map(|it| format!("enet://127.0.0.1:{it}")).collect();
        let steps = format!("[[do]]\nroom = \"room-{{bot}}\"\n{}", play("1s"));
        Self::start_with(nodes, who, &addresses, count, &steps)
    }

    fn start_with(
        nodes: &Nodes,
        who: &str,
        addresses: &[String],
        count: usize,
        steps: &str,
    ) -> Result<Self, String> {
        let file = nodes.folder().join(format!("{who}.toml"));
        let phase = format!("[[phase]]\nplayers = {count}\n{PHASE}");
        write(&file, &format!("server = {addresses:?}\n{phase}{PING_NODE}{CONNECT}{steps}"))?;
        let report = file.with_extension("json");
        if report.exists() {
            fs::remove_file(&report).map_err(|error| format!("{}: {error}", report.display()))?;
        }
        let program = nodes.living().next().ok_or("no node")?.program();
        let mut command = Command::new(program);
        command.arg("bots").arg(&file).args(["--threads", "1", "--json"]).arg(&report);
        let process = Process::start(who, &mut command, &file.with_extension("log"))?;
        Ok(Self { process, report, count })
    }

    /// Waits until `count` bots are in rooms, and play.
    pub(super) fn until_players(&mut self, count: usize) -> Result<(), String> {
        let players = format!(" {count} players ");
        match self.process.wait_until(now() + PROCESS_TIMEOUT, |it| it.errors().contains(&players))
        {
            true => Ok(()),
            false => Err(format!(
                "{}: {count} players are not in rooms: {}{}",
                self.process.who,
                self.process.output(),
                self.process.errors()
            )),
        }
    }

    /// Lets the bots leave once all have joined.
    pub(super) fn join_and_leave(mut self) -> Result<(), String> {
        self.until_players(self.count)?;
        self.stop()?.check_connected()
    }

    /// Lets the bots leave, and returns their results.
    pub(super) fn stop(mut self) -> Result<BotReport, String> {
        self.process.interrupt();
        self.process.wait_until(now() + PROCESS_TIMEOUT, |_| false);
        let who = self.process.who.clone();
        if !self.process.ended().is_some_and(|status| status.success()) {
            return Err(format!("{who}: {}{}", self.process.output(), self.process.errors()));
        }
        let text = fs::read_to_string(&self.report).map_err(|error| format!("{who}: {error}"))?;
        let value = serde_json::from_str(&text).map_err(|error| format!("{who}: {error}"))?;
        Ok(BotReport { who, value })
    }
}

impl BotReport {
    /// Returns a counter.
    pub(super) fn count(&self, name: &str) -> u64 {
        self.value["counters"][name].as_u64().unwrap_or_default()
    }

    /// Returns the disconnected players by reason.
    pub(super) fn disconnects(&self) -> String {
        let mut text = format!("{} disconnected", self.count("disconnects"));
        for (reason, count) in self.value["reasons"].as_object().into_iter().flatten() {
            let _ = write!(text, ", {count} {reason}");
        }
        text
    }

    /// Checks that all bots have joined, and none was disconnected.
    pub(super) fn check_connected(&self) -> Result<(), String> {
        let [joined, started] = ["joined", "started"].map(|name| self.count(name));
        match joined == started && self.count("disconnects") == 0 {
            true => Ok(()),
            false => {
                Err(format!("{}: {joined} of {started} joined, {}", self.who, self.disconnects()))
            }
        }
    }

    /// Checks that all bots have joined, none was disconnected, and each call was answered.
    pub(super) fn check_undisturbed(&self) -> Result<(), String> {
        self.check_connected()?;
        match (self.count("replies"), self.count("lost_reliable")) {
            (1.., 0) => Ok(()),
            (replies, lost) => Err(format!("{}: {replies} replies, {lost} lost", self.who)),
        }
    }
}

/// The phase lasts until the bots are stopped.
const PHASE: &str = r#"joins_per_second = 40
for = "1h"
"#;

const CONNECT: &str = r#"
[[do]]
connect = "60s"

"#;

/// Returns the steps of bots that are in a room. They wait for replies up to a limit, also before
/// they leave.
fn play(limit: &str) -> String {
    format!("{PLAY}within = \"{limit}\"\n")
}

const PLAY: &str = r#"
[[do]]
expect = "signal"
name = "peer_connected"
within = "60s"

[[do]]
rpc = "ping"
path = "Main"
args = [{ value = "sequence" }]
to = "random_player"
per_second = 2
reply = "pong"
"#;
