//! `mp-server ctl`: the client of the admin API, with the same words.

mod call;
mod client;
mod link_args;
mod print;
mod ready;
mod token_args;
mod verb;
mod watch_args;

use std::io;

use clap::{Args, Subcommand};

use self::client::Client;
use self::token_args::NewTokenArgs;
use self::verb::Verb;
use crate::{Failure, output};

/// Operate a running server through its admin API
///
/// The token is in MP_ADMIN_TOKEN or in the file of --token-file. The first token is made with the
/// link that the server prints: mp-server ctl setup LINK
#[derive(Args, Clone, Debug)]
pub(crate) struct CtlArgs {
    /// Address of the admin API: HOST:PORT, or a URL that begins with http://
    #[arg(
        long,
        global = true,
        value_name = "HOST:PORT",
        env = "MP_ADMIN_SERVER",
        default_value = "127.0.0.1:7780"
    )]
    server: String,
    /// File with the token, in place of MP_ADMIN_TOKEN
    #[arg(long, global = true, value_name = "FILE", env = "MP_ADMIN_TOKEN_FILE")]
    token_file: Option<std::path::PathBuf>,
    /// Print the response of the server as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Verb(Verb),
    NewToken(NewTokenArgs),
    /// Exit with 0 if the server accepts players, else with 1 and the reasons; needs no token
    Ready,
}

/// Runs the command.
pub(crate) fn run(args: CtlArgs) -> Result<(), Failure> {
    let CtlArgs { server, token_file, json, verb } = args;
    let verb = match verb {
        Command::NewToken(args) => return print_text(args.make().map_err(Failure::Request)?),
        Command::Ready => return ready::run(&server),
        Command::Verb(verb) => verb,
    };
    let client = Client::new(&server, token_file.as_deref()).map_err(Failure::Request)?;
    let (call, show) = call::call(verb);
    let response = match call::paged(&call) {
        Some(list) => client.all_pages(&call, list),
        None => client.send(&call),
    };
    let response = response.map_err(Failure::Request)?;
    print_text(match json {
        true => format!("{response:#}\n"),
        false => show(&response),
    })
}

fn print_text(text: String) -> Result<(), Failure> {
    let printed = output::print(io::stdout(), text);
    printed.map_err(|error| Failure::Unprinted(format!("cannot print: {error}")))
}
