//! Debian packages unpacked into folders: programs (Godot 4, nginx, Caddy, gdb, tshark) with all
//! their libraries, and ENet. Uses apt with a configuration of its own to resolve and verify
//! packages, so nothing on the system changes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::quiet;

/// Program in a Debian package.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    /// Name of the package and of the program.
    pub(crate) name: &'static str,
    /// Path in the package, below `usr`.
    path: &'static str,
    /// Approximate download size.
    size: &'static str,
}

pub(crate) const GODOT: Program = Program { name: "godot", path: "bin/godot", size: "160 MB" };
pub(crate) const CADDY: Program = Program { name: "caddy", path: "bin/caddy", size: "20 MB" };
pub(crate) const NGINX: Program = Program { name: "nginx", path: "sbin/nginx", size: "10 MB" };
/// An authority of certificates for tests.
pub(crate) const PEBBLE: Program = Program { name: "pebble", path: "bin/pebble", size: "5 MB" };
/// Name server of [`PEBBLE`], in the same package.
pub(crate) const PEBBLE_NAMES: Program =
    Program { name: "pebble-challtestsrv", path: "bin/pebble-challtestsrv", size: "" };
/// Prints the stacks of a test whose turn does not end.
pub(crate) const GDB: Program = Program { name: "gdb", path: "bin/gdb", size: "60 MB" };

/// Decodes captures.
const TSHARK: Program = Program { name: "tshark", path: "bin/tshark", size: "50 MB" };
/// Counts instructions.
pub(crate) const VALGRIND: Program =
    Program { name: "valgrind", path: "bin/valgrind.bin", size: "60 MB" };

/// Returns the program `wanted` in `folder`. Downloads and unpacks it if it is missing.
///
/// # Errors
///
/// Returns an error on a machine without apt and a Debian mirror, or if the download fails.
pub(crate) fn unpacked(wanted: Program, folder: &Path) -> Result<PathBuf, String> {
    let Program { name, size, .. } = wanted;
    let program = folder.join(name);
    if program.is_file() {
        return Ok(program);
    }
    let mirror =
        mirror(&apt_sources()).ok_or("the apt sources of this machine contain no Debian mirror")?;
    eprintln!("fetching Debian's {name} and its libraries from {mirror} (about {size}) ...");
    let finish = |partial: &Path| write_wrapper(wanted, partial);
    unpack(folder, &mirror, SUITE, |apt| apt.download(name), finish)?;
    Ok(program)
}

/// Returns another program of the package that [`unpacked`] has unpacked to `folder`.
///
/// # Errors
///
/// Returns an error if the package is not there.
pub(crate) fn also_unpacked(wanted: Program, folder: &Path) -> Result<PathBuf, String> {
    write_wrapper(wanted, folder)?;
    Ok(folder.join(wanted.name))
}

/// Returns Chromium of this machine's Debian suite in `folder`. Downloads and unpacks it if it is
/// missing. It runs with the C library of this machine: it finds its files, and starts its other
/// processes, by the path of its binary, which the loader of another suite would hide.
///
/// # Errors
///
/// Returns an error on a machine without apt and a Debian mirror, or if the download fails.
pub(crate) fn chromium(folder: &Path) -> Result<PathBuf, String> {
    let program = folder.join(CHROMIUM);
    if program.is_file() {
        return Ok(program);
    }
    let (mirror, suite) = own_suite()?;
    eprintln!("fetching Debian's chromium and its libraries from {mirror} (about 150 MB) ...");
    let finish = |partial: &Path| {
        let libraries = libraries(partial)?;
        for name in C_LIBRARY {
            drop(fs::remove_file(libraries.join(name))); // fails if the suite has merged it
        }
        let triple = libraries.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let script = format!(
            "#!/bin/sh\n\
             # Runs the unpacked program with the libraries of its package.\n\
             usr=$(dirname \"$(readlink -f \"$0\")\")/root/usr\n\
             lib=\"$usr/lib/{triple}\"\n\
             export LD_LIBRARY_PATH=\"$lib:$lib/pulseaudio:$usr/../lib/{triple}\"\n\
             exec \"$usr/lib/chromium/chromium\" \"$@\"\n"
        );
        write_script(&partial.join(CHROMIUM), &script)
    };
    unpack(folder, &mirror, &suite, |apt| apt.download(CHROMIUM), finish)?;
    Ok(program)
}

/// Returns a mirror and the suite of this machine.
fn own_suite() -> Result<(String, String), String> {
    let mirror =
        mirror(&apt_sources()).ok_or("the apt sources of this machine contain no Debian mirror")?;
    let suite = codename(&fs::read_to_string("/etc/os-release").unwrap_or_default());
    Ok((mirror, suite.unwrap_or_else(|| "stable".to_owned())))
}

