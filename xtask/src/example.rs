//! Runs the README's code and the example `arena` with a real Godot, and compares the output with
//! the documented one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{binary, cargo, program, root, run, target};

/// Runs the example `arena`: the Rust server and a Godot client, as documented in their first
/// comments.
///
/// # Errors
///
/// Returns an error if one does not print what its comment promises, or does not exit with 0.
pub(crate) fn arena(godot: &Godot) -> Result<String, String> {
    let port = free_port()?;
    let mut server = start_arena(port, &[], &log("arena-server"))?;
    let mut command = godot.command(&root().join("examples/arena/godot"));
    command.arg(format!("--port={port}"));
    let mut player = Process::start("player", &mut command, &log("arena-player"))?;
    player.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    expect(&mut player, &root().join("examples/arena/godot/main.gd"), port)?;
    server.wait_until(now() + PROCESS_TIMEOUT, |server| server.output().contains("leaves"));
    server.interrupt();
    server.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    expect(&mut server, &root().join("examples/arena/main.rs"), port)?;
    Ok("server and client print what their comments promise".to_owned())
}

/// Builds and starts the server of the example `arena`, with more options.
///
/// # Errors
///
/// Returns an error if it cannot be built, or does not listen.
pub(crate) fn start_arena(port: u16, options: &[&str], log: &Path) -> Result<Process, String> {
    run(cargo().args(["build", "--quiet", "--package", "mp-examples"]))?;
    let mut command = Command::new(binary("arena"));
    command.args(["serve", "--port", &port.to_string()]).args(options);
    let mut server = Process::start("server", &mut command, log)?;
    let address = port.to_string();
    if !server.wait_until(now() + PROCESS_TIMEOUT, |server| server.output().contains(&address)) {
        return Err(format!("the server does not listen: {}", server.errors()));
    }
    Ok(server)
}

/// Runs the README's GDScript: two players that greet each other through mp-server.
///
/// # Errors
///
/// Returns an error if a greeting is not received.
pub(crate) fn readme(godot: &Godot) -> Result<String, String> {
    let readme = read(&root().join("README.md"))?;
    let script = block(&readme, "gdscript").ok_or("the README has no GDScript")?;
    let server = program("mp-server", "MP_SERVER_BIN")?;
    let port = free_port()?;
    let project = target().join("readme");
    write(&project.join("project.godot"), PROJECT)?;
    write(&project.join("main.tscn"), SCENE)?;
    if !script.contains("7777") {
        return Err("the README's GDScript does not connect to port 7777".to_owned());
    }
    write(&project.join("main.gd"), &script.replace("7777", &port.to_string()))?;

    let mut command = Command::new(server);
    command.arg("--enet").arg(format!("127.0.0.1:{port}")).args(["--ws", "off"]);
    let mut server = Process::start("server", &mut command, &log("readme-server"))?;
    let address = format!(":{port}");
    if !server.wait_until(now() + PROCESS_TIMEOUT, |server| server.output().contains(&address)) {
        return Err(format!("mp-server does not listen: {}", server.errors()));
    }
    let mut players = Vec::new();
    for index in 0..2 {
        let who = format!("player{index}");
        let mut command = godot.command(&project);
        players.push(Process::start(&who, &mut command, &log(&format!("readme-{who}")))?);
    }
    for player in &mut players {
        if !player
            .wait_until(now() + PROCESS_TIMEOUT, |player| player.output().contains(" says hello"))
        {
            return Err(format!("{} receives no greeting: {}", player.who, player.output()));
        }
    }
    Ok("its players greet each other through mp-server".to_owned())
}

/// Checks that a finished process has printed the lines that the first comment of `source`
/// promises, and has exited with 0.
fn expect(process: &mut Process, source: &Path, port: u16) -> Result<(), String> {
    let text = read(source)?;
    let promised = promised(&text).replace("7780", &port.to_string());
    let printed = process.output();
    if promised.trim().is_empty() || printed.trim() != promised.trim() {
        return Err(format!(
            "{} promises to print\n{promised}\nbut prints\n{printed}{}",
            source.display(),
            process.errors()
        ));
    }
    match process.ended() {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("{}: {status}", process.who)),
        None => Err(format!("{}: still running at the time limit", process.who)),
    }
}

/// Returns the indented lines after `prints` in the first comment of a source.
fn promised(source: &str) -> String {
    let comment = |line: &str| {
        let text = line.strip_prefix("//!").or_else(|| line.strip_prefix("##"))?;
        Some(text.strip_prefix(' ').unwrap_or(text).to_owned())
    };
    source
        .lines()
        .filter_map(comment)
        .skip_while(|line| !line.trim_end().ends_with("prints"))
        .skip(1)
        .skip_while(|line| line.is_empty())
        .take_while(|line| line.starts_with("    "))
        .map(|line| format!("{}\n", line.trim()))
        .collect()
}

/// Returns the first fenced code block of a language.
pub(crate) fn block(text: &str, language: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("```{language}\n"))?;
    rest.split_once("```").map(|(code, _)| code.to_owned())
}

pub(crate) fn log(name: &str) -> PathBuf {
    target().join("examples-log").join(format!("{name}.log"))
}

pub(crate) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

pub(crate) fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

const PROJECT: &str = "config_version=5\n\n[application]\n\nconfig/name=\"readme\"\nrun/main_scene=\"res://main.tscn\"\n";

const SCENE: &str = "[gd_scene load_steps=2 format=3]\n\n[ext_resource type=\"Script\" path=\"res://main.gd\" id=\"1\"]\n\n[node name=\"Main\" type=\"Node\"]\nscript = ExtResource(\"1\")\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promised_returns_the_indented_lines_after_prints() {
        let source = "//! An example.\n//!\n//!     run it\n//!\n//! prints\n//!\n//!     one\n//!     two 7780\n//!\n//! and ends.\nfn main() {}\n";
        assert_eq!(promised(source), "one\ntwo 7780\n");
        assert_eq!(promised("//! nothing\n"), "");
    }

    #[test]
    fn block_returns_the_first_block_of_a_language() {
        assert_eq!(block("a\n```sh\nx\n```\n```gdscript\ny\n```\n", "gdscript").unwrap(), "y\n");
        assert_eq!(block("nothing", "gdscript"), None);
    }
}
