//! `cargo xtask enet`: runs sessions with C ENet. Downloads ENet, compiles interop/enet/peer.c, and
//! starts mp-interop-enet.

use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use crate::{debian, workspace};

/// Options of `cargo xtask enet`.
#[derive(Args, Clone)]
pub(crate) struct EnetArgs {
    /// Rounds of each packet session: one packet of every kind and size in both directions, and
    /// bulk
    #[arg(long, value_name = "N", default_value_t = ROUNDS)]
    pub(crate) rounds: u64,
    /// Seed of the losses
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

impl Default for EnetArgs {
    fn default() -> Self {
        Self { rounds: ROUNDS, seed: 1 }
    }
}

/// Builds both programs, and runs all sessions.
///
/// # Errors
///
/// Returns an error if a prerequisite is missing, or a session fails.
pub(crate) fn run(args: &EnetArgs) -> Result<String, String> {
    let peer = build_peer()?;
    workspace::run(workspace::cargo().args(["build", "--quiet", "--package", DRIVER]))?;
    let mut driver = Command::new(workspace::binary(DRIVER));
    driver.arg("--peer").arg(peer);
    driver.args(["--rounds", &args.rounds.to_string(), "--seed", &args.seed.to_string()]);
    workspace::run(&mut driver)?;
    Ok(format!("all sessions, {} rounds, seed {}", args.rounds, args.seed))
}

/// Compiles the C program with Debian's ENet, and returns its path.
fn build_peer() -> Result<PathBuf, String> {
    let folder = workspace::target().join("enet");
    let enet = debian::enet(&folder).map_err(|why| {
        format!("cannot download Debian's ENet: {why}\nThis needs a machine with apt and a Debian mirror in its sources")
    })?;
    let source = workspace::root().join("interop/enet/peer.c");
    let program = folder.join("peer");
    let mut compiler = Command::new("cc");
    compiler.args(["-std=c99", "-D_DEFAULT_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-I"]);
    compiler.arg(enet.include).arg(&source).arg("-L").arg(&enet.library).arg("-lenet");
    compiler.arg(format!("-Wl,-rpath,{}", enet.library.display())).arg("-o").arg(&program);
    if Command::new("cc").arg("--version").output().is_err() {
        return Err("no C compiler (cc); on Debian: apt-get install gcc libc6-dev".to_owned());
    }
    workspace::run(&mut compiler)?;
    Ok(program)
}

const DRIVER: &str = "mp-interop-enet";

/// Rounds of CI.
const ROUNDS: u64 = 16;
