//! A NATS server for a test.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mp_cluster::ClusterNodeId;
use mp_cluster::directory::{Directory, Operation, OperationOutcome, Unavailable};
use mp_cluster::nats::{NatsConnection, NatsDirectory, NatsError, NatsOptions};
use mp_core::Instant;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// Time within which everything happens, also on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A server process, on a free port, with its files in a folder of its own.
pub(crate) struct NatsServer {
    process: Child,
    folder: TempDir,
    port: u16,
}

impl NatsServer {
    /// Starts a server with JetStream, and with lines of its configuration.
    pub(crate) async fn start(lines: &str) -> Self {
        Self::with_jetstream(lines).await
    }

    async fn with_jetstream(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let lines = format!("jetstream {{ store_dir: {store:?} }}\n{lines}");
        Self::start_in(folder, &lines).await
    }

    /// Starts a server without JetStream.
    pub(crate) async fn without_jetstream() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), "").await
    }

    async fn start_in(folder: TempDir, lines: &str) -> Self {
        let config = folder.path().join("nats.conf");
        fs::write(&config, format!("listen: \"127.0.0.1:-1\"\n{lines}\n")).unwrap();
        let (process, port) = launch(folder.path()).await;
        Self { process, folder, port }
    }

    /// Ends the process, and starts another one with the same files on another port.
    pub(crate) async fn restart(&mut self) {
        self.stop();
        (self.process, self.port) = launch(self.folder.path()).await;
    }

    pub(crate) fn stop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn options(&self) -> NatsOptions {
        options(&self.url())
    }

    /// Connects a node.
    pub(crate) async fn connect(&self, node: u64) -> Result<NatsConnection, NatsError> {
        NatsConnection::open(&self.options(), ClusterNodeId::new(node)).await
    }

    /// Returns the directory of a node.
    pub(crate) async fn directory(&self, node: u64) -> NatsDirectory {
        self.connect(node).await.unwrap().directory().await.unwrap()
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) fn options(url: &str) -> NatsOptions {
    NatsOptions::new([url], "test".parse().unwrap()).unwrap()
}

pub(crate) async fn apply(
    directory: &NatsDirectory,
    operation: Operation,
) -> Result<OperationOutcome, Unavailable> {
    directory.apply(Instant::ZERO, operation).await
}

/// Waits until `operation` has an outcome: a busy machine may be slower than the limit of requests.
pub(crate) async fn outcome(directory: &NatsDirectory, operation: Operation) -> OperationOutcome {
    let wait = async {
        loop {
            match apply(directory, operation.clone()).await {
                Ok(outcome) => return outcome,
                Err(Unavailable) => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    timeout(DEADLINE, wait).await.expect("an outcome")
}

/// Starts a server with the configuration in `folder`, and waits for its ports.
async fn launch(folder: &Path) -> (Child, u16) {
    let mut command = Command::new(program());
    command.arg("--config").arg(folder.join("nats.conf"));
    command.arg("--ports_file_dir").arg(folder).arg("--log").arg(folder.join("nats.log"));
    let mut process = command.stdin(Stdio::null()).spawn().unwrap();
    let ports = folder.join(format!("nats-server_{}.ports", process.id()));
    let wait = async {
        loop {
            let text = fs::read_to_string(&ports).unwrap_or_default();
            let ports: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let url = ports["nats"][0].as_str().unwrap_or_default();
            if let Some(port) = url.rsplit(':').next().and_then(|port| port.parse().ok()) {
                return port;
            }
            if let Some(status) = process.try_wait().unwrap() {
                let log = fs::read_to_string(folder.join("nats.log")).unwrap_or_default();
                panic!("nats-server ended with {status}: {log}");
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    let port = timeout(DEADLINE, wait).await.expect("nats-server listens");
    (process, port)
}

/// Returns the path of nats-server.
pub(crate) fn program() -> PathBuf {
    let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools/nats/nats-server");
    let program = env::var_os("NATS_SERVER").map_or(installed, PathBuf::from);
    assert!(
        program.is_file(),
        "no nats-server at {}: run `cargo xtask nats`, which installs it there, or set NATS_SERVER \
         to the path of version 2.11 or later",
        program.display()
    );
    program
}
