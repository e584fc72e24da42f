//! The project's own commands: `cargo xtask test`, `ci`, `deny`, `features`, `fuzz`, `audit`,
//! `interop`, `enet`, `bench`, `worlds`, `sim-faults`, `godot`.

mod bench;
mod budget;
mod debian;
mod deny;
mod enet;
mod example;
mod features;
mod fuzz;
mod godot;
mod interop;
mod one_room;
mod process;
mod proxy;
mod round;
mod steps;
mod suite;
mod tool;
mod workspace;
mod worlds;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use bench::BenchArgs;
use enet::EnetArgs;
use fuzz::FuzzArgs;
use interop::InteropArgs;
use worlds::{FaultsArgs, WorldsArgs};

/// The project's own commands.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that must pass: the workspace's tests, then scenarios with real Godot.
    ///
    /// Finds or fetches Godot, then runs `cargo test --workspace`, all scenarios of interop/godot in each of mp's roles, planted
    /// faults, the examples, and an additional suite folder, when there is one ($MP_INTEROP_SUITE, or the folder beside
    /// the project). All steps run even when one fails; the summary at the end says which.
    Test,
    /// Formatting, lints and documentation without a warning, what `features` and `deny` check,
    /// then everything `test` does, 3,000 simulated worlds, and a smoke test of the benchmarks.
    ///
    /// A step also fails when it takes longer than its ceiling in xtask/src/budget.rs, as do all
    /// steps together.
    Ci,
    /// Checks the licences and sources of all dependencies, and looks for banned, duplicate and yanked crates.
    ///
    /// Runs cargo-deny, which it installs under target/tools when it is missing (about two minutes, once), on the workspace and on
    /// bench/. The rules are in deny.toml and bench/deny.toml.
    Deny,
    /// Lints each crate with each of its features alone, and checks which crates need no C
    /// compiler.
    ///
    /// Runs cargo-hack, which it installs under target/tools when it is missing.
    Features,
    /// Looks for security advisories for the locked dependencies.
    ///
    /// Needs the network: cargo-deny fetches the database of RustSec from GitHub. Without it the command fails.
    Audit,
    /// Plays scenarios with real Godot processes on one side and mp on the other.
    ///
    /// Builds mp's side (the binary mp-interop; where it serves the scenario `room` it is mp-server), starts a server on a free port,
    /// then the scenario's number of clients, and prints a table. A scenario passes when every process exits with 0 and
    /// prints a result line with "pass". Logs are in
    /// target/interop/SUITE-ROLE/SCENARIO.WHO.log, what is written to standard error in .err beside it.
    Interop(InteropArgs),
    /// Measures mp beside its peers and writes docs/BENCHMARKS.md.
    ///
    /// Builds the workspace bench/ (mp's contenders, and published peers), mp-server, and a C program where cc and
    /// libenet-dev are installed; then starts each contender as a process of its own on CPU 0, and the same players for all on
    /// CPU 1. A full run takes about half an hour, on a machine that does nothing else.
    Bench(BenchArgs),
    /// Lets Godot players on ENet and on WebSocket and Rust clients on both meet in one mp-server.
    OneRoom,
    /// Lets Godot players come over TLS to an nginx in front of mp-server, which knows them by X-Forwarded-For.
    ///
    /// Uses the nginx on PATH, else Debian's, unpacked under target/nginx (10 MB to fetch, nothing is installed).
    Proxy,
    /// Plays sessions of mp with C ENet over a network that loses datagrams.
    ///
    /// Fetches Debian's ENet (unpacked under target/enet, nothing is installed), compiles interop/enet/peer.c with it (needs
    /// cc) and plays every combination of role, compression, checksum and loss from 0 to 30 %, bandwidth limits, the packet
    /// throttle and every kind of goodbye. Fails when something of that did not happen. Time is virtual: the outcome does not
    /// depend on the speed of the machine.
    Enet(EnetArgs),
    /// Fuzzes what reads bytes of peers, guided by coverage.
    ///
    /// Runs cargo-fuzz, which it installs under target/tools when it is missing, on stable Rust
    /// without sanitizers; needs a C++ compiler. An input that a target fails for is kept in
    /// fuzz/artifacts. `cargo test` runs the same targets on their first inputs and mutations of
    /// them.
    Fuzz(FuzzArgs),
    /// Simulates 3,000 whole worlds with mp-sim, or as many as you say.
    ///
    /// See docs/SIMULATION.md. `cargo run --release -p mp-sim -- --help` explains the program itself.
    Worlds(WorldsArgs),
    /// Plants faults in a copy of the sources, one after the other, and fails when mp-sim does not find each.
    ///
    /// The copy and its build are in target/sim-faults; the faults are listed in xtask/src/worlds/faults.rs.
    SimFaults(FaultsArgs),
    /// Prints the path and version of the Godot that the tests use, and fetches it where there is none.
    Godot,
}

const AFTER_HELP: &str = "\
Environment:
  GODOT             a Godot 4 binary; else godot or godot4 on PATH when it is a 4.x, else Debian's
                    package, unpacked under target/godot (160 MB to fetch, nothing is installed)
  MP_INTEROP_SUITE  an additional suite folder for `test`
  MP_INTEROP_BIN    play mp's side with this program instead of building mp-interop
  MP_SERVER_BIN     likewise instead of mp-server

Examples:
  cargo xtask test
  cargo xtask interop --scenario hello --scenario calls
  cargo xtask interop --suite ../my-suite --compression range
  cargo xtask interop --role client
  cargo xtask enet --rounds 500 --seed 2
  cargo xtask interop --planted-fault
  cargo xtask interop --self-check --transport ws
  cargo xtask fuzz variant --minutes 30
  cargo xtask bench --quick --only echo --only relay";

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Test => steps::test(),
        Command::Ci => steps::ci(),
        Command::Deny => deny::deny().map(drop),
        Command::Features => features::features().map(drop),
        Command::Audit => deny::audit().map(|done| println!("audit: {done}")),
        Command::Interop(args) => interop::run(&args).map(drop),
        Command::Bench(args) => bench::bench(&args),
        Command::OneRoom => godot::find().and_then(|godot| one_room::play(&godot)).map(|done| {
            println!("one room: {done}");
        }),
        Command::Proxy => godot::find().and_then(|godot| proxy::play(&godot)).map(|done| {
            println!("proxy: {done}");
        }),
        Command::Enet(args) => enet::run(&args).map(drop),
        Command::Fuzz(args) => fuzz::fuzz(&args),
        Command::Worlds(args) => worlds::worlds(&args).map(drop),
        Command::SimFaults(args) => worlds::sim_faults(&args),
        Command::Godot => godot::find().map(|godot| println!("{}", godot.path.display())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}
