//! `mp-server wireshark`: prints the plugin for Wireshark.

use std::io;
use std::path::PathBuf;

use clap::Args;
use mp_wire::ProjectNames;

use crate::{Failure, output};

/// Print a plugin for Wireshark that decodes Godot's multiplayer
///
/// It decodes ENet datagrams, and the packets of SceneMultiplayer in them and in files of
/// `mp-server inspect --pcap`. Save it in the folder of Wireshark's personal Lua plugins (Help,
/// About Wireshark, Folders): mp-server wireshark > ~/.local/lib/wireshark/plugins/godot.lua
#[derive(Args, Debug)]
pub(crate) struct WiresharkArgs {
    /// Folder of the game's Godot project, whose methods, arguments and replicated properties the
    /// plugin then names
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
}

/// Prints the plugin.
pub(crate) fn run(args: &WiresharkArgs) -> Result<(), Failure> {
    let names = args.project.as_ref().map(ProjectNames::load).transpose();
    let names = names.map_err(|error| Failure::Refused(error.to_string()))?;
    for error in names.iter().flat_map(ProjectNames::unreadable) {
        let _ = output::print(io::stderr(), format!("warning: {error}\n"));
    }
    output::print(io::stdout(), mp_wire::wireshark_plugin(names.as_ref()))
        .map_err(|error| Failure::Unprinted(format!("cannot print: {error}")))
}
