//! `cargo xtask deny` and `audit`: run cargo-deny on the locked dependencies of both workspaces.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tool::Tool;
use crate::workspace::{cargo, quiet, root, run, target};

/// Checks licences and sources, and rejects banned, duplicate and yanked crates. Works offline if
/// cargo has fetched the crates.
///
/// # Errors
///
/// Returns an error if a crate violates deny.toml, or cargo-deny is not found and cannot be
/// installed.
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

/// Checks security advisories and yanked crates. Needs the network.
///
/// # Errors
///
/// Returns an error if a locked crate has an advisory, or the database cannot be downloaded.
pub(crate) fn audit() -> Result<String, String> {
    let tool = CARGO_DENY.path()?;
    quiet(Command::new(&tool).current_dir(root()).args(["fetch", "db"])).map_err(|why| {
        format!(
            "cannot download the advisory database; `cargo xtask audit` needs the network: {why}"
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

/// Creates a configuration that only checks yanked crates. cargo-deny combines this check with
/// advisories, so its database contains one advisory for an unused crate. Yanked crates are listed
/// in cargo's index.
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

/// Version that uses the folder name [`DATABASE`].
const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };

/// Folder in which cargo-deny looks for RustSec's database: a hash of its address.
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
