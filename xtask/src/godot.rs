//! Finds a real Godot 4.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{debian, workspace};

/// An installed Godot 4.
#[derive(Clone, Debug)]
pub(crate) struct Godot {
    pub(crate) path: PathBuf,
    pub(crate) version: String,
}

/// Returns `$GODOT`, else `godot` or `godot4` on PATH if it is a 4.x, else Debian's, unpacked under
/// target/godot. Prints its version and path.
///
/// # Errors
///
/// Returns an error if `$GODOT` is not a Godot 4, or if none is found and none can be downloaded.
pub(crate) fn find() -> Result<Godot, String> {
    let (path, version) = search()?;
    eprintln!("Godot {version}: {}", path.display());
    Ok(Godot { path, version })
}

impl Godot {
    /// Returns a command that runs `project` in headless mode. Godot's settings and caches are
    /// stored below the target folder.
    pub(crate) fn command(&self, project: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command.args(["--headless", "--no-header", "--path"]).arg(project).arg("--");
        with_home(command)
    }

    /// Returns a command that runs the editor of `project` in headless mode.
    pub(crate) fn editor(&self, project: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command.args(["--headless", "--path"]).arg(project);
        with_home(command)
    }

    /// Returns a command that runs a script of `folder`, or at an absolute path, in headless mode.
    pub(crate) fn script(&self, folder: &Path, script: &str) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(["--headless", "--no-header", "--path"])
            .arg(folder)
            .args(["-s", script, "--"]);
        with_home(command)
    }
}

fn with_home(mut command: Command) -> Command {
    let home = workspace::target().join("interop/home");
    for variable in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        command.env(variable, &home);
    }
    command
}

fn search() -> Result<(PathBuf, String), String> {
    if let Some(given) = env::var_os("GODOT").filter(|given| !given.is_empty()) {
        let path = PathBuf::from(given);
        let version = version(&path).map_err(|why| {
            format!("$GODOT is not a Godot 4 ({why}); set it to the path of one, or unset it")
        })?;
        return Ok((path, version));
    }
    for name in ["godot", "godot4"] {
        if let Some(path) = on_path(name)
            && let Ok(version) = version(&path)
        {
            return Ok((path, version));
        }
    }
    let path = debian::unpacked(debian::GODOT, &workspace::target().join("godot")).map_err(|why| {
        format!("no Godot 4 on PATH, and Debian's cannot be downloaded: {why}\nSet GODOT to the path of a Godot 4 binary (https://godotengine.org/download)")
    })?;
    let version = version(&path)?;
    Ok((path, version))
}

/// Returns the path of a program on PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

fn version(path: &Path) -> Result<String, String> {
    let output = Command::new(path)
        .arg("--version")
        .output()
        .map_err(|e| format!("cannot run {}: {e}", path.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    godot_4(&text).map(str::to_owned).ok_or_else(|| {
        let first = text.lines().next().unwrap_or_default();
        format!("{} --version prints {first:?}, which is not a 4.x", path.display())
    })
}

/// Returns the version in the output of `--version` if it is a 4.x. Wrappers and drivers may print
/// other lines around it.
fn godot_4(output: &str) -> Option<&str> {
    output.lines().map(str::trim).find(|line| line.starts_with("4."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_version_4_is_accepted() {
        assert_eq!(godot_4("4.6.3.stable.official.abc\n"), Some("4.6.3.stable.official.abc"));
        assert_eq!(godot_4("libdecor: no\n4.4.stable\n"), Some("4.4.stable"));
        assert_eq!(godot_4("3.5.2.stable\n"), None);
        assert_eq!(godot_4(""), None);
    }
}
