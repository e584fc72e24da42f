//! [`NatsServer`]: NATS with the user and the permissions of the page for operators.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::example::{read, write};
use crate::nats;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::workspace::root;

/// A NATS server, whose configuration and store outlive its process.
pub(super) struct NatsServer {
    program: PathBuf,
    folder: PathBuf,
    /// `None` while it is stopped.
    process: Option<Process>,
    port: u16,
}

impl NatsServer {
    /// Starts a server without stored messages. `folder` has its files.
    pub(super) fn start(folder: PathBuf) -> Result<Self, String> {
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        let config = config(&read(&root().join(PAGE))?, &folder.join("store"))?;
        write(&folder.join(CONFIG), &config)?;
        let mut server = Self { program: nats::server()?, folder, process: None, port: 0 };
        server.restart()?;
        Ok(server)
    }

    /// Returns the port of the last start.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Checks that NATS has refused no message or subscription since the last start.
    pub(super) fn check_permissions(&self) -> Result<(), String> {
        let log = self.process.as_ref().map(Process::errors).unwrap_or_default();
        match log.lines().find(|line| line.contains("Violation")) {
            Some(violation) => Err(format!("{PAGE} lacks a permission: {violation}")),
            None => Ok(()),
        }
    }

    /// Kills the process.
    pub(super) fn stop(&mut self) {
        self.process = None;
    }

    /// Starts another process with the same store, on another port.
    pub(super) fn restart(&mut self) -> Result<(), String> {
        self.stop();
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.folder.join(CONFIG));
        command.arg("--ports_file_dir").arg(&self.folder);
        let mut process = Process::start("nats", &mut command, &self.folder.join("nats.log"))?;
        let ports = self.folder.join(format!("nats-server_{}.ports", process.id()));
        let limit = now() + PROCESS_TIMEOUT;
        if !process.wait_until(limit, |_| port(&ports).is_some()) {
            return Err(format!("NATS does not listen: {}", process.errors()));
        }
        self.port = port(&ports).unwrap_or_default();
        self.process = Some(process);
        Ok(())
    }
}

/// Returns the port for clients in the file that NATS writes when it listens.
fn port(ports: &Path) -> Option<u16> {
    let ports: Value = serde_json::from_str(&fs::read_to_string(ports).ok()?).ok()?;
    ports["nats"][0].as_str()?.rsplit(':').next()?.parse().ok()
}

/// Returns the configuration of the page for operators with another store, on a free port.
fn config(page: &str, store: &Path) -> Result<String, String> {
    let block = page.split("```conf\n").nth(1).and_then(|rest| rest.split("```").next());
    let users = block.and_then(|block| block.split_once('\n')).map(|(_, users)| users);
    let users = users.ok_or_else(|| format!("{PAGE} has no configuration of NATS"))?;
    Ok(format!("listen: \"127.0.0.1:-1\"\njetstream {{ store_dir: {store:?} }}\n{users}"))
}

/// Page with the configuration.
const PAGE: &str = "docs/operating/cluster.md";
const CONFIG: &str = "nats.conf";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_is_that_of_the_page_apart_from_port_and_store() {
        let page = "a\n```conf\njetstream { store_dir: \"/var\" }\nauthorization {}\n```\nb";
        let expected =
            "listen: \"127.0.0.1:-1\"\njetstream { store_dir: \"/tmp/a\" }\nauthorization {}\n";
        assert_eq!(config(page, Path::new("/tmp/a")).as_deref(), Ok(expected));
        assert!(config("nothing", Path::new("/tmp/a")).is_err());
    }
}
