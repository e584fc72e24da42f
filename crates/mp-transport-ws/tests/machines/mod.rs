//! Tests on two machines: Linux network namespaces, connected by a virtual cable that can be cut.

use std::io::{BufRead, BufReader, Lines, StdinLock, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Address of the servers' machine.
pub(crate) const SERVER: &str = "10.77.0.1";
const PLAYER: &str = "10.77.0.2";
/// Environment variable with the role of a process.
const ROLE: &str = "MP_TEST_MACHINE";

/// Runs the test `name` on two machines: `serve`, which decides whether the test passes, and
/// `play`. The test starts itself again, and calls this function in each process.
pub(crate) fn on_two_machines(name: &str, serve: fn(PlayersMachine), play: fn(Orders)) {
    match std::env::var(ROLE).as_deref() {
        Ok("server") => serve(PlayersMachine::start(name)),
        Ok(_) => play(Orders::new()),
        Err(_) => {
            let output = this_test(&["-Urn"], name, "server").output();
            let output = output.expect("unshare is installed");
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            assert!(
                !text.contains("unshare: "),
                "this test needs network namespaces without root: {text}\
                 permit them with `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` or \
                 `sysctl -w user.max_user_namespaces=10000`"
            );
            assert!(output.status.success(), "{text}");
        }
    }
}

/// Returns the command that runs this test again, in new namespaces.
fn this_test(namespaces: &[&str], name: &str, role: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(namespaces).arg("--").arg(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(ROLE, role);
    command
}

/// The players' machine, as the servers' machine controls it. It is stopped when dropped.
pub(crate) struct PlayersMachine {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl PlayersMachine {
    fn start(name: &str) -> Self {
        let mut process = this_test(&["-n"], name, "players")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare is installed");
        let orders = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let mut machine = Self { process, orders, answers };
        // `unshare` has replaced itself with the process, in its namespace.
        machine.answer("ready");
        ip("link set lo up");
        ip("link add cable0 type veth peer name cable1");
        ip(&format!("link set cable1 netns {}", machine.process.id()));
        ip(&format!("addr add {SERVER}/24 dev cable0"));
        ip("link set cable0 up");
        machine.order("connect");
        machine.answer("connected");
        machine
    }

    /// Sends an order.
    pub(crate) fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    /// Waits for a line that starts with `word`. Returns the rest of the line.
    pub(crate) fn answer(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.answers.read_line(&mut line).unwrap();
            assert!(read > 0, "the players' machine ends before {word:?}");
            if let Some(rest) = line.strip_prefix(word) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Cuts the cable.
    pub(crate) fn vanish(&mut self) {
        self.order("vanish");
        self.answer("vanished");
    }
}

impl Drop for PlayersMachine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The orders that the players' machine receives.
pub(crate) struct Orders(Lines<StdinLock<'static>>);

impl Orders {
    fn new() -> Self {
        // The test harness has started a line.
        println!("\nready");
        let mut orders = Self(std::io::stdin().lines());
        assert_eq!(orders.next(), "connect");
        ip(&format!("addr add {PLAYER}/24 dev cable1"));
        ip("link set cable1 up");
        answer("connected");
        orders
    }

    /// Waits for an order.
    pub(crate) fn next(&mut self) -> String {
        self.0.next().expect("the server's machine sends an order").unwrap()
    }

    /// Waits for the order to vanish, disables the network, and waits for the server's part of the
    /// test to end.
    pub(crate) fn vanish(mut self) {
        assert_eq!(self.next(), "vanish");
        ip("link set cable1 down");
        answer("vanished");
        self.0.for_each(drop);
    }
}

/// Acknowledges an order.
pub(crate) fn answer(line: &str) {
    println!("{line}");
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.expect("`ip` is installed, from the package iproute2");
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {why}");
}
