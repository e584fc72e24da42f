//! The admin API of mp-server against its description: schemathesis sends valid and invalid
//! requests, and checks the responses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::workspace::{program, quiet, root, target};

/// Starts a server, and sends it the requests of each run. Their numbers are drawn from a fixed
/// seed, so that a failure can be repeated.
///
/// # Errors
///
/// Returns the failures that schemathesis reports, or an error if it cannot be installed.
pub(crate) fn check() -> Result<String, String> {
    let tool = schemathesis()?;
    let folder = target().join("openapi");
    let mut command = Command::new(program("mp-server", "MP_SERVER_BIN")?);
    // On a loopback address, a server in development needs no token.
    command.args(["--dev", "--admin", "0.0.0.0:0", "--webrtc", "off"]);
    command.args(["--enet", "127.0.0.1:0", "--ws", "127.0.0.1:0"]);
    command.env("MP_ADMIN__TOKENS", format!("xtask:read+rooms+peers+server:{TOKEN}"));
    let mut server = Process::start("server", &mut command, &folder.join("server.log"))?;
    server.wait_until(now() + PROCESS_TIMEOUT, |server| server.errors().contains("listening"));
    let port = admin_port(&server.errors())
        .ok_or_else(|| format!("the server does not listen: {}", server.errors()))?;
    let mut results = Vec::new();
    for run in RUNS {
        results.push(format!("{}: {}", run.name, run.play(&tool, port, &folder)?));
        if let Some(status) = server.ended() {
            return Err(format!("the server ended with {status}: {}", server.errors()));
        }
    }
    let log = server.errors();
    match log.lines().find(|line| line.contains("ERROR")) {
        Some(line) => Err(format!("the server logs an error: {line}")),
        None => Ok(results.join(", ")),
    }
}

/// A run of schemathesis.
struct Run {
    name: &'static str,
    args: &'static [&'static str],
}

/// A server that receives wrong tokens or codes refuses other requests as well for a time: these
/// runs are the last ones. Streams of events have no end, and a drain ends the server.
const RUNS: [Run; 3] = [
    Run {
        name: "operations",
        args: &[
            "--checks=all",
            "--exclude-checks=ignored_auth",
            "--exclude-path-regex=(/events|/drain|/setup)$",
            "--max-examples=15",
        ],
    },
    Run {
        name: "tokens",
        args: &[
            "--checks=ignored_auth",
            "--exclude-path-regex=(/events|/drain|/setup)$",
            "--phases=coverage",
            "--max-examples=1",
        ],
    },
    Run {
        name: "setup",
        args: &[
            "--checks=all",
            "--include-path=/v1/setup",
            "--phases=coverage,fuzzing",
            "--max-examples=15",
        ],
    },
];

impl Run {
    /// Returns the numbers of requests.
    fn play(&self, tool: &Path, port: u16, folder: &Path) -> Result<String, String> {
        let mut command = Command::new(tool);
        command.arg("--config-file").arg(root().join("interop/openapi/schemathesis.toml"));
        command.args(["run", &format!("http://127.0.0.1:{port}/v1/openapi.json")]);
        command.arg(format!("--header=Authorization: Bearer {TOKEN}"));
        command.args(["--seed=1", "--no-color", "--continue-on-failure", "--request-timeout=10"]);
        // Its database of examples is written to the working directory.
        command.args(self.args).current_dir(folder);
        let log = folder.join(format!("{}.log", self.name));
        let mut run = Process::start("schemathesis", &mut command, &log)?;
        run.wait_until(now() + PROCESS_TIMEOUT, |_| false);
        let output = run.output();
        if !run.ended().is_some_and(|status| status.success()) {
            return Err(format!("{}: {output}{}", self.name, run.errors()));
        }
        let count = output.lines().find(|line| line.contains(" generated, "));
        Ok(count.unwrap_or("passed").trim().to_owned())
    }
}

/// Returns the port of the admin API.
fn admin_port(log: &str) -> Option<u16> {
    let (_, address) = log.split_once("admin API address=")?;
    let address = address.split_whitespace().next()?;
    address.rsplit(':').next()?.parse().ok()
}

/// Returns the path of schemathesis under target/tools. Installs it, with the versions of
/// `interop/openapi/requirements.txt`, if it is missing or these have changed.
fn schemathesis() -> Result<PathBuf, String> {
    let folder = target().join("tools/schemathesis");
    let (tool, installed) = (folder.join("bin/schemathesis"), folder.join("requirements.txt"));
    let wanted = root().join("interop/openapi/requirements.txt");
    let read = |path: &Path| fs::read_to_string(path).ok();
    if tool.is_file() && read(&installed).is_some_and(|it| Some(it) == read(&wanted)) {
        return Ok(tool);
    }
    println!("installing schemathesis into {} (once) ...", folder.display());
    let install = || {
        quiet(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        quiet(pip.arg(&wanted))
    };
    install().map_err(|why| format!("cannot install schemathesis from PyPI: {why}"))?;
    fs::copy(&wanted, &installed)
        .map_err(|error| format!("cannot write {}: {error}", installed.display()))?;
    Ok(tool)
}

const TOKEN: &str = "xtask-0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_of_the_admin_api_is_read_from_the_log() {
        let log = "INFO mp_server::admin: admin API address=0.0.0.0:41234\nINFO listening";
        assert_eq!(admin_port(log), Some(41234));
        assert_eq!(admin_port("INFO listening"), None);
    }
}
