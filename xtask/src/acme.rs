//! Certificates of mp-server from Pebble, an authority for tests: issued, used by WebSocket,
//! renewed while the server runs, and refused.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::debian::{self, PEBBLE, PEBBLE_NAMES};
use crate::example::{read, write};
use crate::metrics::Metrics;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{program, quiet, target};

/// Starts a server before its authority, and another one after it. The second one must have a
/// certificate that a player trusts, and another one when two thirds of its validity are over. The
/// third one needs another name, does not get it, and keeps the certificate.
///
/// # Errors
///
/// Returns what is missing, with the log of the server.
pub(crate) fn play() -> Result<String, String> {
    let test = Test::new()?;
    test.starts_without_an_authority()?;
    let mut authority = Authority::start(&test)?;
    let mut server = test.start_server("server")?;
    test.expect(&mut server, ISSUED, 1)?;
    test.check_files()?;
    test.join()?;
    test.examine()?;
    test.expect(&mut server, ISSUED, 2)?;
    test.join()?;
    test.check_metrics()?;
    let accounts = server.errors().matches(ACCOUNT).count();
    if accounts != 1 || server.errors().contains("ERROR") {
        return Err(format!("{accounts} accounts, or an error: {}", server.errors()));
    }
    test.stop(&mut server)?;
    authority.resolve_to(&test, ELSEWHERE)?;
    test.keeps_the_certificate_that_is_not_replaced()?;
    drop(authority);
    Ok("a certificate was issued, used, renewed, and kept when the next was refused".to_owned())
}

/// Files and ports of the test.
struct Test {
    server: PathBuf,
    folder: PathBuf,
    /// Ports of the authority: of its directory, and of its name server.
    directory: u16,
    names: u16,
    /// Ports of mp-server: for the authority, for players, and for operators.
    challenges: u16,
    players: u16,
    admin: u16,
}

