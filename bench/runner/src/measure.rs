//! Measurements of a workload.

use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::process::{ChildProcess, Programs};
use crate::recordings::Recordings;
use crate::sample::{Metric, Sample, median};
use crate::tunnel::{Tunnel, port_after};
use crate::workload::{Baseline, Contender, Workload, is_own};

/// Durations, and number of rounds.
pub(crate) struct Timing {
    rounds: usize,
    warm_up: Duration,
    window: Duration,
    /// Maximum number of nodes of a host.
    nodes_max: u32,
    /// True if the results are stored.
    pub(crate) is_full: bool,
}

impl Timing {
    pub(crate) fn choose(quick: bool, smoke: bool, rounds: Option<usize>) -> Self {
        let millis = Duration::from_millis;
        let nodes_max = if smoke { 50 } else { u32::MAX };
        let (usual, warm_up, window) = match (quick, smoke) {
            (_, true) => (1, millis(100), millis(200)),
            (true, _) => (1, millis(300), millis(700)),
            _ => (3, millis(700), millis(2_000)),
        };
        let (rounds, is_full) = (rounds.unwrap_or(usual), !quick && !smoke);
        Self { rounds, warm_up, window, nodes_max, is_full }
    }
}

/// Results of a workload: for each contender one sample per round, if it succeeded.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Date, commit and load average at the start.
    pub(crate) when: String,
    pub(crate) contenders: Vec<(String, Vec<Option<Sample>>)>,
    /// Errors of failed runs, each after the name of its contender.
    pub(crate) failures: Vec<String>,
    /// Contenders that cannot run, with reasons.
    pub(crate) absent: Vec<String>,
}

impl Measured {
    pub(crate) fn samples(&self, contender: &str) -> Option<&[Option<Sample>]> {
        let (_, samples) = self.contenders.iter().find(|(name, _)| name == contender)?;
        Some(samples)
    }

    /// Returns the errors of mp's contenders. Those of other projects are only reported with the
    /// results.
    pub(crate) fn own_failures(&self) -> impl Iterator<Item = &str> {
        self.failures.iter().map(String::as_str).filter(|failure| is_own(failure))
    }

    pub(crate) fn median(&self, contender: &str, metric: Metric) -> Option<f64> {
        median(self.values(contender, metric))
    }

    pub(crate) fn values(&self, contender: &str, metric: Metric) -> Vec<f64> {
        let samples = self.samples(contender).unwrap_or_default();
        samples.iter().flatten().filter_map(|sample| sample.metric(metric)).collect()
    }
}

/// Runs all rounds of a workload, with all contenders in each round, and prints the progress.
pub(crate) fn workload(
    workload: &Workload,
    programs: &Programs,
    timing: &Timing,
    is_chosen: &dyn Fn(&str) -> bool,
) -> Measured {
    let mut measured = Measured { when: crate::machine::when(), ..Measured::default() };
    let mut present = Vec::new();
    for contender in workload.contenders.iter().filter(|contender| is_chosen(contender.name)) {
        match programs.command(contender) {
            Ok(_) => {
                present.push(contender);
                measured.contenders.push((contender.name.to_owned(), Vec::new()));
            }
            Err(why) => measured.absent.push(format!("{}: {why}", contender.name)),
        }
    }
    for round in 1..=timing.rounds {
        for (index, contender) in present.iter().enumerate() {
            eprint!("\r  round {round} of {}: {:<30}", timing.rounds, contender.name);
            let sample = run(workload, contender, programs, timing);
            if let Err(why) = &sample {
                eprintln!("\r  {why}{:30}", "");
                measured.failures.push(format!("{}, round {round}: {why}", contender.name));
            }
            measured.contenders[index].1.push(sample.ok());
        }
    }
    eprint!("\r{:60}\r", "");
    measured
}

