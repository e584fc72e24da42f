//! A relay room for Godot 4 games. `mp-server --help` describes its use.

use std::process::ExitCode;

fn main() -> ExitCode {
    mp_server::ServerBuilder::new().run(std::env::args_os())
}
