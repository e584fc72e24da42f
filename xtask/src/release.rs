//! `cargo xtask package`, `semver` and `deb`: checks of the library crates before a release, and
//! the Debian package of mp-server.

use std::fs;
use std::process::Command;

use clap::Args;

use crate::workspace::{cargo, quiet, root, run, target};

/// Arguments of `semver`.
#[derive(Args)]
pub(crate) struct SemverArgs {
    /// Git revision whose API the working tree is compared with
    #[arg(long, value_name = "REVISION", default_value = "main")]
    baseline: String,
    /// Only this crate (repeatable); each takes minutes, since its dependencies are compiled
    #[arg(long, value_name = "NAME")]
    package: Vec<String>,
}

/// Packages each crate under `crates/` into target/package, without building it.
///
/// # Errors
///
/// Returns an error if a manifest cannot be published, for example because a path dependency has no
/// version.
pub(crate) fn package() -> Result<String, String> {
    let mut command = cargo();
    command.current_dir(root()).args(["package", "--workspace", "--quiet", "--allow-dirty"]);
    // A lock file would need the crates in the registry.
    command.args(["--no-verify", "--exclude-lockfile"]);
    for package in NOT_PACKAGED {
        command.args(["--exclude", package]);
    }
    run(&mut command)?;
    Ok("every crate can be packaged; they are in target/package".to_owned())
}

/// Builds mp-server for release, and its Debian package in target/deb.
///
/// # Errors
///
/// Returns an error if a build fails, or on a machine without Debian's tools.
pub(crate) fn deb() -> Result<String, String> {
    run(cargo().current_dir(root()).args(["build", "--release", "--locked", "-p", "mp-server"]))?;
    let mut command = Command::new(root().join("packaging/debian/build"));
    run(command.arg(target().join("release/mp-server")).arg(target().join("deb")))?;
    Ok("the package is in target/deb".to_owned())
}

/// Compares the public API of the library crates with that of a revision.
///
/// # Errors
///
/// Returns an error if a change is not allowed by the version number, or if cargo-semver-checks is
/// not installed.
pub(crate) fn semver(args: &SemverArgs) -> Result<(), String> {
    quiet(cargo().args(["semver-checks", "--version"])).map_err(|_| NOT_INSTALLED.to_owned())?;
    let mut command = cargo();
    command.current_dir(root()).args(["semver-checks", "--baseline-rev"]).arg(&args.baseline);
    // The tool skips crates with `publish = false`, unless they are named.
    let all = if args.package.is_empty() { libraries()? } else { args.package.clone() };
    for name in all {
        command.args(["--package", &name]);
    }
    run(&mut command)
}

/// Returns the names of the crates under `crates/`, in order.
fn libraries() -> Result<Vec<String>, String> {
    let folder = root().join("crates");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let is_library = |name: &String| folder.join(name).join("src/lib.rs").exists();
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(is_library).collect();
    names.sort();
    Ok(names)
}

/// Members of the workspace that are not published.
const NOT_PACKAGED: [&str; 6] =
    ["mp-examples", "mp-interop", "mp-interop-enet", "mp-moves", "mp-soak", "xtask"];

const NOT_INSTALLED: &str = "cargo-semver-checks is not installed; run `cargo install --locked \
                             cargo-semver-checks@0.51.0`, which needs Rust 1.93 or later";
