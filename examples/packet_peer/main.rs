//! Godot's PacketPeer interface over ENet, without nodes and RPCs: a server and two clients in one
//! process.
//!
//!     cargo run -p mp-examples --bin packet-peer
//!
//! prints
//!
//!     server: Ann and Ben are connected
//!     server: "hello" from Ann, reliable on channel 0
//!     server: "position 7" from Ben, unreliable_ordered on channel 3
//!     Ann: "welcome, all"
//!     Ben: "welcome, all"
//!     Ben: "not for Ann"
//!     Ann: "goodbye"
//!     Ann: disconnected by the server
//!     Ben: the server has closed
//!
//! and exits with 0; with 1 if one of these does not happen within two minutes.

use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use mp::core::host::SystemClock;
use mp::core::{Channel, CloseMode, PacketPeer, PeerId, PeerSignal, Target, TransferMode};
use mp::enet::{ClientOptions, EnetMultiplayerPeer, ServerOptions};

type Peer = PacketPeer<EnetMultiplayerPeer>;

/// Time limit of each step.
const TIME_LIMIT: Duration = Duration::from_secs(120);

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout().lock())
}

/// Runs the program; prints to `out`.
pub(crate) fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let local = "127.0.0.1:0".parse()?;
    let server = EnetMultiplayerPeer::create_server(local, ServerOptions::default())?;
    let address = server.local_addr()?;
    let client = || EnetMultiplayerPeer::create_client(address, ClientOptions::default());
    let mut server = PacketPeer::new(server);
    let mut clients = [PacketPeer::new(client()?), PacketPeer::new(client()?)];
    let ann = clients[0].unique_id();
    let name = |id: PeerId| if id == ann { "Ann" } else { "Ben" };
    let clock = SystemClock::new();

    // 1. Both connect: one signal each on the server and on the client.
    let mut here = 0;
    wait(&clock, &mut server, &mut clients, |server, _| {
        while let Some(signal) = server.next_signal() {
            here += usize::from(matches!(signal, PeerSignal::PeerConnected(_)));
        }
        here == 2
    })?;
    writeln!(out, "server: Ann and Ben are connected")?;
    wait(&clock, &mut server, &mut clients, |_, clients| {
        clients.iter().all(|client| client.has_peer(PeerId::SERVER))
    })?;

    // 2. Target, mode and channel stay set until changed. A client's packets always go to the
    //    server.
    clients[0].put_packet("hello")?;
    wait(&clock, &mut server, &mut clients, |server, _| server.available_packet_count() > 0)?;
    read(out, &mut server, name)?;
    clients[1].set_transfer_mode(TransferMode::UnreliableOrdered);
    clients[1].set_transfer_channel(Channel(3));
    clients[1].put_packet("position 7")?;
    wait(&clock, &mut server, &mut clients, |server, _| server.available_packet_count() > 0)?;
    read(out, &mut server, name)?;

    // 3. To all clients, and to all but one.
    server.put_packet("welcome, all")?;
    server.set_target_peer(Target::AllExcept(ann));
    server.put_packet("not for Ann")?;
    wait(&clock, &mut server, &mut clients, |_, clients| {
        clients[0].available_packet_count() == 1 && clients[1].available_packet_count() == 2
    })?;
    for client in &mut clients {
        print_received(out, client, name)?;
    }

    // 4. Disconnects a client after its queued packets; then closes the server.
    server.set_target_peer(ann);
    server.put_packet("goodbye")?;
    server.disconnect_peer_with(ann, CloseMode::Drain)?;
    wait(&clock, &mut server, &mut clients, |_, clients| has_lost_server(&mut clients[0]))?;
    print_received(out, &mut clients[0], name)?;
    writeln!(out, "Ann: disconnected by the server")?;
    server.close();
    wait(&clock, &mut server, &mut clients, |_, clients| has_lost_server(&mut clients[1]))?;
    writeln!(out, "Ben: the server has closed")?;
    Ok(())
}

/// Runs turns until `done` returns true.
fn wait(
    clock: &SystemClock,
    server: &mut Peer,
    clients: &mut [Peer; 2],
    mut done: impl FnMut(&mut Peer, &mut [Peer; 2]) -> bool,
) -> Result<(), Box<dyn Error>> {
    let deadline = clock.now() + TIME_LIMIT;
    while clock.now() < deadline {
        let now = clock.now();
        server.poll(now);
        clients.iter_mut().for_each(|client| client.poll(now));
        if done(server, clients) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err("timed out after two minutes".into())
}

/// Prints the server's packets, with the properties that must be queried before the packet is
/// removed.
fn read(
    out: &mut impl Write,
    server: &mut Peer,
    name: impl Fn(PeerId) -> &'static str,
) -> Result<(), Box<dyn Error>> {
    while let (Some(from), Some(mode), Some(channel)) =
        (server.packet_peer(), server.packet_mode(), server.packet_channel())
    {
        let mode = match mode {
            TransferMode::Unreliable => "unreliable",
            TransferMode::UnreliableOrdered => "unreliable_ordered",
            TransferMode::Reliable => "reliable",
        };
        let text = String::from_utf8_lossy(&server.next_packet()?).into_owned();
        writeln!(out, "server: {text:?} from {}, {mode} on channel {channel}", name(from))?;
    }
    Ok(())
}

/// Prints a client's packets.
fn print_received(
    out: &mut impl Write,
    client: &mut Peer,
    name: impl Fn(PeerId) -> &'static str,
) -> Result<(), Box<dyn Error>> {
    while client.available_packet_count() > 0 {
        let text = String::from_utf8_lossy(&client.next_packet()?).into_owned();
        writeln!(out, "{}: {text:?}", name(client.unique_id()))?;
    }
    Ok(())
}

fn has_lost_server(client: &mut Peer) -> bool {
    std::iter::from_fn(|| client.next_signal())
        .any(|signal| signal == PeerSignal::PeerDisconnected(PeerId::SERVER))
}
