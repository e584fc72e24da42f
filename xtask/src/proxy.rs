//! Scenario `room` through a reverse proxy: players connect over TLS to nginx, which forwards to
//! mp-server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian::{self, NGINX};
use crate::godot::{Godot, on_path};
use crate::interop::make_certificate;
use crate::process::{PROCESS_TIMEOUT, Process, has_event, now, wait_for_all};
use crate::scenario_run::{ROOM, check_all, free_port};
use crate::suite::Suite;
use crate::workspace::{program, target};

/// Runs the scenario `room` with two Godot players behind nginx. The server must read their
/// addresses from X-Forwarded-For.
///
/// # Errors
///
/// Returns the players that have not passed, with reasons.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    let nginx = match on_path(NGINX.name) {
        Some(nginx) => nginx,
        None => debian::unpacked(NGINX, &target().join("nginx"))?,
    };
    let server = program("mp-server", "MP_SERVER_BIN")?;
    let tls = make_certificate()?;
    let [inner, outer] = [free_port()?, free_port()?];
    let folder = target().join("interop/proxy");
    let log = |who: &str| folder.join(format!("{who}.log"));

    let mut command = Command::new(server);
    command.args(["--enet", "off", "--ws", &format!("127.0.0.1:{inner}"), "--webrtc", "off"]);
    command.args(["--trusted-proxies", "1", "--log", "info,mp_scene=debug"]);
    let mut server = Process::start("server", &mut command, &log("server"))?;
    let address = format!(":{inner}");
    if !server.wait_until(now() + PROCESS_TIMEOUT, |server| server.output().contains(&address)) {
        return Err(format!("mp-server does not listen: {}", server.errors()));
    }
    let mut command = Command::new(nginx);
    let config = configure(&folder, &tls, inner, outer)?;
    command.arg("-p").arg(&folder).arg("-c").arg(config).args(["-e", "stderr"]);
    let mut proxy = Process::start("nginx", &mut command, &log("nginx"))?;
    let listens = |_: &Process| std::net::TcpStream::connect(("127.0.0.1", outer)).is_ok();
    if !proxy.wait_until(now() + PROCESS_TIMEOUT, listens) {
        return Err(format!("nginx does not listen: {}", proxy.errors()));
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
    // nginx sends no port; mp-server prints 0 instead.
    let forwarded = server.errors().matches("127.0.0.1:0 for ws://").count();
    if forwarded != PLAYERS {
        return Err(format!(
            "the server logged X-Forwarded-For addresses of {forwarded} of {PLAYERS} players"
        ));
    }
    Ok(format!("{PLAYERS} players over TLS through nginx"))
}

/// Writes a typical configuration for a game. nginx stays in the foreground, and writes only below
/// `folder`.
fn configure(
    folder: &Path,
    [certificate, key]: &[PathBuf; 2],
    inner: u16,
    outer: u16,
) -> Result<PathBuf, String> {
    let (certificate, key) = (certificate.display(), key.display());
    let text = format!(
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
    );
    let file = folder.join("nginx.conf");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&file, text))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

const PLAYERS: usize = 2;
