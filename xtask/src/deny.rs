//! `cargo xtask deny` and `audit`: cargo-deny on the locked dependencies of both workspaces.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tool::Tool;
use crate::workspace::{cargo, quiet, root, run, target};

/// Checks licences, sources, and banned, duplicate and yanked crates. What cargo has fetched is all that it needs.
///
/// # Errors
///
/// When a crate is against the rules of deny.toml, or cargo-deny can be neither found nor installed.
pub(crate) fn deny() -> Result<String, String> {
    let tool = CARGO_DENY.path()?;
    let advisories = placeholder()?;
    for workspace in workspaces() {
        run(cargo().current_dir(&workspace).args(["fetch", "--locked", "--quiet"]))?;
        let check = |config: &Path, which: &[&str]| {
            let mut command = Command::new(&tool);
            command.current_dir(&workspace).args(["--offline", "--config"]).arg(config);
            run(command.args(["check", "--hide-inclusion-graph"]).args(which))
        };
        check(&workspace.join("deny.toml"), &["licenses", "bans", "sources"])?;
        check(&advisories, &["advisories"])?;
    }
    Ok("licences, sources, banned, duplicate and yanked crates".to_owned())
}

/// Checks advisories (and yanked crates), which needs the network.
///
/// # Errors
///
/// When there is an advisory for a locked crate, or the database cannot be fetched.
pub(crate) fn audit() -> Result<String, String> {
    let tool = CARGO_DENY.path()?;
    quiet(Command::new(&tool).current_dir(root()).args(["fetch", "db"])).map_err(|why| {
        format!(
            "the advisory database cannot be fetched; `cargo xtask audit` needs the network: {why}"
        )
    })?;
    for workspace in workspaces() {
        run(Command::new(&tool).current_dir(workspace).args(["check", "advisories"]))?;
    }
    Ok("no advisory for the locked crates".to_owned())
}

fn workspaces() -> [PathBuf; 2] {
    [root().to_path_buf(), root().join("bench")]
}

/// Makes a configuration for the check of yanked crates alone, which cargo-deny does only with advisories: its database has one, of a
/// crate that nobody uses. Which crates are yanked is in cargo's index.
fn placeholder() -> Result<PathBuf, String> {
    let folder = target().join("deny");
    let database = folder.join("db").join(DATABASE);
    let advisory = database.join("crates/none/RUSTSEC-2000-0001.md");
    let written = || -> std::io::Result<PathBuf> {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(advisory.parent().unwrap_or(&database))?;
        fs::write(&advisory, ADVISORY)?;
        let config = folder.join("yanked.toml");
        let graph = "[graph]\nall-features = true\n[advisories]\nyanked = \"deny\"\n";
        fs::write(&config, format!("{graph}db-path = {:?}\n", folder.join("db")))?;
        Ok(config)
    };
    let config = written().map_err(|error| format!("{}: {error}", folder.display()))?;
    let identity = ["-c", "user.name=xtask", "-c", "user.email=xtask@localhost"];
    for arguments in [
        &["init", "-q", "-b", "main"][..],
        &["add", "--all"],
        &["commit", "-q", "-m", "One advisory"],
        &["fetch", "-q", "."],
    ] {
        quiet(Command::new("git").current_dir(&database).args(identity).args(arguments))?;
    }
    Ok(config)
}

/// The version whose folder [`DATABASE`] is.
const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };

/// The folder in which cargo-deny looks for the database of RustSec: the hash of its address.
const DATABASE: &str = "advisory-db-3157b0e258782691";

const ADVISORY: &str = r#"```toml
[advisory]
id = "RUSTSEC-2000-0001"
package = "none"
date = "2000-01-01"

[versions]
patched = []
```

# A placeholder
"#;
