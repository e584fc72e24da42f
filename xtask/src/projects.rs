//! Compares mp-project with Godot: RPC tables, checksums, nodes and replication of projects.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::godot::Godot;
use crate::suite::Suite;
use crate::workspace::{cargo, root, run, shown, target};

/// Reads each Godot project of the repository, and the additional suite if there is one, with
/// mp-project and with Godot.
///
/// # Errors
///
/// Returns the first difference of each project that has one.
pub(crate) fn compare(godot: &Godot) -> Result<String, String> {
    run(cargo().args(["build", "--quiet", "--package", "mp-project", "--example", EXAMPLE]))?;
    let found = find(root()).map_err(|error| format!("{}: {error}", root().display()))?;
    let projects: Vec<PathBuf> = found.into_iter().chain(Suite::additional_folder()).collect();
    let (mut lines, mut failed) = (0, Vec::new());
    for project in &projects {
        let result = compare_project(godot, project);
        match result {
            Ok(equal) => lines += equal,
            Err(why) => failed.push(format!("{}: {why}", project.display())),
        }
    }
    match failed.is_empty() {
        true => Ok(format!("{} projects, {lines} equal lines", projects.len())),
        false => Err(failed.join("\n")),
    }
}

const EXAMPLE: &str = "print_project";

/// Compares the output of both readers for a copy of the project, into which Godot imports. Returns
/// the number of lines.
fn compare_project(godot: &Godot, project: &Path) -> Result<usize, String> {
    let folder = target().join("projects");
    let copied = folder.join("copy");
    let copy = || -> io::Result<()> {
        if copied.exists() {
            fs::remove_dir_all(&copied)?;
        }
        copy(project, &copied)
    };
    copy().map_err(|error| format!("cannot copy: {error}"))?;
    // Godot finds class names and UIDs in an import only. It fails for scripts that do not compile.
    let mut import = godot.editor(&copied);
    import.arg("--import").output().map_err(|e| format!("cannot run {}: {e}", shown(&import)))?;

    let script = root().join("crates/mp-project/examples").join(EXAMPLE).with_extension("gd");
    let output = |mut command: std::process::Command| {
        let output =
            command.output().map_err(|e| format!("cannot run {}: {e}", shown(&command)))?;
        Ok::<_, String>(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let expected = output(godot.script(&copied, &script.to_string_lossy()))?;
    let mut own = std::process::Command::new(target().join("debug/examples").join(EXAMPLE));
    own.arg(&copied);
    let found = output(own)?;
    if expected.is_empty() {
        return Err("Godot prints nothing".to_owned());
    }
    let (mut expected, mut found) = (expected.lines(), found.lines());
    let mut count = 0;
    loop {
        match (expected.next(), found.next()) {
            (None, None) => return Ok(count),
            (godot, own) if godot == own => count += 1,
            (godot, own) => {
                let (godot, own) = (godot.unwrap_or_default(), own.unwrap_or_default());
                return Err(format!("line {}: Godot {godot:?}, mp-project {own:?}", count + 1));
            }
        }
    }
}

/// Returns the folders with a project.godot, without build output.
fn find(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if folder.join("project.godot").is_file() {
        found.push(folder.to_owned());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_hidden = name.to_string_lossy().starts_with('.');
        if entry.file_type()?.is_dir() && !is_hidden && name != "target" {
            found.extend(find(&entry.path())?);
        }
    }
    found.sort();
    Ok(found)
}

/// Copies the files of a folder without hidden folders.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(&name))?;
        } else if entry.file_type()?.is_dir() && !name.to_string_lossy().starts_with('.') {
            copy(&entry.path(), &to.join(&name))?;
        }
    }
    Ok(())
}
