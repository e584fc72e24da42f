//! Players who resume their session with real Godot clients: under the same id over WebSocket, and
//! under another one over ENet.

use std::process::Command;

use super::{expect, log};
use crate::example::write;
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{program, root, target};

/// Runs a server that keeps players, and its clients: two that are killed resume by their tickets,
/// and the third notices nothing of the first.
///
/// # Errors
///
/// Returns the first client that does not see what the documentation says, with its output.
pub(super) fn play(godot: &Godot) -> Result<(), String> {
    let [enet, websocket] = [free_port()?, free_port()?];
    let config = format!(
        "[[listen]]\ntransport = \"enet\"\naddress = \"127.0.0.1:{enet}\"\nselect = \"auth\"\n\
         [[listen]]\ntransport = \"websocket\"\naddress = \"127.0.0.1:{websocket}\"\n\
         select = \"path\"\n[template.default]\nresume = 60\n"
    );
    let file = target().join("interop/rooms/resume.toml");
    write(&file, &config)?;
    let mut command = Command::new(program("mp-server", "MP_SERVER_BIN")?);
    command.arg("--config").arg(&file);
    let mut server = Process::start("resume", &mut command, &log("resume"))?;
    let listens = |server: &Process| server.output().contains("--help");
    if !server.wait_until(now() + PROCESS_TIMEOUT, listens) {
        return Err(format!("mp-server does not listen: {}", server.errors()));
    }
    let join = |who: &str, way: String| {
        let mut command = godot.command(&root().join("interop/rooms"));
        command.args([format!("--greeting=from {who}"), way]);
        Process::start(who, &mut command, &log(who))
    };
    let by_url = |path: &str| format!("--url=ws://127.0.0.1:{websocket}{path}");
    let by_auth = |data: &str| format!("--auth={data}");
    let over_enet = |who: &str, data: &str| {
        let mut command = godot.command(&root().join("interop/rooms"));
        command.args([format!("--greeting=from {who}"), format!("--port={enet}")]);
        command.arg(by_auth(data));
        Process::start(who, &mut command, &log(who))
    };

    let mut ann = join("resuming-ann", by_url("/a"))?;
    let (ticket, id) = ticket(&mut ann)?;
    let mut bob = join("resuming-bob", by_url("/a"))?;
    expect(&mut bob, "receives from resuming-ann")?;
    drop(ann);
    let mut again = join("ann-again", by_url(&format!("/a?resume={ticket}")))?;
    expect(&mut again, "receives from resuming-bob|peer ")?;
    expect(&mut bob, "receives from ann-again")?;
    let (_, same) = self::ticket(&mut again)?;
    if same != id {
        return Err(format!("a player with the id {id} resumes with {same}"));
    }
    let lines = |player: &Process, start: &str| {
        player.output().lines().filter(|line| line.starts_with(start)).count()
    };
    if (lines(&bob, "peer "), lines(&bob, "gone ")) != (1, 0) {
        return Err(format!("a player notices that another resumes: {}", bob.output()));
    }
    let mut used = join("used-ticket", by_url(&format!("/a?resume={ticket}")))?;
    expect(&mut used, "reason invalid_resume")?;

    // Over ENet a client draws a new id.
    let mut cleo = over_enet("resuming-cleo", "a")?;
    let (ticket, id) = self::ticket(&mut cleo)?;
    expect(&mut bob, "receives from resuming-cleo")?;
    drop(cleo);
    let mut again = over_enet("cleo-again", &format!("resume={ticket}"))?;
    expect(&mut bob, "receives from cleo-again")?;
    expect(&mut bob, &format!("gone {id}"))?;
    let mut refused = over_enet("wrong-ticket", "resume=mpr_x")?;
    expect(&mut refused, "auth {\"code\":\"invalid_resume\",\"text\":")?;
    expect(&mut again, "connected")?;
    for player in [&bob, &again] {
        if let Some(error) = player.errors().lines().find(|line| line.contains("ERROR:")) {
            return Err(format!("{} reports {error}", player.who));
        }
    }
    Ok(())
}

/// Waits until a client has its ticket. Returns it, and the id of the client.
fn ticket(player: &mut Process) -> Result<(String, String), String> {
    expect(player, "receives {\"code\":\"resume\"")?;
    let output = player.output();
    let ticket = output.split("\"ticket\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let ticket = ticket.ok_or_else(|| format!("{} has no ticket: {output}", player.who))?;
    let id = ticket.split_once('.').map_or("", |(_, id)| id);
    Ok((ticket.to_owned(), id.to_owned()))
}
