//! Description of the measured machine and versions.

use std::env;
use std::fs;
use std::process::Command;

/// Returns date, commit and the load average of the last minute.
pub(crate) fn when() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{}, {}, load average {}",
        last_line("date", &["+%F"]),
        last_line("git", &["describe", "--always", "--dirty"]),
        load.split_whitespace().next().unwrap_or("unknown")
    )
}

/// Returns a line about the machine.
pub(crate) fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model =
        model.and_then(|line| line.split_once(": ")).map_or("unknown CPU", |(_, name)| name);
    let cpus = info.lines().filter(|line| line.starts_with("processor")).count();
    format!("{model}, {cpus} CPUs, {} {}", last_line("uname", &["-s"]), last_line("uname", &["-r"]))
}

/// Returns the versions of compilers, libraries and programs.
pub(crate) fn versions() -> Vec<String> {
    let godot = env::var("GODOT").map(|godot| last_line(&godot, &["--version"]));
    let mut versions = vec![
        last_line("rustc", &["--version"]),
        format!(
            "C ENet {} ({C_ENET_BUILD})",
            last_line("pkg-config", &["--modversion", "libenet"])
        ),
    ];
    versions.extend(godot.map(|version| format!("Godot {version}")));
    versions
}

/// Returns the number of UDP datagrams that programs of this machine have received over IPv4.
/// `None`: the system has no such counter.
pub(crate) fn datagrams_received() -> Option<f64> {
    let text = fs::read_to_string("/proc/net/snmp").ok()?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (names, values) = (lines.next()?, lines.next()?);
    let column = names.split_whitespace().position(|name| name == "InDatagrams")?;
    values.split_whitespace().nth(column)?.parse().ok()
}

/// Build of C ENet: xtask compiles the server with `-O2`, Debian the library.
const C_ENET_BUILD: &str = "-O2, Debian's library";

/// Returns the last line of a command's output.
fn last_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.lines().last().map_or_else(|| format!("({program} has no output)"), str::to_owned)
}
