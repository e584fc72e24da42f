//! Checks of the machine: open files, memory, limits of the control group, and the clock.

use std::process::{Command, Stdio};

use mp_core::UnixSeconds;
use mp_core::host::unix_now;

use crate::config::{Config, IdentityMethod, Transport};
use crate::{open_files, options};

use super::finding::Finding;

/// Limits of the machine and of this process, and the needs of a configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct MachineFacts {
    /// Maximum number of open files that the process may request; `None`: the system has none.
    files_max: Option<u64>,
    files_needed: u64,
    /// Memory of the machine in bytes; `None` except on Linux.
    memory: Option<u64>,
    cgroup: CgroupLimits,
    needs: MemoryNeeds,
    /// Value of `limits.max_memory` in bytes.
    max_memory: Option<u64>,
    clock: ClockFacts,
}

/// Limits of the control group of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct CgroupLimits {
    /// Bytes.
    memory: Option<u64>,
    /// Processes and threads.
    tasks: Option<u64>,
    /// Cores.
    cores: Option<f64>,
}

/// Memory that a server with all its players uses.
#[derive(Clone, Copy, Debug)]
struct MemoryNeeds {
    /// Bytes with short queues.
    usual: u64,
    /// Bytes with all queues at their limits.
    most: u64,
}

#[derive(Clone, Copy, Debug)]
struct ClockFacts {
    now: UnixSeconds,
    /// True if a service sets the clock; `None` if unknown.
    is_synchronized: Option<bool>,
    /// True if tokens or certificates expire by the clock.
    is_needed: bool,
}

impl MachineFacts {
    /// Reads the limits of the system.
    pub(super) fn gather(config: &Config) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        let has_tokens = config.identity.method == IdentityMethod::Token;
        Self {
            files_max: open_files::max(),
            files_needed: options::open_files(config),
            memory: read("/proc/meminfo").and_then(|text| kibibytes(&text, "MemTotal:")),
            cgroup: CgroupLimits::read(read),
            needs: MemoryNeeds::of(config),
            max_memory: config.limits.max_memory,
            clock: ClockFacts {
                now: unix_now(),
                is_synchronized: is_synchronized(),
                is_needed: has_tokens || config.tls.is_some() || config.acme.is_some(),
            },
        }
    }
}

/// Checks the machine.
pub(super) fn check(facts: &MachineFacts) -> Vec<Finding> {
    let files = facts.files_max.map(|most| check_files(most, facts.files_needed));
    let memory = [facts.memory, facts.cgroup.memory].into_iter().flatten().min();
    let memory = memory.map(|most| check_memory(most, facts.needs, facts.max_memory));
    let tasks = facts.cgroup.tasks.map(check_tasks);
    let cores = facts.cgroup.cores.map(check_cores);
    let clock = Some(check_clock(facts.clock));
    [files, memory, tasks, cores, clock].into_iter().flatten().collect()
}

fn check_files(most: u64, needed: u64) -> Finding {
    let text = format!("{most} open files are permitted, {needed} needed for all players");
    let fix = format!("ulimit -n {needed}; or in the systemd unit: LimitNOFILE={needed}");
    if most < open_files::OWN {
        return Finding::error(FILES, text, "the server does not start", fix);
    }
    if most < needed {
        let why = "WebSocket players are refused before limits.max_clients is reached";
        return Finding::warning(FILES, text, why, fix);
    }
    Finding::ok(FILES, text)
}

fn check_memory(memory: u64, needs: MemoryNeeds, max_memory: Option<u64>) -> Finding {
    let in_mib = |bytes: u64| bytes.div_ceil(MIB);
    let text = format!(
        "{} MiB of memory; a full server needs about {} MiB, and up to {} MiB if all queues are full",
        in_mib(memory),
        in_mib(needs.usual),
        in_mib(needs.most)
    );
    let killed = "the kernel ends the server when the memory is used up";
    // Some memory is for the kernel and other programs.
    let share = in_mib(memory) * 4 / 5 * MIB;
    let limit = format!("set limits.max_memory = {share}, so that newcomers are refused instead");
    match max_memory {
        _ if needs.usual > memory => {
            let fix = "lower limits.max_clients, or use a machine with more memory";
            Finding::error(MEMORY, text, killed, fix)
        }
        Some(most) if most > memory => {
            let text = format!("{text}; limits.max_memory is {} MiB", in_mib(most));
            Finding::warning(MEMORY, text, killed, limit)
        }
        None if needs.most > memory => Finding::warning(MEMORY, text, killed, limit),
        _ => Finding::ok(MEMORY, text),
    }
}

fn check_tasks(most: u64) -> Finding {
    let text = format!("the control group permits {most} threads");
    if most >= TASKS_NEEDED {
        return Finding::ok(CGROUP, text);
    }
    let fix = format!("in the systemd unit: TasksMax={TASKS_NEEDED}");
    Finding::error(CGROUP, text, "the server cannot start its threads", fix)
}

