//! Cargo subcommands that are installed under the target folder.

use std::path::PathBuf;
use std::process::Command;

use crate::workspace::{cargo, run, target};

/// A cargo subcommand and the version of it that the project uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    /// The crate, which is also the binary: `cargo-deny`.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

impl Tool {
    /// Returns the path of the binary under target/tools; installs it when it is missing or has
    /// another version, which takes up to a minute. The tools are built without optimizations: they
    /// run for less time than those would take.
    ///
    /// # Errors
    ///
    /// When it cannot be installed from the crate registry.
    pub(crate) fn path(self) -> Result<PathBuf, String> {
        let Self { name, version } = self;
        let subcommand = name.trim_start_matches("cargo-");
        let folder = target().join("tools");
        let binary = folder.join("bin").join(name);
        let printed = Command::new(&binary).args([subcommand, "--version"]).output();
        let is_there = printed.is_ok_and(|printed| {
            let words = String::from_utf8_lossy(&printed.stdout);
            words.split_whitespace().any(|word| word == version)
        });
        if !is_there {
            println!("installing {name} {version} into {} (minutes, once) ...", folder.display());
            let mut install = cargo();
            install.args(["install", name, "--debug", "--locked", "--quiet", "--version", version]);
            run(install.arg("--root").arg(&folder)).map_err(|why| {
                format!("{name} {version} cannot be installed from the crate registry: {why}")
            })?;
        }
        Ok(binary)
    }
}
