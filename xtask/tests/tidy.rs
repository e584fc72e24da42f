//! Project lints that the compiler does not have.
#![allow(missing_docs, reason = "a test")]

#[path = "tidy/links.rs"]
mod links;
#[path = "tidy/messages.rs"]
mod messages;
#[path = "tidy/prose.rs"]
mod prose;
#[path = "tidy/text.rs"]
mod text;

use std::fs;
use std::path::{Path, PathBuf};

/// Identifiers that protocol code must not use, with the reason. Tests and comments are not
/// checked.
const SANS_IO: &[(&str, &str)] = &[
    ("actix", "only mp-actor and mp-server use actix"),
    ("Instant::now", "time is an argument"),
    ("SystemTime", "time is an argument"),
    ("std::thread", "the caller chooses the thread"),
    ("TcpStream", "sockets live in the transports' io modules"),
    ("RandomState", "randomness is an argument: mp_core::Rng"),
    ("thread_rng", "randomness is an argument: mp_core::Rng"),
    ("tokio", "only the transports' io modules and mp-actor use tokio"),
    ("UdpSocket", "sockets live in mp-udp and the io modules of transports"),
];

/// Folders of sans-IO code: bytes and time in, bytes and events out.
const PROTOCOL: &[&str] = &[
    "crates/mp-bots/src/client",
    "crates/mp-bots/src/player",
    "crates/mp-bots/src/scenario",
    "crates/mp-cluster/src",
    "crates/mp-core/src",
    "crates/mp-host/src",
    "crates/mp-identity/src",
    "crates/mp-record/src",
    "crates/mp-rooms/src",
    "crates/mp-scene/src",
    "crates/mp-transport-enet/src/dtls",
    "crates/mp-transport-enet/src/proto",
    "crates/mp-transport-ws/src/proto",
    "crates/mp-tunnel/src/host",
    "crates/mp-wire/src/decoder",
    "crates/mp-wire/src/proxy/forwarder",
];

/// Files and folders in these folders that are for programs and tests with real sockets.
const FOR_PROGRAMS: &[&str] =
    &["mp-cluster/src/nats", "mp-core/src/host.rs", "mp-core/src/conformance.rs"];

/// Maximum number of lines of a source file.
const LINES_MAX: usize = 700;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the workspace").to_owned()
}

/// Returns the Rust files below `folder`, without build output.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    files(folder).into_iter().filter(is_rust).collect()
}

/// Returns all files below `folder`, without build output, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

#[test]
fn protocol_code_uses_no_clock_socket_thread_or_runtime() {
    let mut complaints = Vec::new();
    for folder in PROTOCOL {
        for path in sources(&root().join(folder)) {
            let is_exempt = |exempt| path.ancestors().any(|it| it.ends_with(exempt));
            if FOR_PROGRAMS.iter().any(is_exempt) {
                continue;
            }
            let text = read(&path);
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in code.lines().enumerate() {
                let line = line.split("//").next().unwrap_or_default();
                for (banned, instead) in SANS_IO {
                    if line.contains(banned) {
                        complaints.push(format!(
                            "{}:{}: {banned}: {instead}",
                            path.display(),
                            number + 1
                        ));
                    }
                }
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn source_files_are_short() {
    let long: Vec<_> = sources(&root())
        .into_iter()
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .collect();
    assert!(long.is_empty(), "longer than {LINES_MAX} lines: {long:#?}");
}

#[test]
fn every_deviation_names_a_test_that_exists() {
    let table = read(&root().join("docs/DEVIATIONS.md"));
    let sources: String = sources(&root()).iter().map(|path| read(path)).collect();
    let mut rows = 0;
    for row in table.lines().filter(|line| line.starts_with("| ") && line.contains('`')) {
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let test = cell.trim().trim_matches('`');
        assert!(
            sources.contains(&format!("fn {test}(")),
            "no test {test:?}, named by the row {row}"
        );
        rows += 1;
    }
    assert!(rows > 0, "docs/DEVIATIONS.md has rows");
}

#[test]
fn every_file_and_test_that_contributing_names_exists() {
    let page = read(&root().join("CONTRIBUTING.md"));
    let quoted: Vec<&str> = page.split('`').skip(1).step_by(2).collect();
    let is_path = |text: &&&str| {
        ["crates/", "docs/", "examples/", "interop/", "xtask/"]
            .iter()
            .any(|it| text.starts_with(it))
            && !text.contains(['{', '*'])
    };
    let missing: Vec<_> =
        quoted.iter().filter(is_path).filter(|it| !root().join(it).exists()).collect();
    assert!(missing.is_empty(), "no such files: {missing:?}");
    let mut tests = 0;
    for command in quoted.iter().filter(|text| text.starts_with("cargo test -p mp-")) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let folder = root().join("crates").join(words[3]);
        assert!(folder.is_dir(), "{command}");
        for pair in words.windows(2).filter(|pair| pair[0] == "--test") {
            let file = folder.join("tests").join(pair[1]);
            let is_there = file.with_extension("rs").exists() || file.join("main.rs").exists();
            assert!(is_there, "{command}: no test {}", pair[1]);
            tests += 1;
        }
    }
    assert!(tests > 10, "CONTRIBUTING.md has commands");
}