/// Returns tshark, Wireshark's program for terminals, in `folder`. Downloads and unpacks it if it
/// is missing. It runs plugins for the superuser, too.
///
/// # Errors
///
/// Returns an error on a machine without apt and a Debian mirror, or if the download fails.
pub(crate) fn tshark(folder: &Path) -> Result<PathBuf, String> {
    let program = unpacked(TSHARK, folder)?;
    let plugins = libraries(folder)?.join("plugins");
    let io = |e: std::io::Error| format!("{}: {e}", plugins.display());
    fs::create_dir_all(&plugins).map_err(io)?;
    fs::write(plugins.join("init.lua"), "run_user_scripts_when_superuser = true\n").map_err(io)?;
    Ok(program)
}

/// Folders of ENet's headers and library.
pub(crate) struct Enet {
    pub(crate) include: PathBuf,
    pub(crate) library: PathBuf,
}

/// Returns ENet of this machine's Debian suite, which links with its C library. Downloads and
/// unpacks it below `folder` if it is missing.
///
/// # Errors
///
/// Returns an error on a machine without apt and a Debian mirror, or if the download fails.
pub(crate) fn enet(folder: &Path) -> Result<Enet, String> {
    if !folder.join("root").is_dir() {
        let (mirror, suite) = own_suite()?;
        eprintln!("fetching Debian's ENet ({suite}) from {mirror} ...");
        unpack(folder, &mirror, &suite, |apt| apt.download_alone("libenet"), |_| Ok(()))?;
    }
    let lib = folder.join("root/usr/lib");
    let folders = fs::read_dir(&lib).map_err(|e| format!("{}: {e}", lib.display()))?;
    let library = folders
        .flatten()
        .map(|entry| entry.path())
        .find(|library| library.join("libenet.so").is_file())
        .ok_or_else(|| format!("no libenet.so below {}", lib.display()))?;
    Ok(Enet { include: folder.join("root/usr/include"), library })
}

/// Unpacks the result of `download` into `folder/root`, and runs `finish` on it. Uses a temporary
/// folder, so that `folder` is complete if it exists.
fn unpack(
    folder: &Path,
    mirror: &str,
    suite: &str,
    download: impl FnOnce(&Apt) -> Result<Vec<PathBuf>, String>,
    finish: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<(), String> {
    let partial = folder.with_extension("partial");
    let io = |e: std::io::Error| format!("{}: {e}", partial.display());
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(io)?;
    }
    let apt = Apt::new(&partial.join("apt"), mirror, suite).map_err(io)?;
    for package in download(&apt)? {
        quiet(Command::new("dpkg").arg("-x").arg(package).arg(partial.join("root")))?;
    }
    fs::remove_dir_all(partial.join("apt")).map_err(io)?;
    finish(&partial)?;
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(io)?;
    }
    fs::rename(&partial, folder).map_err(io)
}

/// Configuration of apt with one mirror, no installed packages, and all files in one folder.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn new(folder: &Path, mirror: &str, suite: &str) -> std::io::Result<Self> {
        fs::create_dir_all(folder.join("lists/partial"))?;
        fs::create_dir_all(folder.join("cache/archives/partial"))?;
        fs::write(folder.join("status"), "")?;
        let keyring = KEYRINGS.iter().find(|keyring| Path::new(keyring).is_file());
        let signed_by =
            keyring.map(|keyring| format!("[signed-by={keyring}] ")).unwrap_or_default();
        fs::write(folder.join("sources.list"), format!("deb {signed_by}{mirror} {suite} main\n"))?;
        Ok(Self { folder: folder.to_path_buf() })
    }

    /// Downloads `package` with all its dependencies, and returns the files.
    fn download(&self, package: &str) -> Result<Vec<PathBuf>, String> {
        quiet(self.get().arg("update"))?;
        quiet(self.get().args(["install", "--yes", "--download-only", package]))?;
        packages(&self.folder.join("cache/archives"))
    }

    /// Downloads a library and its development files without other dependencies, and returns the
    /// files.
    fn download_alone(&self, library: &str) -> Result<Vec<PathBuf>, String> {
        quiet(self.get().arg("update"))?;
        let download = |package: &str| {
            quiet(self.get().args(["download", package]).current_dir(&self.folder))?;
            packages(&self.folder)
        };
        for package in download(&format!("{library}-dev"))? {
            let mut command = Command::new("dpkg-deb");
            command.arg("-f").arg(package).arg("Depends");
            let output = command.output().map_err(|e| format!("cannot run dpkg-deb: {e}"))?;
            let depends = String::from_utf8_lossy(&output.stdout).into_owned();
            for name in depends.split(',').filter_map(|name| name.split_whitespace().next()) {
                if name.starts_with(library) {
                    download(name)?;
                }
            }
        }
        packages(&self.folder)
    }

    fn get(&self) -> Command {
        let mut command = Command::new("apt-get");
        let mut set = |option: &str, value: &str| {
            command.args(["-o", &format!("{option}={value}")]);
        };
        let path = |name: &str| self.folder.join(name).to_string_lossy().into_owned();
        set("Dir::Etc::sourcelist", &path("sources.list"));
        set("Dir::Etc::sourceparts", "/dev/null");
        set("Dir::State::Lists", &path("lists"));
        set("Dir::State::status", &path("status"));
        set("Dir::Cache", &path("cache"));
        set("APT::Install-Recommends", "false");
        set("APT::Sandbox::User", "root");
        set("Acquire::Languages", "none");
        set("Debug::NoLocking", "true");
        command.env("LC_ALL", "C");
        command
    }
}