/// Runs one contender once.
fn run(
    workload: &Workload,
    contender: &Contender,
    programs: &Programs,
    timing: &Timing,
) -> Result<Sample, String> {
    let mut command = programs.command(contender)?;
    let mut admin = if contender.has_admin { Some(free_port()?) } else { None };
    if let Some(port) = admin {
        command.env("MP_ADMIN__ADDRESS", format!("127.0.0.1:{port}"));
    }
    let cluster = match contender.rooms_on {
        Some(rooms_on) => Some(Cluster::start(programs, rooms_on, free_port()?)?),
        None => None,
    };
    if let Some(cluster) = &cluster {
        cluster.join(&mut command);
        admin = cluster.other_admin().or(admin);
    }
    let recordings = contender.is_recorded.then(Recordings::new);
    if let Some(recordings) = &recordings {
        command.env("MP_TEMPLATE__DEFAULT__RECORD", recordings.path());
    }
    let mut server = ChildProcess::start(contender.name, command)?;
    let mut port = server.read_until(Duration::from_secs(20), port)?;
    let tunnel = contender.link.map(|link| Tunnel::start(programs, link, port)).transpose()?;
    if let Some(tunnel) = &tunnel {
        port = tunnel.port();
    }
    // Excludes work at the start from the measurement.
    thread::sleep(timing.warm_up / 2);
    let (resident, anonymous) = (server.resident()?, Some(server.anonymous()?));

    let mut idle_share = 0.0;
    if workload.baseline == Baseline::NoClients && !contender.is_alone {
        idle_share = server.share(timing.window / 2)?;
    }
    let nodes = contender.nodes.map(|nodes| nodes.min(timing.nodes_max));
    let (mut load, mut joined) = (None, None);
    if !contender.is_alone {
        let mut arguments = contender.own_load.as_ref().unwrap_or(&workload.load).clone();
        arguments.extend(contender.load.iter().cloned());
        if let Some(nodes) = nodes {
            arguments.extend(["--host-nodes".to_owned(), nodes.to_string()]);
        }
        arguments.extend(["--port".to_owned(), port.to_string()]);
        if let Some(port) = admin {
            arguments.extend(["--admin".to_owned(), port.to_string()]);
        }
        let started = Instant::now();
        let mut players = ChildProcess::start("load", programs.load(&arguments))?;
        players.read_until(Duration::from_secs(90), |line| (line == "ready").then_some(()))?;
        joined = Some(started.elapsed().as_micros() as f64);
        if workload.baseline == Baseline::IdleClients {
            // Excludes work after many clients have connected.
            thread::sleep(timing.warm_up * 2);
            idle_share = server.share(timing.window / 2)?;
        }
        players.send_line("start")?;
        load = Some(players);
    }
    thread::sleep(timing.warm_up);

    let mut take = || {
        let mut reading = Reading::take(&mut server, load.as_mut(), contender)?;
        reading.cpu += tunnel.as_ref().map_or(Ok(0), Tunnel::cpu)?;
        reading.cpu += cluster.as_ref().map_or(Ok(0), Cluster::cpu)?;
        reading.nats_cpu = cluster.as_ref().map(Cluster::nats_cpu).transpose()?;
        reading.recorded = recordings.as_ref().map(Recordings::bytes).transpose()?;
        Ok::<_, String>(reading)
    };
    let first = take()?;
    thread::sleep(timing.window * contender.windows);
    let last = take()?;
    if last.wrong > 0.0 {
        return Err(format!("wrong deliveries: {}", last.wrong));
    }
    let at_end = server.resident()?;
    let memory = at_end - resident;
    let report = load.as_mut().map(|players| players.request("stop")).transpose()?;

    let nanos = (last.at - first.at).as_nanos() as f64;
    let operations = last.operations - first.operations;
    let cpu = ((last.cpu - first.cpu) as f64 - idle_share * nanos).max(0.0);
    let per_operation = |amount: f64| (operations > 0.0).then(|| amount / operations);
    let share = (last.cpu - first.cpu) as f64 / nanos;
    let clients = contender.clients.unwrap_or(workload.clients);
    let per_client = |amount: f64| (clients > 0).then(|| amount / f64::from(clients));
    let mut sample = Sample {
        cpu: per_operation(cpu),
        nats_cpu: last
            .nats_cpu
            .zip(first.nats_cpu)
            .and_then(|(last, first)| per_operation((last - first) as f64)),
        share,
        rate: operations * 1e9 / nanos,
        bytes: (last.bytes > first.bytes)
            .then(|| (last.bytes - first.bytes) / (last.received - first.received)),
        datagrams: last
            .datagrams
            .zip(first.datagrams)
            .and_then(|(last, first)| per_operation(last - first)),
        wake_ups: Some((last.wake_ups - first.wake_ups) * 1e9 / nanos),
        allocations: last
            .allocations
            .zip(first.allocations)
            .and_then(|(last, first)| per_operation(last - first)),
        memory: per_client(memory),
        resident,
        anonymous,
        at_end: Some(at_end),
        joined,
        ticks: last.ticks.zip(first.ticks).map(|(last, first)| (last - first) * 1e9 / nanos),
        client_share: per_client(share).filter(|_| workload.is_idle),
        room_memory: (workload.rooms > 0).then(|| memory / f64::from(workload.rooms)),
        node_memory: nodes.map(|nodes| memory / f64::from(nodes)),
        recorded: last
            .recorded
            .zip(first.recorded)
            .map(|(last, first)| (last - first) * 60e9 / nanos),
        rooms: last.rooms.zip(first.rooms).map(|(last, first)| (last - first) * 1e9 / nanos),
        ..Sample::default()
    };
    if let Some(report) = report {
        check(workload, operations, &report)?;
        let share = |of: f64, all: f64| (all > 0.0).then(|| of / all);
        sample.delivered = match (report["delivered"].as_f64(), report["expected"].as_f64()) {
            (Some(delivered), Some(expected)) => share(delivered, expected),
            // The server counts what it receives. Some messages are on their way at the marks.
            _ => share(operations, last.sent - first.sent).map(|share| share.min(1.0)),
        };
        sample.least = report["least"].as_f64();
        sample.p50 = report["p50_us"].as_f64();
        sample.p99 = report["p99_us"].as_f64();
        sample.p999 = report["p999_us"].as_f64();
        sample.create_p50 = report["create_p50_us"].as_f64();
        sample.create_p99 = report["create_p99_us"].as_f64();
        sample.scrape = report["scrape_us"].as_f64();
        sample.rooms = report["rooms_per_second"].as_f64().or(sample.rooms);
    }
    Ok(sample)
}

