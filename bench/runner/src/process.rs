//! Processes of a run: servers on CPU 0, the load generator on CPU 1.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::workload::{Contender, Program};

/// Paths of the programs.
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// Returns the command of a contender, or the reason why it cannot run.
    pub(crate) fn command(&self, contender: &Contender) -> Result<Command, String> {
        let (path, mut arguments) = match contender.program {
            Program::Binary(name) => (self.folder.join(name), Vec::new()),
            Program::MpServer => (self.folder.join("mp-server"), Vec::new()),
            Program::ClusterNode => {
                nats_path()?;
                (self.folder.join(CLUSTER_NODE), Vec::new())
            }
            Program::EnetC => (self.folder.join("enet-c"), Vec::new()),
            Program::Godot(script) => {
                let godot = env::var_os("GODOT").ok_or("$GODOT is not set")?;
                let project =
                    env::var("MP_BENCH_GODOT").map_err(|_| "$MP_BENCH_GODOT is not set")?;
                let line =
                    ["--headless", "--no-header", "--path", &project, "--script", script, "--"];
                (PathBuf::from(godot), line.map(str::to_owned).to_vec())
            }
        };
        if !path.is_file() {
            return Err(format!("{} does not exist", path.display()));
        }
        arguments.extend(contender.arguments.iter().cloned());
        Ok(pinned(SERVER_CPU, &path, &arguments))
    }

    /// Returns the command of mp-server.
    pub(crate) fn mp_server(&self, arguments: &[&str]) -> Command {
        let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        pinned(SERVER_CPU, &self.folder.join("mp-server"), &arguments)
    }

    /// Returns the command of mp-server with its feature `cluster`.
    pub(crate) fn cluster_node(&self, arguments: &[&str]) -> Result<Command, String> {
        let path = self.folder.join(CLUSTER_NODE);
        if !path.is_file() {
            return Err(format!("{} does not exist", path.display()));
        }
        let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Ok(pinned(SERVER_CPU, &path, &arguments))
    }

    /// Returns the command of nats-server.
    pub(crate) fn nats(&self) -> Result<Command, String> {
        Ok(pinned(SERVER_CPU, &nats_path()?, &[]))
    }

    pub(crate) fn load(&self, arguments: &[String]) -> Command {
        pinned(LOAD_CPU, &self.folder.join("load"), arguments)
    }
}

/// Returns the path of nats-server.
fn nats_path() -> Result<PathBuf, String> {
    env::var_os("NATS_SERVER")
        .map(PathBuf::from)
        .ok_or_else(|| "$NATS_SERVER is not set".to_owned())
}

/// Returns a command that runs `program` on a CPU. taskset is replaced by the program, so that the
/// process id is the program's.
fn pinned(cpu: &str, program: &Path, arguments: &[String]) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", cpu]).arg(program).args(arguments);
    command
}

/// Stream of a process that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    /// Standard error.
    Errors,
}

/// Running process with line-based input and output. It is killed when dropped.
pub(crate) struct ChildProcess {
    who: String,
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl ChildProcess {
    pub(crate) fn start(who: &str, command: Command) -> Result<Self, String> {
        Self::start_reading(who, command, Stream::Output)
    }

    /// Starts a process of which one stream is read.
    pub(crate) fn start_reading(
        who: &str,
        mut command: Command,
        stream: Stream,
    ) -> Result<Self, String> {
        let is_shown = who == "load" || env::var_os("MP_BENCH_VERBOSE").is_some();
        let other = || if is_shown { Stdio::inherit() } else { Stdio::null() };
        command.stdin(Stdio::piped());
        match stream {
            Stream::Output => command.stdout(Stdio::piped()).stderr(other()),
            Stream::Errors => command.stdout(Stdio::null()).stderr(Stdio::piped()),
        };
        let mut child =
            command.spawn().map_err(|error| format!("{who}: cannot start {command:?}: {error}"))?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let output: Box<dyn Read + Send> = match stream {
            Stream::Output => Box::new(child.stdout.take().ok_or("no standard output")?),
            Stream::Errors => Box::new(child.stderr.take().ok_or("no standard error")?),
        };
        let (sender, lines) = sync_channel(64);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { who: who.to_owned(), child, input, lines })
    }

    pub(crate) fn send_line(&mut self, line: &str) -> Result<(), String> {
        writeln!(self.input, "{line}").map_err(|error| format!("{} has exited: {error}", self.who))
    }

    /// Reads lines until `read` returns a value.
    pub(crate) fn read_until<T>(
        &mut self,
        timeout: Duration,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, String> {
        loop {
            match self.lines.recv_timeout(timeout) {
                Ok(line) => {
                    if let Some(value) = read(&line) {
                        return Ok(value);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("{}: no output for {timeout:?}", self.who));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!("{} has exited", self.who));
                }
            }
        }
    }

    /// Sends a command, and returns the JSON line of the answer.
    pub(crate) fn request(&mut self, order: &str) -> Result<Value, String> {
        self.send_line(order)?;
        self.read_until(Duration::from_secs(15), |line| {
            serde_json::from_str(line).ok().filter(Value::is_object)
        })
    }

    /// Returns the CPU time of all its threads, user and system, in ns.
    pub(crate) fn cpu(&self) -> Result<u64, String> {
        let io = |error| format!("{}: cannot read the CPU time: {error}", self.who);
        let mut total = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id())).map_err(io)? {
            let path = task.map_err(io)?.path().join("schedstat");
            // A thread may exit between the two calls.
            let text = fs::read_to_string(path).unwrap_or_default();
            let nanos = text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
            total += nanos.unwrap_or(0);
        }
        Ok(total)
    }

    /// Returns how often its threads have started to wait, and so were woken later.
    pub(crate) fn wake_ups(&self) -> Result<f64, String> {
        let io = |error| format!("{}: cannot read its threads: {error}", self.who);
        let mut total = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id())).map_err(io)? {
            let path = task.map_err(io)?.path().join("status");
            let text = fs::read_to_string(path).unwrap_or_default();
            let mut lines = text.lines();
            let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            total += count.and_then(|count| count.trim().parse::<f64>().ok()).unwrap_or(0.0);
        }
        Ok(total)
    }

    /// Measures its share of a core during `time`.
    pub(crate) fn share(&self, time: Duration) -> Result<f64, String> {
        let (before, began) = (self.cpu()?, Instant::now());
        thread::sleep(time);
        Ok((self.cpu()? - before) as f64 / began.elapsed().as_nanos() as f64)
    }

    /// Returns the resident memory in bytes.
    pub(crate) fn resident(&self) -> Result<f64, String> {
        self.memory("VmRSS:")
    }

    /// Returns the resident memory in bytes without the pages of files, such as its program.
    pub(crate) fn anonymous(&self) -> Result<f64, String> {
        self.memory("RssAnon:")
    }

    fn memory(&self, field: &str) -> Result<f64, String> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.map(|kib| kib * 1_024.0).ok_or_else(|| format!("{path} has no {field}"))
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // Its remaining output is not needed, and it may have exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// File name of mp-server with its feature `cluster`.
const CLUSTER_NODE: &str = "mp-server-cluster";
const SERVER_CPU: &str = "0";
const LOAD_CPU: &str = "1";
