//! Runs `docs/operating/first-server.md` as an operator does: writes the files of the page to an
//! empty folder, and runs its commands with mp-server, nginx and a bot.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::debian::{self, NGINX};
use crate::example::{log, read, write};
use crate::godot::on_path;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::quick_start::{PageFile, files};
use crate::scenario_run::free_port;
use crate::workspace::{program, root, target};

/// Page with the files and the commands.
const PAGE: &str = "docs/operating/first-server.md";

/// Runs the page in one shell, which ends at the first command that fails.
///
/// # Errors
///
/// Returns the output of the shell if a command has failed, or the server has not drained.
pub(crate) fn play() -> Result<String, String> {
    let nginx = match on_path(NGINX.name) {
        Some(nginx) => nginx,
        None => debian::unpacked(NGINX, &target().join("nginx"))?,
    };
    let server = program("mp-server", "MP_SERVER_BIN")?;
    let folder = target().join("operate");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .map_err(|error| format!("cannot empty {}: {error}", folder.display()))?;
    }
    let changes = Changes::new(&folder)?;
    let page = read(&root().join(PAGE))?;
    for PageFile { name, text } in files(&page)? {
        write(&folder.join("site").join(name), &changes.apply(&format!("{text}\n")))?;
    }
    write(&folder.join("nginx/nginx.conf"), NGINX_CONFIG)?;
    write(&folder.join("nginx/conf.d/README"), "Sites of the page.\n")?;
    let tools = folder.join("bin");
    let nginx = NGINX_TOOL.replace("PROGRAM", &nginx.to_string_lossy());
    let nginx = nginx.replace("FOLDER", &folder.join("nginx").to_string_lossy());
    let server = format!("#!/bin/sh\nexec \"{}\" \"$@\"\n", server.display());
    for (name, text) in [("sudo", SUDO), ("nginx", &nginx), ("mp-server", &server)] {
        write(&tools.join(name), "")?;
        debian::write_script(&tools.join(name), text)?;
    }
    let commands = commands(&page)?;
    let script = format!("set -eux\n{}", changes.apply(&commands.concat()));
    write(&folder.join("commands.sh"), &script)?;

    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.arg("../commands.sh").current_dir(folder.join("site"));
    command.env("PATH", format!("{}:{path}", tools.display()));
    command.env("MP_ADMIN", &changes.admin).env("MP_ADMIN_SERVER", &changes.admin);
    let mut shell = Process::start("shell", &mut command, &log("operate"))?;
    shell.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    let ended = shell.ended();
    // Ends nginx, and the server if a command has failed.
    shell.terminate();
    let server = fs::read_to_string(folder.join("site/server.log")).unwrap_or_default();
    let lines = || format!("{}{}{server}", shell.output(), shell.errors());
    match ended {
        Some(status) if status.success() => {}
        Some(status) => return Err(format!("the commands ended with {status}: {}", lines())),
        None => return Err(format!("the commands do not end: {}", lines())),
    }
    if !server.trim_end().ends_with("closed") || server.contains("ERROR") {
        return Err(format!("the server has not drained: {server}"));
    }
    Ok(format!("{} blocks of commands, from keys to a drained server", commands.len()))
}

/// Returns the blocks of commands of the page.
fn commands(page: &str) -> Result<Vec<String>, String> {
    let (mut found, mut rest) = (Vec::new(), page);
    while let Some((_, after)) = rest.split_once("\n```sh\n") {
        let (block, next) = after.split_once("\n```").ok_or("a block has no end")?;
        found.push(format!("{block}\n"));
        rest = next;
    }
    if found.is_empty() { Err("the page has no commands".to_owned()) } else { Ok(found) }
}

/// Replacements of ports and folders of the page, so that it runs beside other servers.
struct Changes {
    admin: String,
    pairs: Vec<(&'static str, String)>,
}

impl Changes {
    fn new(folder: &Path) -> Result<Self, String> {
        let [inner, outer, admin] = [free_port()?, free_port()?, free_port()?];
        let admin = format!("127.0.0.1:{admin}");
        let pairs = vec![
            ("127.0.0.1:7778", format!("127.0.0.1:{inner}")),
            ("listen 443 ssl", format!("listen 127.0.0.1:{outer} ssl")),
            ("localhost:443", format!("localhost:{outer}")),
            ("127.0.0.1:7780", admin.clone()),
            ("/etc/nginx/conf.d", folder.join("nginx/conf.d").to_string_lossy().into_owned()),
        ];
        Ok(Self { admin, pairs })
    }

    fn apply(&self, text: &str) -> String {
        self.pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }
}

/// Runs a command as the user of the test.
const SUDO: &str = "#!/bin/sh\nexec \"$@\"\n";

/// Runs nginx in the folder of the test. The first reload starts it, as the package would have.
const NGINX_TOOL: &str = r#"#!/bin/sh
run() {
    "PROGRAM" -p "FOLDER" -c nginx.conf -e stderr "$@"
}
if [ "$*" = "-s reload" ]; then
    run &
    until [ -s "FOLDER/nginx.pid" ]; do sleep 0.1; done
else
    run "$@"
fi
"#;

/// Configuration around the sites of the page. nginx writes below its folder only.
const NGINX_CONFIG: &str = r#"daemon off;
master_process off;
pid nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include conf.d/*.conf;
}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_the_blocks_of_the_shell_in_order() {
        let page = "a\n\n```sh\none\ntwo\n```\n\n```toml\nx = 1\n```\n\n```sh\nthree\n```\n";
        assert_eq!(commands(page).unwrap(), ["one\ntwo\n", "three\n"]);
        assert!(commands("a\n```toml\n```\n").is_err());
    }

    #[test]
    fn all_ports_and_folders_of_the_page_are_replaced() {
        let page = read(&root().join(PAGE)).unwrap();
        let changed = Changes::new(Path::new("/folder")).unwrap().apply(&page);
        for of_machine in [":7778", ":7780", ":443/", " 443 ", "/etc/nginx"] {
            assert!(page.contains(of_machine), "{of_machine}");
            assert!(!changed.contains(of_machine), "{of_machine} is in {changed}");
        }
    }

    #[test]
    fn site_of_the_page_is_that_of_the_page_about_proxies() {
        let proxy = read(&root().join("docs/operating/proxy.md")).unwrap();
        let page = read(&root().join(PAGE)).unwrap();
        let site =
            files(&page).unwrap().into_iter().find(|file| file.name == Path::new("game.conf"));
        let (_, location) = site.unwrap().text.split_once("    location / {").unwrap();
        assert!(proxy.contains(location), "{location}");
    }
}
