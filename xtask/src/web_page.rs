//! The web page of examples/web: its `mp.js` under node.

use std::path::PathBuf;
use std::process::Command;

use crate::godot::on_path;
use crate::workspace::{root, run};

/// Runs the tests of `mp.js`, which compare it with recordings of Godot.
///
/// # Errors
///
/// Returns an error without node, or if a test fails.
pub(crate) fn recordings() -> Result<String, String> {
    let mut command = Command::new(node()?);
    command.args(["--test", "--test-reporter=dot"]).arg(root().join("examples/web/mp.test.js"));
    run(&mut command)?;
    Ok("sends and does what Godot did".to_owned())
}

/// Returns the path of node.
fn node() -> Result<PathBuf, String> {
    on_path("node").ok_or_else(|| {
        "no node on PATH, which runs the tests of mp.js; install it: apt-get install nodejs"
            .to_owned()
    })
}
