//! A relay room for Godot 4 games: `mp-server --help` explains it.

mod args;
mod banner;
mod cert;
mod certificates;
mod logs;
mod room;
mod shutdown;

use std::fmt;
use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

fn main() -> ExitCode {
    let args = Args::parse();
    match start(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("mp-server: {failure}");
            failure.exit_code()
        }
    }
}

fn start(args: &Args) -> Result<(), Failure> {
    if let Some(Command::Cert(args)) = &args.command {
        return cert::make(args).map_err(Failure::Refused);
    }
    logs::start(&args.log, args.log_format).map_err(Failure::Refused)?;
    actix::System::new().block_on(room::run(args))
}

/// Why the program ended with an error. It is told in one line.
#[derive(Debug)]
enum Failure {
    /// It cannot do what it was asked to (exit code 2).
    Refused(String),
    /// The room ended by itself (exit code 1).
    Ended(String),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Refused(_) => ExitCode::from(2),
            Self::Ended(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => f.write_str(why),
            Self::Ended(why) => write!(f, "the room has ended: {why}"),
        }
    }
}
