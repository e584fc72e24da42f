//! `mp-server inspect` and `mp-server bots record` between bots and mp-server.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::Duration;

use mp_core::host::SystemClock;
use tempfile::TempDir;

use crate::server::{PATIENCE, Server, command};

/// One player that authenticates with a secret, shouts to all, and leaves.
const SCENARIO: &str = r#"
phase = [{ joins_per_second = 20, players = 1, for = "60s" }]
node = [{ path = "Main/Arena", methods = ["ping", "pong", "shout"] }]
[[do]]
connect = "60s"
[[do]]
rpc = "ping"
path = "Main/Arena"
args = [7, { vector2 = [1, 2] }, "ann"]
[[do]]
raw = "hello"
to = "all"
mode = "unreliable"
channel = 3
[[do]]
wait = "200ms"
[[do]]
leave = "disconnect"
[thresholds]
failed_joins = 0
disconnects = 0
"#;

/// A proxy, killed when dropped.
struct ProxyProcess {
    child: Child,
    folder: TempDir,
    /// Address at which clients connect.
    address: String,
}

impl ProxyProcess {
    /// Starts a proxy with `args` and waits until it has printed its address.
    fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        let mut run = command();
        run.args(args).stdout(file("out")).stderr(file("err"));
        let child = run.spawn().unwrap();
        let mut proxy = Self { child, folder, address: String::new() };
        proxy.address = proxy.wait_for("its address", |proxy| {
            let errors = proxy.text("err");
            let (address, _) = errors.split(" connect to ").nth(1)?.split_once(';')?;
            Some(address.to_owned())
        });
        proxy
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap()
    }

    fn wait_for<T>(&mut self, what: &str, mut ready: impl FnMut(&mut Self) -> Option<T>) -> T {
        let clock = SystemClock::new();
        let limit = clock.now() + PATIENCE;
        loop {
            if let Some(value) = ready(self) {
                return value;
            }
            assert!(clock.now() < limit, "{what}: {}{}", self.text("out"), self.text("err"));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends SIGINT, as Ctrl-C does.
    fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
    }

    /// Waits until the proxy has ended. Returns its exit code and standard output.
    fn end(mut self) -> (Option<i32>, String) {
        let status = self.wait_for("the end", |proxy| proxy.child.try_wait().unwrap());
        (status.code(), self.text("out"))
    }
}

impl Drop for ProxyProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Folder of the project whose names the proxies use.
fn project() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/bots");
    folder.to_string_lossy().into_owned()
}