fn check_cores(cores: f64) -> Finding {
    let text = format!("the control group permits the CPU time of {cores} cores");
    if cores >= 1.0 {
        return Finding::ok(CGROUP, text);
    }
    Finding::warning(
        CGROUP,
        text,
        "the kernel stops the server for the rest of each period, and players see latency",
        "in the systemd unit: CPUQuota=100%, or more; in a container: --cpus 1",
    )
}

fn check_clock(ClockFacts { now, is_synchronized, is_needed }: ClockFacts) -> Finding {
    let fix = "timedatectl set-ntp true";
    if now < RELEASED {
        let text = format!("the clock is before the release of this version: {now} s since 1970");
        let why = "tokens and certificates are not valid yet by this clock";
        return match is_needed {
            true => Finding::error(CLOCK, text, why, fix),
            false => Finding::warning(CLOCK, text, "times in logs and of bans are wrong", fix),
        };
    }
    match is_synchronized {
        Some(true) => Finding::ok(CLOCK, "a time service sets the clock"),
        Some(false) if is_needed => Finding::warning(
            CLOCK,
            "no time service sets the clock",
            "tokens and certificates are refused once it differs by more than identity.leeway",
            fix,
        ),
        Some(false) => Finding::ok(CLOCK, "no time service sets the clock; nothing depends on it"),
        None => Finding::ok(CLOCK, "plausible; it is unknown whether a time service sets it"),
    }
}

impl MemoryNeeds {
    fn of(config: &Config) -> Self {
        let players = u64::from(config.limits.max_clients);
        let queues = config.listen.iter().map(|listener| match listener.transport {
            Transport::Enet => 2 * QUEUES * u64::from(config.enet.shards),
            Transport::WebRtc => 2 * QUEUES,
            Transport::WebSocket => QUEUES,
            Transport::Signaling => 0,
        });
        let has_web_rtc = config.listen.iter().any(|it| it.transport == Transport::WebRtc);
        let player = if has_web_rtc { WEBRTC_PLAYER } else { PLAYER };
        let usual = IDLE + players * player;
        Self { usual, most: usual + queues.sum::<u64>() }
    }
}

impl CgroupLimits {
    /// Reads the limits of version 2 of control groups: of the group of this process and of all
    /// groups around it, of which the lowest applies. `read` returns the content of a file.
    fn read(read: impl Fn(&str) -> Option<String>) -> Self {
        let groups = read("/proc/self/cgroup").unwrap_or_default();
        let mut limits = Self::default();
        let Some(mut group) = groups.lines().find_map(|line| line.strip_prefix("0::")) else {
            return limits;
        };
        loop {
            let folder = format!("/sys/fs/cgroup{}", group.trim_end_matches('/'));
            let value = |name: &str| read(&format!("{folder}/{name}"));
            let number = |name| value(name)?.trim().parse::<u64>().ok();
            limits.memory = least(limits.memory, number("memory.max"));
            limits.tasks = least(limits.tasks, number("pids.max"));
            limits.cores = least(limits.cores, value("cpu.max").and_then(|text| cores(&text)));
            match group.rsplit_once('/') {
                Some((around, _)) if !group.is_empty() => group = around,
                _ => return limits,
            }
        }
    }
}

/// Returns the lower one of two limits.
fn least<T: PartialOrd>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b < a { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// Returns the number of cores of a text such as `50000 100000`: microseconds of CPU time per
/// period.
fn cores(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?).filter(|it| it.is_finite())
}

/// Returns the bytes of a line such as `MemTotal:  812 kB`.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1_024)
}

