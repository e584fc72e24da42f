//! The files of `packaging/`: the unit for systemd, the container and the Debian package.

mod cluster;

use std::path::Path;
use std::process::Command;

use mp_server::config::{Config, Transport};

/// Returns the text of a file of the folder.
fn packaged(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging");
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Checks the unit file with systemd's own tool, where it is installed.
#[cfg(target_os = "linux")]
#[test]
fn unit_file_is_valid() {
    let unit = packaged("mp-server.service");
    let installed = "ExecStart=/usr/bin/mp-server ";
    assert!(unit.contains(installed), "{unit}");
    let built = format!("ExecStart={} ", env!("CARGO_BIN_EXE_mp-server"));
    let unit = unit.replace(installed, &built);
    // The user does not exist on the machine of the test.
    let unit = unit.replace("User=mp-server\nGroup=mp-server", "User=root\nGroup=root");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mp-server.service");
    std::fs::write(&file, unit).unwrap();
    let verified =
        Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&file).output();
    let Ok(verified) = verified else { return eprintln!("systemd-analyze is not installed") };
    // Unknown settings are warnings.
    let messages = String::from_utf8_lossy(&verified.stderr);
    let of_unit: Vec<_> = messages.lines().filter(|line| line.contains("mp-server")).collect();
    assert!(verified.status.success() && of_unit.is_empty(), "{messages}");
}

#[test]
fn container_exposes_the_ports_of_the_default_configuration() {
    let file = packaged("Dockerfile");
    let exposed = file.lines().find_map(|line| line.strip_prefix("EXPOSE ")).unwrap();
    let config = Config::default();
    let ports = config.listen.iter().map(|listener| {
        let protocol = match listener.transport {
            Transport::WebSocket | Transport::Signaling => "tcp",
            _ => "udp",
        };
        format!("{}/{protocol}", listener.address.port)
    });
    assert_eq!(exposed.split(' ').collect::<Vec<_>>(), ports.collect::<Vec<_>>());
}

#[test]
fn configuration_of_the_debian_package_is_valid() {
    let config = Config::parse(&packaged("debian/mp-server.toml")).unwrap();
    let state = Path::new("/var/lib/mp-server");
    let files = [config.admin.token_file, config.limits.ban_file].map(Option::unwrap);
    assert!(files.iter().all(|file| file.parent() == Some(state)), "{files:?}");
    let unit = packaged("mp-server.service");
    assert!(unit.contains("StateDirectory=mp-server\n"), "the unit makes {state:?}");
}

/// The package of the binary of this test has all files with their permissions, and the unpacked
/// binary runs.
#[cfg(target_os = "linux")]
#[test]
fn debian_package_has_the_binary_and_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let output = |command: &mut Command| {
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    };
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        return eprintln!("dpkg-deb is not installed");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/debian/build");
    let mut build = Command::new(script);
    build.arg(env!("CARGO_BIN_EXE_mp-server")).arg(folder.path());
    build.env("DEBFULLNAME", "Ada Lovelace").env("DEBEMAIL", "ada@example.com");
    let package = output(build.env("DEB_COMPRESSION", "none"));
    let dpkg = |option: &str, rest: &[&str]| {
        output(Command::new("dpkg-deb").arg(option).arg(package.trim()).args(rest))
    };

    let contents = dpkg("--contents", &[]);
    for (mode, file) in [
        ("-rwxr-xr-x", "./usr/bin/mp-server"),
        ("-rw-r--r--", "./usr/lib/systemd/system/mp-server.service"),
        ("-rw-r--r--", "./usr/lib/sysusers.d/mp-server.conf"),
        ("-rw-r-----", "./etc/mp-server/mp-server.toml"),
        ("-rw-r--r--", "./usr/share/doc/mp-server/copyright"),
        ("-rw-r--r--", "./usr/share/doc/mp-server/changelog.gz"),
    ] {
        let line = contents.lines().find(|line| line.ends_with(&format!(" {file}")));
        assert!(line.is_some_and(|it| it.starts_with(&format!("{mode} root/root"))), "{contents}");
    }
    let files = contents.lines().filter(|line| line.starts_with('-')).count();
    assert_eq!(files, 6, "{contents}");
    let control = dpkg("--field", &[]);
    for line in [
        concat!("Version: ", env!("CARGO_PKG_VERSION"), "\n"),
        "Maintainer: Ada Lovelace <ada@example.com>\n",
        "Depends: libc6 (>= 2.",
        "Description: server with rooms for Godot 4 games\n Players",
    ] {
        assert!(control.contains(line), "{control}");
    }
    let unpacked = folder.path().join("unpacked");
    dpkg("--extract", &[unpacked.to_str().unwrap()]);
    let version = output(Command::new(unpacked.join("usr/bin/mp-server")).arg("--version"));
    assert_eq!(version, concat!("mp-server ", env!("CARGO_PKG_VERSION"), "\n"));
    let copyright = unpacked.join("usr/share/doc/mp-server/copyright");
    let copyright = std::fs::read_to_string(copyright).unwrap();
    for part in
        ["Upstream-Contact: Ada Lovelace", "Copyright: 2026 ", " Permission is hereby", "\n .\n"]
    {
        assert!(copyright.contains(part), "{copyright}");
    }
}

#[test]
fn scripts_of_the_debian_package_are_valid() {
    for name in ["build", "postinst", "postrm", "prerm"] {
        let mut command = Command::new("sh");
        let checked = command.args(["-n", "-c", &packaged(&format!("debian/{name}"))]).output();
        let checked = checked.unwrap();
        assert!(checked.status.success(), "{name}: {}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn configurations_in_the_pages_for_operators_are_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating");
    let mut checked = 0;
    for page in std::fs::read_dir(folder).unwrap() {
        let page = page.unwrap().path();
        let text = std::fs::read_to_string(&page).unwrap();
        let blocks =
            text.split("\n```toml\n").skip(1).filter_map(|rest| rest.split("\n```").next());
        // Scenarios of bots are other files.
        for block in blocks.filter(|block| !block.contains("[[phase]]")) {
            let valid = Config::parse(block);
            assert!(valid.is_ok(), "{}\n{block}\n{}", page.display(), valid.unwrap_err());
            checked += 1;
        }
    }
    assert!(checked >= 9, "{checked}");
}
