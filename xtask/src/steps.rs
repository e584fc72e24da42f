//! `cargo xtask test` and `ci`: run all steps in order, and print a summary.

use std::env;
use std::ffi::OsString;
use std::time::Duration;

use crate::acme;
use crate::bench::{self, BenchArgs};
use crate::bots;
use crate::budget;
use crate::cluster::{self, ClusterArgs};
use crate::debian::{self, GDB};
use crate::deny;
use crate::dtls;
use crate::enet::{self, EnetArgs};
use crate::example;
use crate::features;
use crate::godot::{self, Godot, on_path};
use crate::hosted;
use crate::instructions::{self, InstructionsArgs};
use crate::interop::{self, InteropArgs, Role, Transport};
use crate::links;
use crate::live_page;
use crate::moves;
use crate::nats;
use crate::one_room;
use crate::openapi;
use crate::operate;
use crate::picture;
use crate::process::now;
use crate::projects;
use crate::proxy;
use crate::quick_start;
use crate::release;
use crate::rooms;
use crate::silence;
use crate::soak::{self, SoakArgs};
use crate::suite::Suite;
use crate::tunnel;
use crate::web_page;
use crate::workspace::{cargo, run, target};
use crate::worlds::{self, WorldsArgs};

/// Runs all tests.
///
/// # Errors
///
/// Returns an error if a step has failed.
pub(crate) fn test() -> Result<(), String> {
    let mut steps = Steps::default();
    tests(&mut steps);
    steps.summary()
}

/// Checks formatting, lints and documentation, and runs all tests.
///
/// # Errors
///
/// Returns an error if a step has failed.
pub(crate) fn ci() -> Result<(), String> {
    let mut steps = Steps::default();
    steps.run("formatting", || {
        run(cargo().args(["fmt", "--all", "--check"]))?;
        Ok("no difference".to_owned())
    });
    steps.run("lints", || {
        let everything = ["--workspace", "--all-targets", "--all-features"];
        run(cargo().arg("clippy").args(everything).args(["--", "-D", "warnings"]))?;
        Ok("no warning".to_owned())
    });
    steps.run("documentation", || {
        let everything = ["--workspace", "--no-deps", "--all-features", "--document-private-items"];
        run(cargo().arg("doc").args(everything).env("RUSTDOCFLAGS", "-D warnings"))?;
        Ok("no warning".to_owned())
    });
    steps.run("features", features::features);
    steps.run("package", release::package);
    steps.run("dependencies", deny::deny);
    tests(&mut steps);
    steps.run("simulated worlds", || worlds::worlds(&WorldsArgs::ci()));
    steps.run("soak", || soak::soak(&SoakArgs::ci()));
    steps.run("instructions", || instructions::instructions(&InstructionsArgs::default()));
    steps.run("benchmarks run", || {
        bench::bench(&BenchArgs::smoke())?;
        Ok("mp's own contenders; every delivery is checked".to_owned())
    });
    steps.summary()
}

fn tests(steps: &mut Steps) {
    let mut godot = None;
    steps.run("Godot", || {
        let found = godot::find()?;
        let version = found.version.clone();
        godot = Some(found);
        Ok(version)
    });
    let mut nats_server = None;
    steps.run("NATS", || {
        let found = nats_server.insert(nats::server()?);
        Ok(found.display().to_string())
    });
    steps.run("cargo test", || {
        let mut command = cargo();
        command.args(["test", "--workspace"]);
        if let Some(Godot { path, .. }) = &godot {
            command.env("GODOT", path);
        }
        if let Some(path) = &nats_server {
            command.env("NATS_SERVER", path);
        }
        command.env("PATH", debugger_path()?);
        run(&mut command)?;
        Ok("passed".to_owned())
    });
    for role in [Role::Server, Role::Client, Role::Mixed, Role::Both] {
        let name = format!("interop, {}", role.name());
        steps.interop(&name, &godot, InteropArgs { role, ..InteropArgs::new() });
    }
    for role in [Role::Server, Role::Client] {
        let name = format!("interop, ws, {}", role.name());
        let args = InteropArgs { role, transport: Transport::Ws, ..InteropArgs::new() };
        steps.interop(&name, &godot, args);
        let name = format!("interop, wss, {}", role.name());
        let scenario = OVER_TLS.map(str::to_owned).to_vec();
        let args = InteropArgs { role, scenario, transport: Transport::Wss, ..InteropArgs::new() };
        steps.interop(&name, &godot, args);
    }
    // Godot in a browser.
    for role in [Role::Server, Role::Client] {
        let name = format!("interop, webrtc, {}", role.name());
        let args = InteropArgs { role, transport: Transport::Webrtc, ..InteropArgs::new() };
        steps.interop(&name, &godot, args);
    }
    let args = InteropArgs { transport: Transport::Ws, web: true, ..InteropArgs::new() };
    steps.interop("interop, web, ws", &godot, args);
    steps.run("mp.js", web_page::recordings);
    steps.with_godot("web page", &godot, web_page::play);
    steps.run("live page, scripts", live_page::scripts);
    steps.with_godot("live page", &godot, live_page::play);
    steps.with_godot("one room", &godot, one_room::play);
    steps.with_godot("rooms", &godot, rooms::play);
    steps.with_godot("hosted room", &godot, hosted::play);
    steps.with_godot("tunnel", &godot, tunnel::play);
    steps.with_godot("simulated links", &godot, links::play);
    steps.with_godot("bots", &godot, bots::play);
    steps.with_godot("silent players", &godot, silence::play);
    steps.with_godot("Godot's projects", &godot, projects::compare);
    steps.with_godot("Godot's DTLS", &godot, dtls::play);
    steps.with_godot("requests", &godot, |godot| {
        let mut command = cargo();
        command.args(["test", "--quiet", "-p", "mp", "--test", "godot"]);
        command.args(["--test", "room", "--", "--ignored"]);
        run(command.env("GODOT", &godot.path))?;
        Ok("Godot, a server and a player with the macros share a room".to_owned())
    });
    steps.with_godot("moves between rooms", &godot, moves::play);
    steps.with_godot("cluster", &godot, |godot| cluster::run(godot, &ClusterArgs::default()));
    steps.with_godot("reverse proxies", &godot, proxy::play);
    steps.run("first server", operate::play);
    steps.run("certificates", acme::play);
    steps.run("admin API", openapi::check);
    for role in [Role::Server, Role::Client] {
        let name = format!("planted fault, {}", role.name());
        let args = InteropArgs { role, planted_fault: true, ..InteropArgs::new() };
        steps.interop(&name, &godot, args);
    }
    steps.run("C ENet", || enet::run(&EnetArgs::default()));
    steps.with_godot("README", &godot, example::readme);
    steps.with_godot("quick start", &godot, quick_start::play);
    steps.with_godot("example arena", &godot, example::arena);
    steps.with_godot("arena's window", &godot, |godot| picture::take(godot, false));
    if let Some(folder) = Suite::additional_folder() {
        for role in [Role::Server, Role::Client] {
            for transport in [Transport::Enet, Transport::Ws] {
                let name = format!("additional suite, {}, {}", transport.name(), role.name());
                let suite = Some(folder.clone());
                let args = InteropArgs { suite, role, transport, ..InteropArgs::new() };
                steps.interop(&name, &godot, args);
            }
        }
        let transport = Transport::Webrtc;
        let args = InteropArgs { suite: Some(folder), transport, ..InteropArgs::new() };
        steps.interop("additional suite, webrtc, server", &godot, args);
    }
}