/// Asks systemd whether a time service sets the clock.
fn is_synchronized() -> Option<bool> {
    let mut command = Command::new("timedatectl");
    command.args(["show", "--property=NTPSynchronized", "--value"]).stderr(Stdio::null());
    match command.output().ok()?.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

const FILES: &str = "open-files";
const MEMORY: &str = "memory";
const CGROUP: &str = "control-group";
const CLOCK: &str = "clock";
const MIB: u64 = 1 << 20;
/// Memory of an idle server in bytes; docs/BENCHMARKS.md measures 6 MiB.
const IDLE: u64 = 16 * MIB;
/// Memory of a player in bytes; docs/BENCHMARKS.md measures 31 KiB over ENet.
const PLAYER: u64 = 64 << 10;
/// Memory of a WebRTC player in bytes; docs/BENCHMARKS.md measures 60 KiB.
const WEBRTC_PLAYER: u64 = 128 << 10;
/// Limit of all send queues, or of all receive queues, of one socket in bytes.
const QUEUES: u64 = 256 * MIB;
/// Threads that a server needs on a machine with a few cores.
const TASKS_NEEDED: u64 = 64;
/// Time of the release: 2026-11-01.
const RELEASED: UnixSeconds = 1_793_491_200;

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn open_files_are_compared_with_the_players() {
        let level = |most, needed| check_files(most, needed).outcome().1;
        assert_eq!(level(1_024, 1_000), Level::Ok);
        assert_eq!(level(1_024, 5_000), Level::Warning);
        assert_eq!(level(open_files::OWN - 1, 5_000), Level::Error);
        assert!(check_files(1_024, 5_000).words().contains("LimitNOFILE=5000"));
    }

    #[test]
    fn memory_is_compared_with_players_queues_and_the_limit() {
        let needs = MemoryNeeds { usual: 100 * MIB, most: 1_000 * MIB };
        let level = |memory: u64, limit: Option<u64>| {
            check_memory(memory * MIB, needs, limit.map(|it| it * MIB)).outcome().1
        };
        assert_eq!((level(1_000, None), level(999, None)), (Level::Ok, Level::Warning));
        assert_eq!((level(999, Some(800)), level(999, Some(1_001))), (Level::Ok, Level::Warning));
        assert_eq!((level(99, None), level(99, Some(50))), (Level::Error, Level::Error));
    }

    #[test]
    fn proposed_limit_of_memory_leaves_a_fifth_and_is_valid() {
        let needs = MemoryNeeds { usual: 100 * MIB, most: 1_000 * MIB };
        let words = check_memory(500 * MIB, needs, None).words();
        let setting = words.split("set ").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
        let config = Config::parse(setting).unwrap();
        assert_eq!(config.limits.max_memory, Some(400 * MIB));
    }

    #[test]
    fn needs_grow_with_players_and_shards() {
        let needs = |text| MemoryNeeds::of(&Config::parse(text).unwrap());
        let (few, many) =
            (needs("limits.max_clients = 10\n"), needs("limits.max_clients = 4000\n"));
        assert_eq!(many.usual - few.usual, 3_990 * WEBRTC_PLAYER);
        let sharded = needs("limits.max_clients = 10\nenet.shards = 3\n");
        assert_eq!(sharded.most - few.most, 2 * 2 * QUEUES);
    }

    #[test]
    fn low_limits_of_the_control_group_are_reported() {
        assert_eq!(
            (check_tasks(64).outcome().1, check_tasks(63).outcome().1),
            (Level::Ok, Level::Error)
        );
        assert_eq!(
            (check_cores(1.0).outcome().1, check_cores(0.5).outcome().1),
            (Level::Ok, Level::Warning)
        );
    }

    #[test]
    fn lowest_limit_of_the_group_and_those_around_it_applies() {
        let read = |path: &str| {
            let text = match path {
                "/proc/self/cgroup" => "1:name=systemd:/old\n0::/system.slice/mp.service\n",
                "/sys/fs/cgroup/system.slice/mp.service/memory.max" => "2097152\n",
                "/sys/fs/cgroup/system.slice/memory.max" => "1048576\n",
                "/sys/fs/cgroup/memory.max" | "/sys/fs/cgroup/pids.max" => "max\n",
                "/sys/fs/cgroup/system.slice/mp.service/pids.max" => "33\n",
                "/sys/fs/cgroup/system.slice/mp.service/cpu.max" => "50000 100000\n",
                "/sys/fs/cgroup/system.slice/cpu.max" => "max 100000\n",
                _ => return None,
            };
            Some(text.to_owned())
        };
        let expected = CgroupLimits { memory: Some(1 << 20), tasks: Some(33), cores: Some(0.5) };
        assert_eq!(CgroupLimits::read(read), expected);
        assert_eq!(CgroupLimits::read(|_| None), CgroupLimits::default());
    }

    #[test]
    fn clock_matters_where_something_expires() {
        let level = |now, is_synchronized, is_needed| {
            check_clock(ClockFacts { now, is_synchronized, is_needed }).outcome().1
        };
        assert_eq!(level(RELEASED - 1, Some(true), true), Level::Error);
        assert_eq!(level(RELEASED - 1, Some(true), false), Level::Warning);
        assert_eq!(level(RELEASED, Some(false), true), Level::Warning);
        for (is_synchronized, is_needed) in [(Some(true), true), (Some(false), false), (None, true)]
        {
            assert_eq!(level(RELEASED, is_synchronized, is_needed), Level::Ok);
        }
    }

    #[test]
    fn memory_of_the_machine_is_read() {
        assert_eq!(kibibytes("MemTotal:     2 kB\nMemFree: 1 kB\n", "MemTotal:"), Some(2_048));
        for wrong in ["", "MemTotal: 2 MB\n", "MemTotal: kB\n"] {
            assert_eq!(kibibytes(wrong, "MemTotal:"), None, "{wrong:?}");
        }
    }
}