/// Returns the packages in a folder.
fn packages(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let files = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let is_package = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
    Ok(files.flatten().map(|entry| entry.path()).filter(is_package).collect())
}

/// Returns the suite in the text of `/etc/os-release`.
fn codename(os_release: &str) -> Option<String> {
    let line = os_release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(line.trim_matches('"').to_owned()).filter(|name| !name.is_empty())
}

/// Returns the text of this machine's apt sources, in both formats of apt.
fn apt_sources() -> String {
    let parts = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let files = parts.map(|entry| entry.path()).chain([PathBuf::from("/etc/apt/sources.list")]);
    files.filter_map(|file| fs::read_to_string(file).ok()).collect::<Vec<_>>().join("\n")
}

/// Returns the first Debian mirror of `sources`: a line `deb [options] URI suite ...` or a field
/// `URIs: URI ...`.
fn mirror(sources: &str) -> Option<String> {
    sources.lines().flat_map(uris).find(|uri| is_debian(uri)).map(str::to_owned)
}

fn uris(line: &str) -> Vec<&str> {
    if let Some(list) = line.strip_prefix("URIs:") {
        return list.split_whitespace().collect();
    }
    let Some(entry) = line.strip_prefix("deb ") else { return Vec::new() };
    let entry = entry.trim_start();
    let entry =
        entry.strip_prefix('[').and_then(|e| e.split_once(']')).map_or(entry, |(_, rest)| rest);
    entry.split_whitespace().take(1).collect()
}

fn is_debian(uri: &str) -> bool {
    uri.contains("://") && uri.trim_end_matches('/').ends_with("/debian")
}

/// Writes a script that runs the unpacked program with the unpacked loader and libraries; those of
/// the system may be older.
fn write_wrapper(wanted: Program, folder: &Path) -> Result<(), String> {
    let libraries = libraries(folder)?;
    let loader = fs::read_dir(&libraries)
        .map_err(|e| format!("{}: {e}", libraries.display()))?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .find(|name| name.starts_with("ld-linux"))
        .ok_or_else(|| format!("no loader in {}", libraries.display()))?;
    let triple = libraries.file_name().unwrap_or_default().to_string_lossy();
    let (program, path) = (folder.join(wanted.name), wanted.path);
    let script = format!(
        "#!/bin/sh\n\
         # Runs the unpacked program with the loader and libraries of its package.\n\
         usr=$(dirname \"$(readlink -f \"$0\")\")/root/usr\n\
         lib=$usr/lib/{triple}\n\
         exec \"$lib/{loader}\" --library-path \"$lib:$lib/pulseaudio\" \"$usr/{path}\" \"$@\"\n"
    );
    write_script(&program, &script)
}

pub(crate) fn write_script(path: &Path, script: &str) -> Result<(), String> {
    let io = |e: std::io::Error| format!("{}: {e}", path.display());
    fs::write(path, script).map_err(io)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(io)
}

/// Returns the folder of the unpacked C library: `usr/lib/TRIPLE`, or `lib/TRIPLE` in older suites.
fn libraries(folder: &Path) -> Result<PathBuf, String> {
    let parents = ["root/usr/lib", "root/lib"].map(|lib| folder.join(lib));
    let folders = parents.iter().filter_map(|parent| fs::read_dir(parent).ok()).flatten().flatten();
    folders
        .map(|entry| entry.path())
        .find(|path| path.join("libc.so.6").is_file())
        .ok_or_else(|| format!("no C library below {}", folder.display()))
}

/// Name of the package and of the program.
pub(crate) const CHROMIUM: &str = "chromium";

/// Files of the C library that the loader of the machine must not load from another folder.
const C_LIBRARY: [&str; 7] = [
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libresolv.so.2",
    "libanl.so.1",
];

/// Debian unstable: the only suite with a current Godot 4.
const SUITE: &str = "sid";

/// Debian's key files. Without one, apt uses the keys that it trusts by default.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_first_debian_one_of_either_format() {
        let fields = "Types: deb\n# URIs: http://old/debian\nURIs: http://one.example/debian-security http://two.example/debian/\n";
        assert_eq!(mirror(fields).as_deref(), Some("http://two.example/debian/"));
        let line = "deb-src http://src.example/debian sid main\ndeb [arch=amd64 signed-by=/k] https://three.example/debian bookworm main\n";
        assert_eq!(mirror(line).as_deref(), Some("https://three.example/debian"));
    }

    #[test]
    fn the_suite_is_read_from_os_release() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        assert_eq!(codename(text).as_deref(), Some("bookworm"));
        assert_eq!(codename("VERSION_CODENAME=\nID=debian\n"), None);
    }

    #[test]
    fn sources_of_other_distributions_have_no_debian_mirror() {
        assert_eq!(
            mirror(
                "deb http://archive.example/ubuntu noble main\n# deb http://x/debian sid main\n"
            ),
            None
        );
    }
}
