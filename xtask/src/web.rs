//! Godot's web build in a headless browser, as a player of scenarios.
//!
//! One browser process with one page runs all players, each in a frame of its own:
//!
//! ```text
//!  xtask ─ starts ─► xtask web-player ARGS ─POST run─► RunServer ◄─GET next, POST output─ page
//!                    prints the game's output          (in xtask)                         frames
//! ```

mod additional_suite;
mod server;
mod template;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian::{self, CHROMIUM};
use crate::godot::{Godot, on_path};
use crate::process::Process;
use crate::workspace::{binary, quiet, root, target};

pub(crate) use additional_suite::over_webrtc;
use server::RunServer;
pub(crate) use server::play;

/// A browser in which Godot's web build runs a project. Dropping it ends the browser.
pub(crate) struct WebGodot {
    address: SocketAddr,
    _browser: Process,
}

impl WebGodot {
    /// Packs the Godot project in `project`, with more lines for its settings. Starts a browser.
    ///
    /// # Errors
    ///
    /// Returns an error if the web build or the browser is missing and cannot be downloaded.
    pub(crate) fn start(godot: &Godot, project: &Path, settings: &str) -> Result<Self, String> {
        let address = serve(godot, project, settings)?;
        let folder = target().join("web");
        let profile = folder.join("profile");
        if profile.exists() {
            fs::remove_dir_all(&profile).map_err(|e| format!("{}: {e}", profile.display()))?;
        }
        let mut command = Command::new(browser()?);
        command.args(BROWSER_ARGS).arg(format!("--user-data-dir={}", profile.display()));
        command.arg(format!("http://{address}/index.html"));
        let browser = Process::start("browser", &mut command, &folder.join("browser.log"))?;
        Ok(Self { address, _browser: browser })
    }

    /// Returns a command that runs the project in the browser.
    pub(crate) fn command(&self) -> Command {
        // Not `current_exe`: cargo may have replaced this program since it was started.
        let mut command = Command::new(binary("xtask"));
        command.args(["web-player", &self.address.to_string(), "--"]);
        command
    }
}

/// Packs the Godot project in `project`, with more lines for its settings, and serves it to
/// browsers until this process ends: `game.html?arg=…` runs it.
///
/// # Errors
///
/// Returns an error if the web build is missing and cannot be downloaded.
pub(crate) fn serve(godot: &Godot, project: &Path, settings: &str) -> Result<SocketAddr, String> {
    let folder = target().join("web");
    let template = template::unpacked(&folder.join("template"))?;
    let pack = folder.join("game.pck");
    write_pack(godot, project, settings, &pack)?;
    let pages = root().join("interop/web");
    Ok(RunServer::start(vec![pages, template, folder])?.address())
}

/// Returns the path of a Chromium: that on PATH, else Debian's.
pub(crate) fn browser() -> Result<PathBuf, String> {
    match on_path(CHROMIUM) {
        Some(path) => Ok(path),
        None => debian::chromium(&target().join(CHROMIUM))
            .map_err(|why| format!("no chromium on PATH, and Debian's cannot be used: {why}")),
    }
}

/// Writes the project with mp-server's script for WebRTC clients.
fn write_pack(godot: &Godot, folder: &Path, settings: &str, pack: &Path) -> Result<(), String> {
    let write = |name: &str, text: &str| -> Result<PathBuf, String> {
        let file = target().join("web").join(name);
        fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
        Ok(file)
    };
    let project = folder.join(PROJECT);
    let text = fs::read_to_string(&project).map_err(|e| format!("{}: {e}", project.display()))?;
    let project = write(PROJECT, &format!("{text}\n{settings}"))?;
    let classes = write("global_script_class_cache.cfg", "list=Array[Dictionary]([])\n")?;
    let mut files = Vec::new();
    list(folder, folder, &mut files)?;
    files.push((PROJECT.into(), project));
    files.push((WEBRTC_CLIENT.into(), root().join("crates/mp-server").join(WEBRTC_CLIENT)));
    files.push((".godot/global_script_class_cache.cfg".into(), classes));
    let mut command = godot.script(&root().join("interop/web"), "pack.gd");
    command.arg(pack);
    command.args(files.iter().map(|(path, file)| format!("{path}={}", file.display())));
    quiet(&mut command)
}

/// Lists the scripts and scenes of a Godot project, with their paths in it.
fn list(project: &Path, folder: &Path, files: &mut Vec<(String, PathBuf)>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            list(project, &path, files)?;
        } else if ["gd", "tscn"].iter().any(|it| name.ends_with(&format!(".{it}"))) {
            let inner = path.strip_prefix(project).unwrap_or(&path);
            files.push((inner.to_string_lossy().into_owned(), path));
        }
    }
    Ok(())
}

const PROJECT: &str = "project.godot";
const WEBRTC_CLIENT: &str = "mp_webrtc_client.gd";

/// No GPU, no window, no throttling of pages in the background, and candidates with addresses
/// instead of multicast names.
const BROWSER_ARGS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
];