/// Counters at one time.
struct Reading {
    at: Instant,
    cpu: u64,
    /// CPU time of NATS, which is a part of `cpu`.
    nats_cpu: Option<u64>,
    operations: f64,
    /// Operations received, if the contender needs a load.
    received: f64,
    /// Messages sent, if the server counts the operations.
    sent: f64,
    /// Wrong messages that the server has received.
    wrong: f64,
    bytes: f64,
    /// Datagrams that all processes of the machine have received.
    datagrams: Option<f64>,
    wake_ups: f64,
    allocations: Option<f64>,
    ticks: Option<f64>,
    /// Rooms created.
    rooms: Option<f64>,
    /// Bytes of recordings.
    recorded: Option<f64>,
}

impl Reading {
    fn take(
        server: &mut ChildProcess,
        load: Option<&mut ChildProcess>,
        contender: &Contender,
    ) -> Result<Self, String> {
        let own = match contender.answers {
            true => server.request("mark")?,
            false => Value::Null,
        };
        let players = load.map(|load| load.request("mark")).transpose()?;
        let (at, cpu) = (Instant::now(), server.cpu()?);
        // Contenders without a load count operations themselves, and those that only receive.
        let players = players.unwrap_or_default();
        let number = |name: &str| own[name].as_f64().or_else(|| players[name].as_f64());
        let scaled = |count: f64| count * contender.operations_per_delivery;
        let operations = scaled(number("operations").unwrap_or(0.0));
        Ok(Self {
            at,
            cpu,
            nats_cpu: None,
            operations,
            received: number("received").map_or(operations, scaled),
            sent: number("sent").unwrap_or(0.0),
            wrong: own["wrong"].as_f64().unwrap_or(0.0),
            bytes: number("bytes").unwrap_or(0.0),
            datagrams: crate::machine::datagrams_received(),
            wake_ups: server.wake_ups()?,
            allocations: own["allocations"].as_f64(),
            ticks: number("ticks"),
            rooms: number("rooms"),
            recorded: None,
        })
    }
}

/// Fails a run with wrong deliveries, or without any.
fn check(workload: &Workload, operations: f64, report: &Value) -> Result<(), String> {
    for fault in ["wrong", "duplicated"] {
        if report[fault].as_u64().is_none_or(|count| count > 0) {
            return Err(format!("{fault} deliveries: {report}"));
        }
    }
    if !workload.is_idle && operations == 0.0 {
        return Err(format!("nothing was delivered: {report}"));
    }
    Ok(())
}

/// Returns a TCP port of this machine that is free now.
fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}

/// Returns the port in the line of a listening server: a benchmark server, or mp-server.
fn port(line: &str) -> Option<u16> {
    if let Some(port) = line.strip_prefix("ready ") {
        return port.trim().parse().ok();
    }
    let starts = ["listens for ENet on UDP ", "listens for WebSocket on TCP "];
    starts.iter().find_map(|start| port_after(line, start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_of_mp_fail_a_run() {
        let failures = ["Godot, round 2: wrong deliveries: 3", "mp-server, round 1: has exited"];
        let failures = failures.map(str::to_owned).to_vec();
        let measured = Measured { failures, ..Measured::default() };
        assert!(measured.own_failures().eq(["mp-server, round 1: has exited"]));
    }

    #[test]
    fn port_parses_the_lines_of_all_servers() {
        assert_eq!(port("ready 4711"), Some(4711));
        let line = "listens for ENet on UDP 127.0.0.1:50123, for up to 64 players";
        assert_eq!(port(line), Some(50_123));
        let line = "listens for WebSocket on TCP 127.0.0.1:50124, for up to 4095 players";
        assert_eq!(port(line), Some(50_124));
        assert_eq!(port("mp-server 0.1.0: a relay room for Godot 4 games"), None);
    }
}