impl Test {
    fn new() -> Result<Self, String> {
        let folder = target().join("acme");
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
        }
        let test = Self {
            server: program("mp-server", "MP_SERVER_BIN")?,
            directory: free_port()?,
            names: free_port()?,
            challenges: free_port()?,
            players: free_port()?,
            admin: free_port()?,
            folder,
        };
        test.write_config(&[NAME])?;
        let mut command = Command::new(&test.server);
        let files = ["pebble.crt", "pebble.key"].map(|name| test.folder.join(name));
        command.args(["cert", "127.0.0.1", "localhost", "--tls-cert"]).arg(&files[0]);
        quiet(command.arg("--tls-key").arg(&files[1]))?;
        Ok(test)
    }

    fn write_config(&self, domains: &[&str]) -> Result<(), String> {
        let config = format!(
            "listen = {{ enet = \"off\", websocket = \"127.0.0.1:{}\" }}\n\
             admin = {{ address = \"127.0.0.1:{}\" }}\n\
             [acme]\ndomains = {domains:?}\ndirectory = \"{}\"\n\
             address = \"127.0.0.1:{}\"\nfolder = {:?}\nca = {:?}\n",
            self.players,
            self.admin,
            self.directory_url(),
            self.challenges,
            self.folder.join("acme"),
            self.folder.join("pebble.crt"),
        );
        write(&self.folder.join("mp-server.toml"), &config)
    }

    fn directory_url(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.directory)
    }

    fn name_server(&self) -> String {
        format!("127.0.0.1:{}", self.names)
    }

    fn start_server(&self, who: &str) -> Result<Process, String> {
        let mut command = Command::new(&self.server);
        command.arg("--config").arg(self.folder.join("mp-server.toml"));
        Process::start(who, &mut command, &self.folder.join(format!("{who}.log")))
    }

    /// A server whose authority cannot be reached listens, and names the reason.
    fn starts_without_an_authority(&self) -> Result<(), String> {
        let mut server = self.start_server("early")?;
        self.expect(&mut server, "listening", 1)?;
        self.expect(&mut server, "no certificate error=", 1)?;
        let errors = server.errors();
        for part in [&*self.directory_url(), "retry_in=300s", "self-signed"] {
            if !errors.contains(part) {
                return Err(format!("the log does not contain {part:?}: {errors}"));
            }
        }
        self.stop(&mut server)
    }

    fn stop(&self, server: &mut Process) -> Result<(), String> {
        server.terminate();
        match server.wait_until(now() + PROCESS_TIMEOUT, |_| false) || server.ended().is_some() {
            true => Ok(()),
            false => Err("the server does not end".to_owned()),
        }
    }

    /// A server whose names the authority cannot validate uses the certificate that it has, and
    /// names the reason.
    fn keeps_the_certificate_that_is_not_replaced(&self) -> Result<(), String> {
        let [_, file] = self.files();
        let before = read(&file)?;
        // The certificate lacks a name, so that a new one is due.
        self.write_config(&[NAME, "other.example.com"])?;
        let mut server = self.start_server("refused")?;
        self.expect(&mut server, "no certificate error=", 1)?;
        let errors = plain(&server.errors());
        for part in ["has not validated the names: ", ELSEWHERE, "must reach acme.address", "300s"]
        {
            if !errors.contains(part) {
                return Err(format!("the log does not contain {part:?}: {errors}"));
            }
        }
        if errors.contains("self-signed") || read(&file)? != before {
            return Err(format!("the certificate was not kept: {errors}"));
        }
        let metrics = Metrics::read(self.admin)?;
        let refused = metrics.sum("mp_certificate_requests_total", "result=\"error\"");
        let expiry = metrics.sum("mp_certificate_expiry_timestamp_seconds", "");
        match refused == 1.0 && expiry > 1e9 && expiry < 1e10 {
            true => Ok(()),
            false => Err(format!("{refused} refused requests, expiry at {expiry}: {metrics:?}")),
        }
    }

    /// Waits until the log of the server has `count` lines with `text`.
    fn expect(&self, server: &mut Process, text: &str, count: usize) -> Result<(), String> {
        let has = |server: &Process| plain(&server.errors()).matches(text).count() >= count;
        match server.wait_until(now() + PROCESS_TIMEOUT, has) {
            true => Ok(()),
            false => Err(format!("the log has not {count} x {text:?}: {}", server.errors())),
        }
    }

    /// Returns the files of the authority's account and of the certificate.
    fn files(&self) -> [PathBuf; 2] {
        let folder = self.folder.join(format!("acme/127.0.0.1_{}", self.directory));
        [folder.join("account.json"), folder.join(format!("{NAME}.pem"))]
    }

    /// Only the owner can read the files.
    fn check_files(&self) -> Result<(), String> {
        for file in self.files() {
            let found = fs::metadata(&file).map_err(|e| format!("{}: {e}", file.display()))?;
            let mode = found.permissions().mode() & 0o777;
            if mode != 0o600 {
                return Err(format!("{} has the mode {mode:o}", file.display()));
            }
        }
        Ok(())
    }

    /// A player joins who trusts the certificates that the authority has signed for the name.
    fn join(&self) -> Result<(), String> {
        let chain = read(&self.files()[1])?;
        // The own certificate is the first.
        let issuer = chain.split("-----BEGIN CERTIFICATE-----").nth(2);
        let issuer = issuer.ok_or_else(|| format!("no chain: {chain}"))?;
        write(&self.folder.join("issuer.crt"), &format!("-----BEGIN CERTIFICATE-----{issuer}"))?;
        let scenario = format!(
            "server = \"wss://127.0.0.1:{}\"\n[tls]\nca = \"issuer.crt\"\nname = {NAME:?}\n\
             [[phase]]\njoins_per_second = 10\nplayers = 1\nfor = \"3s\"\n\
             [[do]]\nconnect = \"30s\"\n[thresholds]\nfailed_joins = 0\n",
            self.players
        );
        let file = self.folder.join("player.toml");
        write(&file, &scenario)?;
        quiet(Command::new(&self.server).args(["bots", "--quiet"]).arg(file))
    }

    /// The doctor finds the authority and the certificate.
    fn examine(&self) -> Result<(), String> {
        let mut command = Command::new(&self.server);
        command.args(["doctor", "--config"]).arg(self.folder.join("mp-server.toml"));
        let output = command.output().map_err(|error| format!("cannot run doctor: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        for check in ["acme-directory", "acme-certificate", "cert-name"] {
            let is_ok = |line: &str| line.starts_with("ok") && line.contains(check);
            if !text.lines().any(is_ok) {
                return Err(format!("{check} is not ok: {text}"));
            }
        }
        Ok(())
    }

    fn check_metrics(&self) -> Result<(), String> {
        let metrics = Metrics::read(self.admin)?;
        let requests = metrics.sum("mp_certificate_requests_total", "result=\"ok\"");
        let expiry = metrics.sum("mp_certificate_expiry_timestamp_seconds", "");
        match requests >= 2.0 && expiry > 1e9 && expiry < 1e10 {
            true => Ok(()),
            false => Err(format!("{requests} requests, expiry at {expiry}: {metrics:?}")),
        }
    }
}

