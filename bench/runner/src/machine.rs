//! What was measured on, and when.

use std::env;
use std::fs;
use std::process::Command;

/// Date and commit.
pub(crate) fn when() -> String {
    format!("{}, {}", said("date", &["+%F"]), said("git", &["describe", "--always", "--dirty"]))
}

/// One line about the machine.
pub(crate) fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model =
        model.and_then(|line| line.split_once(": ")).map_or("unknown CPU", |(_, name)| name);
    let cpus = info.lines().filter(|line| line.starts_with("processor")).count();
    format!("{model}, {cpus} CPUs, {} {}", said("uname", &["-s"]), said("uname", &["-r"]))
}

/// The compilers, libraries and programs that were measured.
pub(crate) fn versions() -> Vec<String> {
    let godot = env::var("GODOT").map(|godot| said(&godot, &["--version"]));
    let mut versions = vec![
        said("rustc", &["--version"]),
        format!("C ENet {}", said("pkg-config", &["--modversion", "libenet"])),
    ];
    versions.extend(godot.map(|version| format!("Godot {version}")));
    versions
}

/// The last line that a command says.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.lines().last().map_or_else(|| format!("({program} says nothing)"), str::to_owned)
}
