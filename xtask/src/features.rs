//! Checks each feature alone, and that some crates build without a C compiler.

use std::process::Command;

use crate::tool::Tool;
use crate::workspace::{cargo, root, run};

/// Lints each crate of the workspace without features, and with each feature alone that a program
/// may select. Then checks that the crates in [`WITHOUT_C`] need no C compiler.
///
/// Other steps lint and test the default features and all features.
///
/// # Errors
///
/// Returns an error on a warning, if such a crate needs a C compiler, or if cargo-hack is not found
/// and cannot be installed.
pub(crate) fn features() -> Result<String, String> {
    let hack = CARGO_HACK.path()?;
    let mut command = Command::new(&hack);
    command.current_dir(root()).args(["hack", "clippy", "--workspace", "--each-feature"]);
    command.args(["--exclude-all-features", "--exclude-features"]).arg(OF_TESTS.join(","));
    run(command.args(["--quiet", "--", "-D", "warnings"]))?;
    for package in WITHOUT_C {
        needs_no_c(package)?;
    }
    Ok(format!(
        "each feature alone; {} crates need no C compiler without features",
        WITHOUT_C.len()
    ))
}

/// Fails if `package` without default features depends on one of [`C_BUILDERS`].
fn needs_no_c(package: &str) -> Result<(), String> {
    let mut command = cargo();
    command.args(["tree", "--locked", "--package", package, "--no-default-features"]);
    command.args(["--edges", "normal,build", "--target", "all"]);
    let output = command.args(["--prefix", "none", "--format", "{lib}"]).output();
    let output = output.map_err(|e| format!("cannot run cargo tree: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let libraries = String::from_utf8_lossy(&output.stdout);
    match libraries.lines().find(|library| C_BUILDERS.contains(library)) {
        None => Ok(()),
        Some(builder) => Err(format!(
            "{package} needs a C compiler: cargo tree --package {package} --no-default-features \
             --edges normal,build --invert {builder}"
        )),
    }
}

/// Features for this workspace's own tests, which the step "lints" covers.
const OF_TESTS: [&str; 3] = ["default", "fuzzing", "testing"];

/// Crates that build scripts use to compile C.
const C_BUILDERS: [&str; 2] = ["cc", "cmake"];

/// Crates that need no C compiler without their default features.
const WITHOUT_C: [&str; 7] = [
    "mp-core",
    "mp-host",
    "mp-scene",
    "mp-project",
    "mp-transport-enet",
    "mp-transport-ws",
    "mp-actor",
];

const CARGO_HACK: Tool = Tool { name: "cargo-hack", version: "0.6.46" };
