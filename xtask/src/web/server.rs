//! The HTTP server between the players of scenarios and the page in the browser.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// Serves files and runs to the page, and receives the output of runs. Ends with the process.
pub(crate) struct RunServer {
    address: SocketAddr,
}

/// State that all connections share.
struct Shared {
    folders: Vec<PathBuf>,
    state: Mutex<State>,
    has_work: Condvar,
}

#[derive(Default)]
struct State {
    /// Runs that the page has to start, or to end.
    work: VecDeque<Value>,
    /// Receivers of the output of each run.
    outputs: HashMap<u64, SyncSender<String>>,
    runs: u64,
}

/// Target and body of a request.
struct Request {
    target: String,
    body: String,
}

impl RunServer {
    /// Starts a server for the files of `folders`; earlier folders take precedence.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no port.
    pub(crate) fn start(folders: Vec<PathBuf>) -> Result<Self, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(|e| format!("no free TCP port: {e}"))?;
        let address = listener.local_addr().map_err(|e| format!("no address: {e}"))?;
        let shared = Shared { folders, state: Mutex::default(), has_work: Condvar::new() };
        let shared = Arc::new(shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        Ok(Self { address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let Request { target, body } = read_request(&stream)?;
        match target.split_once('?').unwrap_or((&target, "")) {
            ("/next", _) => match self.next() {
                Some(work) => answer(&mut stream, "200 OK", work.to_string().as_bytes()),
                None => answer(&mut stream, "204 No Content", b""),
            },
            ("/output", id) => {
                self.give_output(id.parse().unwrap_or_default(), &body);
                answer(&mut stream, "204 No Content", b"")
            }
            ("/run", _) => self.run(&stream, &body),
            (path, _) => self.send_file(&mut stream, path.trim_start_matches('/')),
        }
    }

    /// Waits for work for the page.
    fn next(&self) -> Option<Value> {
        let mut state = self.lock();
        if state.work.is_empty() {
            let waited = self.has_work.wait_timeout(state, NEXT_TIMEOUT);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.work.pop_front()
    }

    fn give_output(&self, id: u64, lines: &str) {
        let output = self.lock().outputs.get(&id).cloned();
        for line in lines.lines() {
            if let Some(output) = &output {
                // The player may have been killed.
                let _ = output.send(line.to_owned());
            }
        }
    }

    /// Passes a run to the page, and its output to `stream`, until the run or the player ends.
    fn run(&self, mut stream: &TcpStream, args: &str) -> io::Result<()> {
        let (output, lines) = sync_channel(LINES_MAX);
        let args: Value = serde_json::from_str(args)?;
        let id = {
            let mut state = self.lock();
            state.runs += 1;
            let id = state.runs;
            state.outputs.insert(id, output);
            state.work.push_back(json!({"id": id, "args": args}));
            id
        };
        self.has_work.notify_one();
        stream.set_nonblocking(true)?;
        loop {
            match lines.recv_timeout(CHECK_INTERVAL) {
                Ok(line) => {
                    stream.set_nonblocking(false)?;
                    if writeln!(stream, "{line}").is_err() || line.starts_with("x ") {
                        break;
                    }
                    stream.set_nonblocking(true)?;
                }
                Err(RecvTimeoutError::Timeout) if is_closed(stream) => break,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let mut state = self.lock();
        state.outputs.remove(&id);
        state.work.push_back(json!({"id": id}));
        drop(state);
        self.has_work.notify_one();
        Ok(())
    }

    fn send_file(&self, stream: &mut TcpStream, name: &str) -> io::Result<()> {
        let is_plain = !name.contains(['/', '\\']) && !name.starts_with('.');
        let found = self.folders.iter().map(|folder| folder.join(name)).find(|it| it.is_file());
        match found.filter(|_| is_plain) {
            None => answer(stream, "404 Not Found", b""),
            Some(file) => {
                let kind = match file.extension().and_then(|it| it.to_str()) {
                    Some("html") => "text/html",
                    Some("js") => "text/javascript",
                    Some("wasm") => "application/wasm",
                    _ => "application/octet-stream",
                };
                let bytes = fs::read(file)?;
                answer(stream, &format!("200 OK\r\nContent-Type: {kind}"), &bytes)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the project with `args` in the browser of the server at `address`. Prints its output, and
/// returns its exit code.
///
/// # Errors
///
/// Returns an error if the server cannot be reached, or ends.
pub(crate) fn play(address: SocketAddr, args: &[String]) -> Result<ExitCode, String> {
    let io = |e: io::Error| format!("web player server {address}: {e}");
    let mut stream = TcpStream::connect(address).map_err(io)?;
    let body = json!(args).to_string();
    let head = format!("POST /run HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).map_err(io)?;
    for line in BufReader::new(stream).lines() {
        let line = line.map_err(io)?;
        match line.split_at_checked(2) {
            Some(("o ", text)) => println!("{text}"),
            Some(("e ", text)) => eprintln!("{text}"),
            Some(("x ", code)) => return Ok(ExitCode::from(code.parse().unwrap_or(1))),
            _ => {}
        }
    }
    Err("the server closed before the game exited".to_owned())
}

fn read_request(stream: &TcpStream) -> io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("Content-Length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body)?;
    Ok(Request { target, body })
}

/// Answers with a status, which may have more header lines.
fn answer(stream: &mut TcpStream, status: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

/// Returns whether the remote peer of a non-blocking stream has closed it.
fn is_closed(stream: &TcpStream) -> bool {
    matches!(stream.peek(&mut [0]), Ok(0))
}

/// Time that the page waits for work before it asks again.
const NEXT_TIMEOUT: Duration = Duration::from_secs(20);
/// Time between checks whether a player still listens.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// Maximum number of queued lines for a player.
const LINES_MAX: usize = 4_096;
