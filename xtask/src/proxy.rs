//! Scenario `room` through reverse proxies: players connect over TLS to nginx or Caddy, which
//! forwards to mp-server.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian::{self, CADDY, NGINX, Program};
use crate::example::{read, write};
use crate::godot::{Godot, on_path};
use crate::interop::make_certificate;
use crate::process::{PROCESS_TIMEOUT, Process, has_event, now, wait_for_all};
use crate::scenario_run::{ROOM, check_all, free_port};
use crate::suite::Suite;
use crate::workspace::{program, root, target};

/// Runs the scenario `room` with two Godot players behind nginx, then behind Caddy. The server must
/// read their addresses from X-Forwarded-For.
///
/// # Errors
///
/// Returns the players that have not passed, with reasons.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    let tls = make_certificate()?;
    for proxy in [Proxy::Nginx, Proxy::Caddy] {
        play_behind(proxy, godot, &tls).map_err(|why| format!("{}: {why}", proxy.tool().name))?;
    }
    Ok(format!("{PLAYERS} players over TLS through nginx, and through Caddy"))
}

/// A reverse proxy.
#[derive(Clone, Copy, Debug)]
enum Proxy {
    Nginx,
    Caddy,
}

impl Proxy {
    fn tool(self) -> Program {
        match self {
            Self::Nginx => NGINX,
            Self::Caddy => CADDY,
        }
    }

    /// Returns the command that runs the proxy with its configuration in `folder`.
    fn command(
        self,
        folder: &Path,
        tls: &[PathBuf; 2],
        inner: u16,
        outer: u16,
    ) -> Result<Command, String> {
        let Program { name, .. } = self.tool();
        let program = match on_path(name) {
            Some(program) => program,
            None => debian::unpacked(self.tool(), &target().join(name))?,
        };
        let text = match self {
            Self::Nginx => nginx(tls, inner, outer),
            Self::Caddy => caddy(&read(&root().join(PAGE))?, tls, inner, outer)?,
        };
        let file = folder.join(format!("{name}.conf"));
        write(&file, &text)?;
        let mut command = Command::new(program);
        match self {
            Self::Nginx => {
                command.arg("-p").arg(folder).arg("-c").arg(file).args(["-e", "stderr"]);
            }
            Self::Caddy => {
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
                command.env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
            }
        }
        Ok(command)
    }
}

fn play_behind(proxy: Proxy, godot: &Godot, tls: &[PathBuf; 2]) -> Result<(), String> {
    let name = proxy.tool().name;
    let server = program("mp-server", "MP_SERVER_BIN")?;
    let [inner, outer] = [free_port()?, free_port()?];
    let folder = target().join("interop/proxy").join(name);
    let log = |who: &str| folder.join(format!("{who}.log"));

    let mut command = Command::new(server);
    command.args(["--enet", "off", "--ws", &format!("127.0.0.1:{inner}"), "--webrtc", "off"]);
    command.args(["--trusted-proxies", "1", "--log", "info,mp_scene=debug"]);
    let mut server = Process::start("server", &mut command, &log("server"))?;
    let address = format!(":{inner}");
    if !server.wait_until(now() + PROCESS_TIMEOUT, |server| server.output().contains(&address)) {
        return Err(format!("mp-server does not listen: {}", server.errors()));
    }
    let mut command = proxy.command(&folder, tls, inner, outer)?;
    let mut proxy = Process::start(name, &mut command, &log("proxy"))?;
    let listens = |_: &Process| std::net::TcpStream::connect(("127.0.0.1", outer)).is_ok();
    if !proxy.wait_until(now() + PROCESS_TIMEOUT, listens) {
        return Err(format!("it does not listen: {}", proxy.errors()));
    }

    let mut players = Vec::new();
    for index in 0..PLAYERS {
        let who = format!("player{index}");
        let mut command = godot.command(&Suite::own_folder());
        command.args(["--role=client".to_owned(), format!("--scenario={ROOM}")]);
        command.args(["--transport=wss".to_owned(), format!("--port={outer}")]);
        command.args([format!("--peers={PLAYERS}"), format!("--index={index}")]);
        command.arg(format!("--tls-cert={}", tls[0].display())).arg("--expect-close");
        players.push(Process::start(&who, &mut command, &log(&who))?);
    }
    let limit = now() + PROCESS_TIMEOUT;
    for player in &mut players {
        player.wait_until(limit, |player| has_event(&player.output(), "ready_for_close"));
    }
    server.interrupt();
    server.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    wait_for_all(&mut players, now() + PROCESS_TIMEOUT);
    check_all(&mut players)?;
    // Proxies send no port; mp-server prints 0 instead.
    let forwarded = server.errors().matches("127.0.0.1:0 for ws://").count();
    if forwarded != PLAYERS {
        return Err(format!(
            "the server logged X-Forwarded-For addresses of {forwarded} of {PLAYERS} players"
        ));
    }
    Ok(())
}

/// Returns a typical configuration for a game. nginx stays in the foreground, and writes only below
/// its folder.
fn nginx([certificate, key]: &[PathBuf; 2], inner: u16, outer: u16) -> String {
    let (certificate, key) = (certificate.display(), key.display());
    format!(
        r#"daemon off;
master_process off;
pid nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{outer} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location / {{
            proxy_pass http://127.0.0.1:{inner};
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_read_timeout 1h;
        }}
    }}
}}
"#
    )
}

/// Returns the configuration of the page for operators, with a certificate of this machine and
/// other ports.
fn caddy(
    page: &str,
    [certificate, key]: &[PathBuf; 2],
    inner: u16,
    outer: u16,
) -> Result<String, String> {
    let block = page.split("\n```text\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let site = block.into_iter().find_map(|text| text.strip_prefix("game.example.com {\n"));
    let site = site.ok_or_else(|| format!("{PAGE} has no configuration of Caddy"))?;
    let site = site.replace("127.0.0.1:7778", &format!("127.0.0.1:{inner}"));
    let (certificate, key) = (certificate.display(), key.display());
    Ok(format!(
        "{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n\
         https://127.0.0.1:{outer}, https://localhost:{outer} {{\n\ttls {certificate} {key}\n{site}\n"
    ))
}

/// Page with the configurations for operators.
const PAGE: &str = "docs/operating/proxy.md";
const PLAYERS: usize = 2;
