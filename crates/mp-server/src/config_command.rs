//! `mp-server config`: prints and checks configurations.

use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::SettingArgs;
use crate::config::{self, Config, FILE_NAME, Sources};
use crate::{Failure, output};

/// Print the commented default configuration, check a file, or show the values in effect
///
/// mp-server config > mp-server.toml writes a file with all settings.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: Option<ConfigCommand>,

    /// Print each value with its origin, for the same file, environment variables and flags as of a
    /// start
    #[arg(long)]
    effective: bool,

    #[command(flatten)]
    settings: SettingArgs,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check a file, without environment variables and flags, and print all errors
    ///
    /// Exit codes: 0 if the file is valid, 2 if it is not.
    Check {
        /// File to check [default: mp-server.toml]
        file: Option<PathBuf>,
    },
}

/// Runs the command.
pub(crate) fn run(args: &ConfigArgs) -> Result<(), Failure> {
    let text = match &args.command {
        Some(ConfigCommand::Check { file }) => check(file.clone())?,
        None if args.effective => {
            let sources = args.settings.sources(config::find(args.settings.file.clone()));
            let config = Config::load(sources);
            config.map_err(|errors| Failure::Refused(errors.to_string()))?.effective_text()
        }
        None => Config::default_text(),
    };
    output::print(io::stdout(), text)
        .map_err(|error| Failure::Unprinted(format!("cannot print: {error}")))
}

/// Checks a file. Returns a summary.
fn check(file: Option<PathBuf>) -> Result<String, Failure> {
    let file = file.unwrap_or_else(|| FILE_NAME.into());
    let name = file.display().to_string();
    let config = Config::load(Sources { file: Some(file), ..Sources::default() });
    let config = config.map_err(|errors| {
        let (noun, count) = (if errors.len() == 1 { "error" } else { "errors" }, errors.len());
        Failure::Refused(format!("{name} has {count} {noun}\n{errors}"))
    })?;
    let counts = [
        (config.listen.len(), "listeners"),
        (config.templates.len(), "templates"),
        (config.rooms.len(), "rooms"),
    ];
    let counts = counts.map(|(count, noun)| format!("{noun}: {count}")).join(", ");
    Ok(format!("{name} is valid ({counts})\n"))
}
