//! `mp-server bots record`: a scenario from what a real client does.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::Args;
use mp_bots::ScenarioRecorder;
use mp_wire::{Proxy, WireCloseReason, WireEvent};
use tokio::sync::Notify;

use crate::inspect::ProxyArgs;
use crate::{Failure, output};

/// Record what a client of a game does, as a scenario
///
/// Let one client connect to --listen instead of the server, and play. When it leaves, or at
/// Ctrl-C, the scenario is written: its calls with ranges around their arguments, raw packets, and
/// pauses. Edit it, and play it with `mp-server bots FILE`.
#[derive(Args, Debug)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct RecordArgs {
    /// Address of the server: enet://, enets:// (DTLS), ws:// or wss://, or HOST:PORT
    address: String,
    /// Address at which the client connects
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7790")]
    listen: SocketAddr,
    /// File of the scenario, which must not exist [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    proxy: ProxyArgs,
}

/// Runs the command.
pub(super) fn run(args: &RecordArgs) -> Result<(), Failure> {
    let server = args.proxy.server(&args.address)?;
    if let Some(file) = args.out.as_deref().filter(|file| file.exists()) {
        return Err(Failure::Refused(format!(
            "{} exists; remove it, or pass another --out",
            file.display()
        )));
    }
    let names = args.proxy.names()?;
    if names.is_none() {
        let warning =
            "warning: calls are not recorded without --project DIR, which names their methods\n";
        let _ = output::print(io::stderr(), warning.to_owned());
    }
    let options = args.proxy.options(args.listen, &server)?.max_clients(1);
    let cannot = |what: &str, error: io::Error| Failure::Refused(format!("cannot {what}: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| cannot("start", error))?;
    let recorder = Rc::new(RefCell::new(ScenarioRecorder::new(names)));
    let unreachable = runtime.block_on(async {
        let proxy = Proxy::bind(options).await;
        let proxy = proxy.map_err(|error| Failure::Refused(error.to_string()))?;
        let address = proxy.local_addr().map_err(|error| cannot("read the address", error))?;
        let scheme = args.proxy.listen_scheme(&server);
        let banner = format!(
            "let one client connect to {scheme}://{address}; it plays on {}; Ctrl-C ends the recording\n",
            server.url
        );
        let _ = output::print(io::stderr(), banner);
        let has_left = Rc::new(Notify::new());
        let unreachable = Rc::new(RefCell::new(None));
        let (recorder, leaves) = (Rc::clone(&recorder), Rc::clone(&has_left));
        let failure = Rc::clone(&unreachable);
        let observe = move |event: WireEvent| {
            if let WireEvent::Closed { reason: WireCloseReason::Unreachable(reason), .. } = &event {
                *failure.borrow_mut() = Some(reason.clone());
            }
            if recorder.borrow_mut().observe(&event) {
                leaves.notify_one();
            }
        };
        let stop = async {
            tokio::select! {
                () = has_left.notified() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        };
        proxy.run(observe, stop).await;
        Ok(unreachable.take())
    })?;
    if let Some(reason) = unreachable {
        return Err(Failure::Refused(format!("cannot reach {}: {reason}", server.url)));
    }
    let recorder = recorder.borrow();
    let scenario = recorder.scenario(&server.url);
    write(args.out.as_deref(), scenario)?;
    let file = args.out.as_deref().map_or_else(|| "FILE".into(), Path::to_string_lossy);
    let summary = format!(
        "recorded {} calls and raw packets; play them with: mp-server bots {file}\n",
        recorder.recorded()
    );
    let _ = output::print(io::stderr(), summary);
    Ok(())
}

fn write(file: Option<&Path>, scenario: String) -> Result<(), Failure> {
    let Some(file) = file else {
        return output::print(io::stdout(), scenario)
            .map_err(|error| Failure::Unprinted(format!("cannot print: {error}")));
    };
    let written = OpenOptions::new().write(true).create_new(true).open(file);
    written
        .and_then(|mut file| file.write_all(scenario.as_bytes()))
        .map_err(|error| Failure::Unprinted(format!("cannot write {}: {error}", file.display())))
}

const AFTER_HELP: &str = r#"Example:
  mp-server bots record enet://127.0.0.1:7777 --project ../game --out bots.toml
  # the game connects to 127.0.0.1:7790, plays and leaves
  mp-server bots bots.toml

The bytes of authentications, and arguments named like a token, password, secret, ticket or credential, are not
written: put yours where the file says MASKED. Other texts, chat included, are written as they were.

Nodes that the client spawns, and properties that it synchronizes, cannot be recorded; the file has their number.
Calls at a regular interval become one step. A step that others overlap repeats until the player leaves.

Encrypted games: the proxy decrypts, so the client must trust its certificate (--tls-cert, --tls-key);
`mp-server inspect --help` has details."#;
