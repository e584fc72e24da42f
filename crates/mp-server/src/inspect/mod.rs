//! `mp-server inspect`: a line for each packet between Godot clients and their server.

mod capture;
mod inspector;
mod lines;
mod proxy_args;
mod recording;

use std::cell::RefCell;
use std::convert::Infallible;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::str::FromStr;

use clap::Args;
use mp_wire::Proxy;

use self::capture::CaptureArgs;
use self::inspector::{Filter, Inspector};
use self::lines::LineQueue;
pub(crate) use self::proxy_args::ProxyArgs;
use crate::{Failure, output};

/// Show the packets between a Godot game and its server, or of a recording, decoded, one per line
///
/// With an address, let the game connect to it instead of its server. The proxy connects each
/// client to the server with the client's own peer id, and passes all packets on unchanged. Ctrl-C
/// ends it and prints totals by kind. With a recording, its packets are printed.
#[derive(Args, Debug)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct InspectArgs {
    /// Address at which the game connects, such as 127.0.0.1:9000, or a recording, a file of
    /// template.NAME.record
    #[arg(value_name = "ADDRESS|FILE")]
    source: Source,
    /// Address of the server: enet://, enets:// (DTLS), ws:// or wss://, or HOST:PORT
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// Kinds to show [default: all]; totals count all packets
    #[arg(long, value_name = "KIND,...", value_delimiter = ',')]
    filter: Vec<Filter>,
    #[command(flatten)]
    capture: CaptureArgs,
    #[command(flatten)]
    proxy: ProxyArgs,
}

/// The source of packets.
#[derive(Clone, Debug)]
enum Source {
    /// A proxy at this address.
    Proxy(SocketAddr),
    Recording(PathBuf),
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.parse() {
            Ok(address) => Self::Proxy(address),
            Err(_) => Self::Recording(text.into()),
        })
    }
}

/// Runs the command.
pub(crate) fn run(args: &InspectArgs) -> Result<(), Failure> {
    match (&args.source, &args.to) {
        (Source::Proxy(listen), Some(to)) => run_proxy(args, *listen, to),
        (Source::Proxy(listen), None) => Err(Failure::Refused(format!(
            "{listen} is the address of a proxy: pass --to with the address of the server"
        ))),
        (Source::Recording(file), None) => recording::run(args, file),
        (Source::Recording(file), Some(_)) => Err(Failure::Refused(format!(
            "{} is no address, such as 127.0.0.1:9000; for a recording, omit --to",
            file.display()
        ))),
    }
}

/// Returns whether the kinds of packets have colors.
fn has_colors() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
}

fn run_proxy(args: &InspectArgs, listen: SocketAddr, to: &str) -> Result<(), Failure> {
    let server = args.proxy.server(to)?;
    let names = args.proxy.names()?;
    let options = args.proxy.options(listen, &server)?;
    let cannot = |what: &str, error: io::Error| Failure::Refused(format!("cannot {what}: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| cannot("start", error))?;
    runtime.block_on(async {
        let proxy = Proxy::bind(options).await;
        let mut proxy = proxy.map_err(|error| Failure::Refused(error.to_string()))?;
        let address = proxy.local_addr().map_err(|error| cannot("read the address", error))?;
        let capture = args.capture.start(address, &args.proxy, &server, names.clone())?;
        if let Some(capture) = capture.clone() {
            proxy.observe_datagrams(move |datagram| capture.datagram(&datagram));
        }
        let scheme = args.proxy.listen_scheme(&server);
        let banner = format!(
            "let the game connect to {scheme}://{address}; packets pass on to {}; Ctrl-C prints totals\n",
            server.url
        );
        let _ = output::print(io::stderr(), banner);
        let (queue, mut writer) = LineQueue::start().map_err(|error| cannot("start", error))?;
        let inspector = Inspector::new(names, args.filter.clone(), has_colors());
        let inspector = Rc::new(RefCell::new((inspector, queue)));
        let (observer, messages) = (Rc::clone(&inspector), capture.clone());
        let mut unprinted = None;
        let stats = proxy.run(
            move |event| {
                if let Some(capture) = &messages {
                    capture.event(&event);
                }
                let (inspector, queue) = &mut *observer.borrow_mut();
                inspector.observe(&event).into_iter().for_each(|line| queue.push(line));
            },
            async {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    error = writer.failed() => unprinted = Some(error),
                }
            },
        );
        let stats = stats.await;
        if let Some(error) = unprinted {
            return Err(Failure::Unprinted(format!("cannot print: {error}")));
        }
        let (inspector, queue) = &mut *inspector.borrow_mut();
        let mut summary = inspector.summary(&stats, queue.dropped());
        summary.extend(capture.as_ref().map(|capture| capture.summary()));
        queue.close();
        writer.finish();
        output::print(io::stdout(), summary)
            .map_err(|error| Failure::Unprinted(format!("cannot print: {error}")))?;
        capture.map_or(Ok(()), |capture| capture.result())
    })
}

const AFTER_HELP: &str = r#"Examples:
  mp-server inspect 127.0.0.1:9000 --to enet://127.0.0.1:7777 --project ../game
  mp-server inspect 127.0.0.1:9000 --to ws://127.0.0.1:7778 --filter rpc,spawn
  mp-server inspect 127.0.0.1:9000 --to enet://127.0.0.1:7777 --pcap game.pcapng
  mp-server inspect lobby-1764500000.mprec --project ../game --filter rpc

A line has the time in seconds, the client's peer id, the direction (-> to the server, <- to the client), the
kind, the size in bytes, the transfer mode (r reliable, u unreliable, o unreliable ordered) with the channel,
and the content. [ID] precedes a packet that the server relays to or from another client.

Kinds: rpc, sync, delta, spawn, despawn, path, raw, sys, auth, malformed; and relay for all relayed packets.

With --project, calls have the names of their methods and arguments, and replicated properties their names.
Methods are found by the checksum that Godot announces, so both sides may run another version of the game.

The bytes of authentications, queries of URLs, and arguments named like a token, password, secret, ticket or
credential (with --project) are not shown. Other content is, chat included.

With --pcap, what passes is written for Wireshark: ENet datagrams as UDP packets between the game and the proxy,
WebSocket messages as exported PDUs, both without encryption and compression. The same is masked, with *. The plugin
of `mp-server wireshark` decodes them. Of a recording, the packets are exported PDUs.

The packets that a recorded room sends are those of its replay. Exit code 1: the replay differs, or the recording is
damaged, and what could be read is shown.

Encrypted games: the proxy decrypts, so it needs its own certificate for clients (--tls-cert and --tls-key, for
example of `mp-server cert`), which the game must trust; --to enets:// or wss:// encrypts the connection to the
server, whose certificate --tls-ca names. Without --tls-cert the game connects to the proxy unencrypted.

A server that refuses a client over ENet does so after the proxy has accepted it: the game then sees a short
connection, in place of connection_failed. All clients have the address of the proxy at the server.

Colors: only on a terminal, and not if NO_COLOR is set."#;
