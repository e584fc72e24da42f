//! Paths of the workspace, and commands.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::guard::Guard;

/// Returns the folder of the workspace's Cargo.toml.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in a folder of the workspace")
}

/// Returns cargo's target folder, which contains this program.
pub(crate) fn target() -> PathBuf {
    let own = binary("xtask");
    own.ancestors().nth(2).map_or_else(|| root().join("target"), Path::to_path_buf)
}

/// Returns the path of the binary `name`: it is beside this program.
pub(crate) fn binary(name: &str) -> PathBuf {
    let own = env::current_exe().unwrap_or_else(|_| root().join("target/debug/xtask"));
    own.with_file_name(name)
}

/// Returns the program of mp that the environment variable `variable` names. Without it, builds the
/// package `name` and returns its binary.
///
/// # Errors
///
/// Returns an error if it cannot be built.
pub(crate) fn program(name: &str, variable: &str) -> Result<PathBuf, String> {
    if let Some(path) = env::var_os(variable) {
        return Ok(path.into());
    }
    let mut build = cargo();
    build.args(["build", "--quiet", "--package", name]);
    if name == "mp-server" {
        build.args(MP_SERVER_FEATURES);
    }
    run(&mut build)?;
    Ok(binary(name))
}

/// Features of mp-server in all steps, so that it is built once. mp-moves and mp-soak select the
/// same.
pub(crate) const MP_SERVER_FEATURES: [&str; 2] = ["--features", "cluster"];

/// Returns a `cargo` command in the workspace's folder.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs `command` with its output on the terminal.
///
/// # Errors
///
/// Returns an error if it cannot be started or does not exit with 0.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let shown = shown(command);
    let status = command.status().map_err(|e| format!("cannot run {shown}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
}

/// Runs `command` as [`run`] does, in a process group of its own, which is killed if this program
/// ends before. For commands that start servers, or take long.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn run_guarded(command: &mut Command) -> Result<(), String> {
    let shown = shown(command);
    let failed = |e| format!("cannot run {shown}: {e}");
    let (mut child, guard) = Guard::spawn(command.stdin(Stdio::null())).map_err(failed)?;
    let status = child.wait().map_err(failed)?;
    drop(guard);
    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
}

/// Runs `command` without output. The error contains its output.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn quiet(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| format!("cannot run {name}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = text.lines().rev().take(5).collect();
    let last = last.into_iter().rev().collect::<Vec<_>>().join("\n");
    Err(format!("{}: {}\n{last}", shown(command), output.status))
}

/// Returns the command line, for messages.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let mut line = program.to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
