//! A real Godot client whose packets are lost for a while: with the script of the guide it resumes
//! its session under the same id, with the state of the others, who notice nothing.

use std::process::Command;
use std::thread;
use std::time::Duration;

use super::{expect, log};
use crate::example::write;
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::tcp_proxy::TcpProxy;
use crate::workspace::{program, root};

/// Runs a server and two clients, one of them behind a proxy that passes nothing on for [`CUT`].
///
/// # Errors
///
/// Returns the first client that does not see what the documentation says, with its output.
pub(super) fn play(godot: &Godot) -> Result<(), String> {
    let port = free_port()?;
    let config = format!(
        "[[listen]]\ntransport = \"websocket\"\naddress = \"127.0.0.1:{port}\"\n\
         select = \"path\"\n[websocket]\nping = 2\n\
         [template.default]\ntype = \"tally\"\nresume = 60\n"
    );
    let file = log("cut").with_extension("toml");
    write(&file, &config)?;
    let mut command = Command::new(program("mp-moves", "MP_MOVES_BIN")?);
    command.arg("--config").arg(&file);
    let mut server = Process::start("cut", &mut command, &log("cut"))?;
    let listens = |server: &Process| server.output().contains("--help");
    if !server.wait_until(now() + PROCESS_TIMEOUT, listens) {
        return Err(format!("the server does not listen: {}", server.errors()));
    }
    let proxy = TcpProxy::start(port).map_err(|error| format!("proxy: {error}"))?;
    let join = |who: &str, port: u16| {
        let mut command = godot.command(&root().join("interop/resume"));
        command.arg(format!("ws://127.0.0.1:{port}/a"));
        Process::start(who, &mut command, &log(who))
    };
    let mut cut = join("cut-player", proxy.port())?;
    expect(&mut cut, "ticket")?;
    let mut other = join("cut-other", port)?;
    wait(&mut cut, "does not receive changes", |it| last_state(it).contains("Unit2=2"))?;

    proxy.cut();
    thread::sleep(CUT);
    wait(&mut other, "does not receive the last change", |it| last_state(it) == LAST_STATE)?;
    if last_state(&cut) == LAST_STATE || lines(&cut, "ticket") != 1 {
        return Err(format!("the connection is not cut: {}", cut.output()));
    }
    proxy.restore();
    wait(&mut cut, "does not resume", |it| lines(it, "ticket") == 2)?;
    wait(&mut cut, "does not have the state of the others", |it| last_state(it) == LAST_STATE)?;

    let ids: Vec<_> = starting(&cut, "connected ").collect::<Vec<_>>();
    let is_same = ids.len() == 2 && ids[0] == ids[1];
    if !is_same || lines(&cut, "lost") != 1 {
        return Err(format!("the player does not resume once, under its id: {}", cut.output()));
    }
    received_queued_calls(&cut, &other)?;
    if (lines(&other, "peer "), lines(&other, "gone ")) != (1, 0) {
        return Err(format!("the other player notices it: {}", other.output()));
    }
    for player in [&cut, &other] {
        if let Some(error) = player.errors().lines().find(|line| line.contains("SCRIPT ERROR")) {
            return Err(format!("{} reports {error}", player.who));
        }
    }
    Ok(())
}

/// Checks that the player has received the calls that the room has queued for it after it resumed,
/// and the other player all calls.
fn received_queued_calls(cut: &Process, other: &Process) -> Result<(), String> {
    let numbers = |output: &str| -> Vec<usize> {
        let calls = output.lines().filter_map(|line| line.strip_prefix("counted "));
        calls.filter_map(|number| number.parse().ok()).collect()
    };
    let output = cut.output();
    let resumed = numbers(output.rsplit_once("connected ").map_or("", |(_, after)| after));
    let is_consecutive = resumed.windows(2).all(|pair| pair[1] == pair[0] + 1);
    if resumed.len() != QUEUED_CALLS || !is_consecutive {
        return Err(format!("the player resumes with the calls {resumed:?}: {output}"));
    }
    match numbers(&other.output()) {
        all if all == (1..=CHANGES).collect::<Vec<_>>() => Ok(()),
        all => Err(format!("the other player has received the calls {all:?}")),
    }
}

fn wait(
    player: &mut Process,
    otherwise: &str,
    is_met: impl Fn(&Process) -> bool,
) -> Result<(), String> {
    match player.wait_until(now() + PROCESS_TIMEOUT, is_met) {
        true => Ok(()),
        false => {
            let (output, errors) = (player.output(), player.errors());
            Err(format!("{} {otherwise}: {output}{errors}", player.who))
        }
    }
}

/// Returns the lines that start with a text.
fn starting(player: &Process, start: &str) -> impl Iterator<Item = String> {
    let output = player.output();
    let lines: Vec<_> =
        output.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect();
    lines.into_iter()
}

fn lines(player: &Process, start: &str) -> usize {
    starting(player, start).count()
}

fn last_state(player: &Process) -> String {
    starting(player, "state ").last().unwrap_or_default()
}

/// Time for which the packets of the player are lost. The room makes its last changes meanwhile.
const CUT: Duration = Duration::from_secs(10);
/// Number of calls that the room queues.
const QUEUED_CALLS: usize = 3;
/// Number of changes of the room, each with a call to all players.
const CHANGES: usize = 30;
/// The nodes of the room after its last change.
const LAST_STATE: &str = "state Tally=30 Made=130 Unit28=28 Unit29=29 Unit30=30";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{block, read};

    #[test]
    fn client_runs_the_script_of_the_guide() {
        let page = read(&root().join("crates/mp/guide/resume.md")).unwrap();
        let script = read(&root().join("interop/resume/session.gd")).unwrap();
        assert_eq!(block(&page, "gdscript"), Some(script));
    }
}