/// Returns `PATH` with a debugger on it: that of the machine, or Debian's.
fn debugger_path() -> Result<OsString, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    if on_path(GDB.name).is_some() || on_path("eu-stack").is_some() {
        return Ok(path);
    }
    let folder = target().join(GDB.name);
    debian::unpacked(GDB, &folder)
        .map_err(|why| format!("no debugger: {why}\ninstall gdb: apt-get install gdb"))?;
    let folders = env::split_paths(&path).chain([folder]);
    env::join_paths(folders).map_err(|e| format!("PATH: {e}"))
}

/// Scenarios that also run over TLS.
const OVER_TLS: [&str; 3] = ["hello", "calls", "traffic"];

/// Steps that have run, with their results.
#[derive(Default)]
struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: String,
    took: Duration,
    result: Result<String, String>,
}

impl Steps {
    /// Runs a step. A step also fails if it exceeds its limit in [`budget`].
    fn run(&mut self, name: &str, step: impl FnOnce() -> Result<String, String>) {
        println!("== {name}");
        let started = now();
        let result = step();
        let took = now() - started;
        let result = result.and_then(|text| budget::check(name, took).map(|()| text));
        if let Err(why) = &result {
            println!("error: {why}");
        }
        println!("-- {name}: {:.1} s", took.as_secs_f64());
        self.done.push(Step { name: name.to_owned(), took, result });
    }

    fn interop(&mut self, name: &str, godot: &Option<Godot>, args: InteropArgs) {
        self.with_godot(name, godot, |godot| {
            interop::run_with(godot, &args).map(|counts| counts.to_string())
        });
    }

    fn with_godot(
        &mut self,
        name: &str,
        godot: &Option<Godot>,
        step: impl FnOnce(&Godot) -> Result<String, String>,
    ) {
        self.run(name, || match godot {
            Some(godot) => step(godot),
            None => Err("needs Godot".to_owned()),
        });
    }

    fn summary(self) -> Result<(), String> {
        println!("== summary");
        for step in &self.done {
            let (word, text) = match &step.result {
                Ok(text) => ("ok", text),
                Err(why) => ("FAILED", why),
            };
            let text = text.lines().next().unwrap_or_default();
            let limit = budget::limit(&step.name).unwrap_or_default();
            line(word, &step.name, step.took, limit, text);
        }
        let total: Duration = self.done.iter().map(|step| step.took).sum();
        line("", "all steps", total, budget::TOTAL, "");
        let failed: Vec<&str> = self
            .done
            .iter()
            .filter(|step| step.result.is_err())
            .map(|step| step.name.as_str())
            .collect();
        if failed.is_empty() {
            if total > budget::TOTAL {
                return Err(format!(
                    "all steps passed, but took {:.0} s, {:.0} s more than the total limit",
                    total.as_secs_f64(),
                    (total - budget::TOTAL).as_secs_f64()
                ));
            }
            println!("all {} steps passed", self.done.len());
            return Ok(());
        }
        Err(format!("{} of {} steps failed: {}", failed.len(), self.done.len(), failed.join(", ")))
    }
}

/// Prints a row of the summary.
fn line(word: &str, name: &str, took: Duration, limit: Duration, text: &str) {
    let (took, limit) = (took.as_secs_f64(), limit.as_secs());
    println!("{word:<8}{name:<32}{took:>7.1} of {limit:>4} s  {text}");
}