/// A running authority, and its name server.
struct Authority {
    _pebble: Process,
    names: Option<Process>,
}

impl Authority {
    fn start(test: &Test) -> Result<Self, String> {
        let pebble = debian::unpacked(PEBBLE, &target().join(PEBBLE.name))?;
        let Test { folder, directory, challenges, .. } = test;
        let config = format!(
            r#"{{"pebble": {{
                "listenAddress": "127.0.0.1:{directory}", "managementListenAddress": "",
                "certificate": {:?}, "privateKey": {:?}, "httpPort": {challenges},
                "tlsPort": {challenges}, "retryAfter": {{"authz": 1, "order": 1}},
                "profiles": {{"default": {{"description": "", "validityPeriod": {VALIDITY}}}}}
            }}}}"#,
            folder.join("pebble.crt"),
            folder.join("pebble.key"),
        );
        let file = folder.join("pebble.json");
        write(&file, &config)?;
        let mut command = Command::new(pebble);
        command.arg("-config").arg(file).args(["-dnsserver", &test.name_server()]);
        // Proofs are not valid for later orders.
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_AUTHZREUSE", "0");
        let mut pebble = Process::start("pebble", &mut command, &folder.join("pebble.log"))?;
        wait_for(&mut pebble, *directory)?;
        let mut authority = Self { _pebble: pebble, names: None };
        authority.resolve_to(test, HERE)?;
        Ok(authority)
    }

    /// Replaces the name server by one that has this address for each name.
    fn resolve_to(&mut self, test: &Test, address: &str) -> Result<(), String> {
        self.names = None;
        let names = debian::also_unpacked(PEBBLE_NAMES, &target().join(PEBBLE.name))?;
        let mut command = Command::new(names);
        command.args(["-defaultIPv4", address, "-defaultIPv6", ""]);
        command.args(["-dnsserver", &test.name_server()]);
        for unused in ["-http01", "-https01", "-tlsalpn01", "-doh", "-management"] {
            command.args([unused, ""]);
        }
        let mut names = Process::start("names", &mut command, &test.folder.join("names.log"))?;
        wait_for(&mut names, test.names)?;
        self.names = Some(names);
        Ok(())
    }
}

/// Waits until a process listens on a port of TCP.
fn wait_for(process: &mut Process, port: u16) -> Result<(), String> {
    let listens = |_: &Process| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    match process.wait_until(now() + PROCESS_TIMEOUT, listens) {
        true => Ok(()),
        false => {
            let (who, output) = (&process.who, process.output() + &process.errors());
            Err(format!("{who} does not listen: {output}"))
        }
    }
}

/// Removes the colors of a log.
fn plain(log: &str) -> String {
    let mut parts = log.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

const NAME: &str = "game.example.com";
/// Addresses of the names: where the server listens for the authority, and another one.
const HERE: &str = "127.0.0.1";
const ELSEWHERE: &str = "127.0.0.2";
const ISSUED: &str = "certificate issued";
const ACCOUNT: &str = "account for certificates created";
/// Seconds for which a certificate is valid. It is renewed after two thirds.
const VALIDITY: u64 = 15;
