//! A custom transport, as with Godot's MultiplayerPeerExtension: a server and a client call each
//! other over TCP.
//!
//!     cargo run -p mp-examples --bin custom-transport
//!
//! prints
//!
//!     server: peer 2 connected
//!     client: the server calls: "welcome, 2"
//!     server: peer 2 calls: "thank you"
//!     server: peer 2 disconnected
//!
//! and exits with 0; with 1 if one of these does not happen within two minutes.
//!
//! `tcp.rs` and `tcp/` are the transport; `examples/tests/custom_transport.rs` tests its contract.

use std::error::Error;
use std::time::Duration;

use mp::core::MultiplayerPeer;
use mp::core::host::SystemClock;
use mp::prelude::*;
use tcp::TcpMultiplayerPeer;

mod tcp;

/// Time limit of the program.
const TIME_LIMIT: Duration = Duration::from_secs(120);

#[derive(Default)]
struct Greeter {
    /// True after the client has answered.
    is_answered: bool,
}

impl Node for Greeter {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method("welcome", RpcConfig::authority(), |_, cx, (text,): (String,)| {
                println!("client: the server calls: {text:?}");
                cx.reply("answer", ("thank you",)).ok();
            })
            .method(
                "answer",
                RpcConfig::any_peer(),
                |greeter: &mut Self, cx, (text,): (String,)| {
                    println!("server: peer {} calls: {text:?}", cx.remote_sender());
                    greeter.is_answered = true;
                },
            )
    }
}

fn game() -> BranchBuilder {
    Branch::builder("/root/Game").setup(|scene| scene.add("Greeter", Greeter::default()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut server = game()
        .on_peer_connected(|scene, peer| {
            println!("server: peer {peer} connected");
            let Ok(greeter) = scene.find("Greeter") else { return };
            scene.rpc_id(peer, greeter, "welcome", (format!("welcome, {peer}"),)).ok();
        })
        .on_peer_disconnected(|_, peer| println!("server: peer {peer} disconnected"))
        .build()?;
    let mut client = game().build()?;

    let mut server_peer = TcpMultiplayerPeer::create_server(([127, 0, 0, 1], 0).into())?;
    let address = server_peer.local_addr().ok_or("the server is closed")?;
    // Programs usually draw an id with `PeerId::generate`.
    let id = PeerId::new(2).ok_or("2 is a valid id")?;
    let mut client_peer = TcpMultiplayerPeer::create_client(address, id)?;

    let clock = SystemClock::new();
    let deadline = clock.now() + TIME_LIMIT;
    let greeter = NodeRef::<Greeter>::new(server.scene().find("Greeter")?);
    while clock.now() < deadline {
        server.poll(&mut server_peer, clock.now());
        client.poll(&mut client_peer, clock.now());
        if server.scene().get(greeter)?.is_answered {
            client_peer.close();
        }
        if std::iter::from_fn(|| server.next_signal()).any(|s| s == Signal::PeerDisconnected(id)) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err("timed out after two minutes".into())
}