#[track_caller]
fn play(scenario: &Path, server: &str) {
    let output = command().arg("bots").arg(scenario).args(["--server", server]).output().unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    assert!(out.contains("1 started, 1 joined, 0 failed, 1 left"), "{out}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn scenario(folder: &TempDir) -> PathBuf {
    let file = folder.path().join("bots.toml");
    fs::write(&file, SCENARIO).unwrap();
    file
}

fn addresses(server: &Server) -> [String; 2] {
    [format!("enet://{}", server.enet), format!("ws://{}", server.ws)]
}

#[test]
fn inspector_prints_a_line_per_packet_and_totals_over_enet_and_websocket() {
    let (server, folder) = (Server::start(&[]), tempfile::tempdir().unwrap());
    let scenario = scenario(&folder);
    for address in addresses(&server) {
        let project = project();
        let capture = folder.path().join(format!("{}.pcapng", &address[..2]));
        let file = capture.to_string_lossy().into_owned();
        let args = ["inspect", "127.0.0.1:0", "--to", &address, "--project", &project];
        let args = [&args[..], &["--pcap", &file]].concat();
        let proxy = ProxyProcess::start(&args);
        let query = if address.starts_with("ws") { "/?token=hunter2" } else { "" };
        play(&scenario, &format!("{}{query}", proxy.address));
        proxy.interrupt();
        let (code, output) = proxy.end();
        assert_eq!(code, Some(0), "{output}");
        for part in [
            "announce Main/Arena as 0 (res://arena.gd)\n",
            "Main/Arena.ping(number: 7, _position: Vector2(1, 2), _name: \"ann\")\n",
            "[all] \"hello\"\n",
            "closed by the client",
            "1 clients\n",
        ] {
            assert!(output.contains(part), "no {part:?} in {output}");
        }
        let mode = if address.starts_with("enet") { " u3 " } else { " r0 " };
        let raw = output.lines().find(|line| line.contains("\"hello\"")).unwrap();
        assert!(raw.contains(mode), "{raw}");
        assert!(!output.contains("hunter2") && !output.contains('\x1b'), "{output}");
        let is_packet = |line: &&str| line.contains(" -> ") || line.contains(" <- ");
        let lines = output.lines().filter(is_packet).count();
        let all = output.lines().find_map(|line| line.strip_prefix("all ")).unwrap();
        let all: Vec<usize> = all.split_whitespace().map(|it| it.parse().unwrap()).collect();
        assert_eq!(all[0] + all[2], lines, "{output}");
        check_capture(&capture, &output);
        let again = run(&args);
        assert_eq!(again.status.code(), Some(2));
        let again = text(&again.stderr);
        assert!(
            again.ends_with("exists (os error 17); remove it, or pass another --pcap\n"),
            "{again}"
        );
    }
}

/// Checks the capture file of an inspector that has printed `output`.
fn check_capture(file: &Path, output: &str) {
    let capture = fs::read(file).unwrap();
    let mode = fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(capture[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
    let has = |bytes: &[u8]| capture.windows(bytes.len()).any(|window| window == bytes);
    assert!(has(b"\x03hello") && has(b"Main/Arena\0") && !has(b"hunter2"));
    let summary = output.lines().last().unwrap();
    assert!(summary.ends_with(&format!(" packets in {}", file.display())), "{summary}");
    assert!(!summary.starts_with("0 "), "{summary}");
}

#[test]
fn plugin_for_wireshark_has_the_methods_of_the_project() {
    let with_names = run(&["wireshark", "--project", &project()]);
    let (plain, with_names) = (run(&["wireshark"]), text(&with_names.stdout));
    let names = "{\"res://arena.gd\", {\"ping\", \"number\", ";
    assert!(with_names.contains(names), "{with_names}");
    assert!(!text(&plain.stdout).contains("res://arena.gd"));
    let missing = run(&["wireshark", "--project", "/none"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("/none"));
}

#[test]
fn filter_selects_lines_and_not_totals() {
    let (server, folder) = (Server::start(&[]), tempfile::tempdir().unwrap());
    let [enet, _] = addresses(&server);
    let args = ["inspect", "127.0.0.1:0", "--to", &enet, "--filter", "raw,spawn"];
    let proxy = ProxyProcess::start(&args);
    play(&scenario(&folder), &proxy.address);
    proxy.interrupt();
    let (_, output) = proxy.end();
    assert!(output.contains("\"hello\"") && !output.contains("Main/Arena"), "{output}");
    assert!(output.lines().any(|line| line.starts_with("rpc  ")), "{output}");
}

#[test]
fn recorded_scenario_plays_on_the_same_server() {
    let (server, folder) = (Server::start(&[]), tempfile::tempdir().unwrap());
    let scenario = scenario(&folder);
    for (index, address) in addresses(&server).into_iter().enumerate() {
        let file = folder.path().join(format!("recorded-{index}.toml"));
        let (out, project) = (file.to_string_lossy().into_owned(), project());
        let args = ["bots", "record", &address, "--listen", "127.0.0.1:0"];
        let proxy =
            ProxyProcess::start(&[&args[..], &["--project", &project, "--out", &out]].concat());
        play(&scenario, &proxy.address);
        let (code, output) = proxy.end();
        assert_eq!((code, output.as_str()), (Some(0), ""));
        let recorded = fs::read_to_string(&file).unwrap();
        for part in [
            &format!("server = \"{address}\"\n"),
            "rpc = \"ping\"\npath = \"Main/Arena\"\n",
            "args = [{ int = [7, 7] }, { vector2 = [[1.0, 1.0], [2.0, 2.0]] }, \"ann\"]\n",
            "raw = \"hello\"\nto = \"all\"\n",
            "leave = \"disconnect\"\n",
        ] {
            assert!(recorded.contains(part), "no {part:?} in {recorded}");
        }
        play(&file, &address);
        let again = run(&["bots", "record", &address, "--out", &out]);
        assert_eq!(again.status.code(), Some(2));
        assert!(text(&again.stderr).contains("recorded-"), "{}", text(&again.stderr));
        assert!(text(&again.stderr).ends_with("exists; remove it, or pass another --out\n"));
    }
}

#[test]
fn client_whose_server_cannot_be_reached_ends_the_recording_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let proxy =
        ProxyProcess::start(&["bots", "record", "ws://127.0.0.1:1", "--listen", "127.0.0.1:0"]);
    let bots = command()
        .arg("bots")
        .arg(scenario(&folder))
        .args(["--server", &proxy.address])
        .output()
        .unwrap();
    assert_eq!(bots.status.code(), Some(2), "{}", text(&bots.stdout));
    let mut proxy = proxy;
    let status = proxy.wait_for("the end", |proxy| proxy.child.try_wait().unwrap());
    let errors = proxy.text("err");
    assert_eq!(status.code(), Some(2), "{errors}");
    assert!(errors.contains("mp-server: cannot reach ws://127.0.0.1:1: "), "{errors}");
    assert!(errors.contains("calls are not recorded without --project DIR"), "{errors}");
}

#[test]
fn invalid_arguments_of_proxies_are_errors_with_a_way_out() {
    for (args, expected) in [
        (&["inspect", "127.0.0.1:0", "--to", "ws://h:1/room"][..], "has a path; pass HOST:PORT"),
        (
            &["inspect", "127.0.0.1:0", "--to", "udp://h:1"],
            "write for example enet://127.0.0.1:7777",
        ),
        (&["inspect", "127.0.0.1:0", "--to", "h:1", "--filter", "rcp"], "kinds are rpc, sync"),
        (&["inspect", "127.0.0.1:0", "--to", "h:1", "--project", "/none"], "/none"),
        (&["inspect", "192.0.2.1:9", "--to", "enet://127.0.0.1:1"], "192.0.2.1:9"),
        (&["bots"], "SCENARIO"),
    ] {
        let output = run(args);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(expected), "{args:?}: {error}");
    }
}

fn run(args: &[&str]) -> Output {
    command().args(args).output().unwrap()
}
