//! Cargo subcommands that are installed under the target folder.

use std::path::PathBuf;
use std::process::Command;

use crate::workspace::{cargo, run, target};

/// A cargo subcommand in a fixed version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    /// Name of the crate and of its binary, such as `cargo-deny`.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

impl Tool {
    /// Returns the path of the binary under target/tools. Installs it if it is missing or has
    /// another version. Builds it without optimization: compiling takes longer than running it.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be installed from the crate registry.
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
            println!(
                "installing {name} {version} into {} (takes minutes, once) ...",
                folder.display()
            );
            let mut install = cargo();
            install.args(["install", name, "--debug", "--locked", "--quiet", "--version", version]);
            run(install.arg("--root").arg(&folder)).map_err(|why| {
                format!("cannot install {name} {version} from the crate registry: {why}")
            })?;
        }
        Ok(binary)
    }
}
