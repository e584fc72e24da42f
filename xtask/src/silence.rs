//! Silent players of Godot's web build: one that only listens stays, and one whose main loop has
//! stopped is disconnected although its browser still answers. Another one resumes its session.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::example::write;
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::web::WebGodot;
use crate::workspace::{program, root, target};

/// Runs mp-server with a player that listens, and one that stops.
///
/// # Errors
///
/// Returns an error if the wrong player is disconnected, or none, or if a probe is an error for
/// Godot.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    let port = free_port()?;
    let log = |who: &str| target().join("interop/silence").join(format!("{who}.log"));
    let config = format!(
        "[[listen]]\ntransport = \"websocket\"\naddress = \"127.0.0.1:{port}\"\n\
         [[listen]]\ntransport = \"webrtc\"\naddress = \"127.0.0.1:0\"\nselect = \"path\"\n\
         [webrtc]\nsilence_timeout = {}\n[template.kept]\nresume = 60\n",
        TIMEOUT.as_secs()
    );
    let file = log("server").with_extension("toml");
    write(&file, &config)?;
    let mut command = Command::new(program("mp-server", "MP_SERVER_BIN")?);
    command.arg("--config").arg(&file);
    let mut server = Process::start("server", &mut command, &log("server"))?;
    let listens = format!(":{port}");
    if !server.wait_until(now() + PROCESS_TIMEOUT, |server| server.output().contains(&listens)) {
        return Err(format!("mp-server does not listen: {}", server.errors()));
    }

    let web = WebGodot::start(godot, &root().join("interop/web/silence"), "")?;
    let start = |who: &str, options: &[&str]| -> Result<(Process, String), String> {
        let mut command = web.command();
        command.arg(format!("--url=ws://127.0.0.1:{port}/webrtc")).args(options);
        let mut player = Process::start(who, &mut command, &log(who))?;
        let is_connected = |player: &Process| id(&player.output()).is_some();
        if !player.wait_until(now() + PROCESS_TIMEOUT, is_connected) {
            return Err(format!("{who} does not join: {}{}", player.output(), player.errors()));
        }
        let id = id(&player.output()).unwrap_or_default();
        Ok((player, id))
    };
    let (mut listener, _) = start("listener", &["--room=silent"])?;
    let (mut stopped, id) = start("stopped", &["--room=silent", "--freeze=yes"])?;
    let gone = format!("gone {id}");
    let since = now();
    if !listener.wait_until(since + PROCESS_TIMEOUT, |it| it.output().contains(&gone)) {
        return Err(format!("the player that has stopped stays: {}", listener.output()));
    }
    let took = now() - since;
    if took + MARGIN < TIMEOUT {
        return Err(format!("the player that has stopped is disconnected after {took:.1?}"));
    }
    if stopped.ended().is_some() {
        return Err("the main loop of the player that should stop does not".to_owned());
    }
    let end = now() + 3 * TIMEOUT;
    resumes(|who, room| start(who, &[&format!("--room={room}")]))?;
    wait_until(end);
    server.interrupt();
    listener.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    let (output, errors) = (listener.output(), listener.errors());
    let after = output.lines().skip_while(|line| !line.starts_with("connected")).skip(1);
    if !after.eq([gone.as_str(), "gone 1", "closed"]) {
        return Err(format!("the player that listens printed {output}"));
    }
    if let Some(error) = errors.lines().find(|line| line.contains("ERROR:")) {
        return Err(format!("the player that listens reports {error}"));
    }
    let took = took.as_secs();
    Ok(format!(
        "a stopped player left after {took} s, one that listens stayed without an error, and one \
         resumed its session"
    ))
}

/// Lets a player resume its session by a ticket.
fn resumes(join: impl Fn(&str, &str) -> Result<(Process, String), String>) -> Result<(), String> {
    let (mut player, id) = join("returning", "kept/a")?;
    let ticket = |player: &Process| {
        let output = player.output();
        output.lines().find_map(|line| line.strip_prefix("ticket ")).map(str::to_owned)
    };
    player.wait_until(now() + PROCESS_TIMEOUT, |player| ticket(player).is_some());
    let ticket = ticket(&player).ok_or("the player receives no ticket")?;
    drop(player);
    let (_player, resumed) = join("returned", &format!("?resume={ticket}"))?;
    match resumed == id {
        true => Ok(()),
        false => Err(format!("the player {id} resumes as {resumed}")),
    }
}

/// Returns the id in the line `connected ID`.
fn id(output: &str) -> Option<String> {
    output.lines().find_map(|line| line.strip_prefix("connected ")).map(str::to_owned)
}

fn wait_until(time: Instant) {
    while now() < time {
        thread::sleep(Duration::from_millis(100));
    }
}

/// Silence timeout of the server; a player is probed after half of it.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Time from the last packet of a player to its output, at most.
const MARGIN: Duration = Duration::from_secs(3);
