//! An echo server and a client, to try with Godot.
//!
//! ```text
//! $ cargo run -p mp-transport-enet --example echo -- server 127.0.0.1:7777
//! listening on 127.0.0.1:7777
//! $ cargo run -p mp-transport-enet --example echo -- client 127.0.0.1:7777
//! Connected { connection: ConnectionId { slot: 0, … }, … }, own id 219891662
//! Unreliable: 5 bytes on channel 0 received back
//! …
//! all packets received back
//! disconnected
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use mp_core::host::SystemClock;
use mp_core::{
    Channel, ConnectionId, ConnectionStatus, MultiplayerPeer, OutgoingPacket, PeerEvent, Prefix,
    TransferMode,
};
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer, ServerOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(role), Some(address)) = (args.next(), args.next()) else {
        return Err("usage: echo server|client address:port [clients]".into());
    };
    let address: SocketAddr = address.parse()?;
    match role.as_str() {
        "server" => server(address, args.next().as_deref().unwrap_or("32").parse()?),
        "client" => client(address),
        _ => Err(format!("unknown role {role}; use server or client").into()),
    }
}

fn server(address: SocketAddr, clients: u16) -> Result<(), Box<dyn std::error::Error>> {
    let options = ServerOptions::default().max_clients(clients);
    let mut peer = EnetMultiplayerPeer::create_server(address, options)?;
    println!("listening on {}", peer.local_addr()?);
    let clock = SystemClock::new();
    loop {
        peer.poll(clock.now());
        while let Some(event) = peer.next_event() {
            match event {
                PeerEvent::Packet(packet) => {
                    println!(
                        "{:?}: {} bytes on channel {} from {}",
                        packet.mode,
                        packet.payload.len(),
                        packet.channel,
                        packet.from,
                    );
                    peer.send(outgoing(packet.from, packet.mode, packet.channel, packet.payload))?;
                }
                other => println!("{other:?}"),
            }
        }
        peer.flush(clock.now());
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn client(address: SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
    let mut peer = EnetMultiplayerPeer::create_client(address, ClientOptions::default())?;
    let clock = SystemClock::new();
    let mut expected: Vec<(TransferMode, Channel, usize)> = Vec::new();
    let mut has_sent = false;
    loop {
        peer.poll(clock.now());
        while let Some(event) = peer.next_event() {
            match event {
                PeerEvent::Connected { connection, .. } => {
                    println!("{event:?}, own id {}", peer.unique_id());
                    for mode in TransferMode::ALL {
                        for (channel, len) in [(0, 5), (3, 1_000), (0, 3_000), (200, 100_000)] {
                            let payload: Vec<u8> = (0..len).map(|index| index as u8).collect();
                            peer.send(outgoing(
                                connection,
                                mode,
                                Channel(channel),
                                payload.into(),
                            ))?;
                            expected.push((mode, Channel(channel), len));
                        }
                    }
                    has_sent = true;
                }
                PeerEvent::Packet(packet) => {
                    println!(
                        "{:?}: {} bytes on channel {} received back",
                        packet.mode,
                        packet.payload.len(),
                        packet.channel,
                    );
                    let len = packet.payload.len();
                    let is_whole = packet.payload.iter().enumerate().all(|(i, &b)| b == i as u8);
                    assert!(is_whole, "the payload changed");
                    // An unreliable packet that is fragmented is received as an ordered one.
                    let is_it = |&(mode, channel, expected): &(TransferMode, Channel, usize)| {
                        (channel, expected) == (packet.channel, len)
                            && mode.is_reliable() == packet.mode.is_reliable()
                    };
                    let index = expected
                        .iter()
                        .position(is_it)
                        .expect("received a packet that was not sent");
                    expected.swap_remove(index);
                }
                other => println!("{other:?}"),
            }
        }
        if has_sent && expected.is_empty() {
            println!("all packets received back");
            peer.close();
        }
        peer.flush(clock.now());
        if peer.connection_status() == ConnectionStatus::Disconnected {
            println!("disconnected");
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn outgoing(
    to: ConnectionId,
    mode: TransferMode,
    channel: Channel,
    payload: Bytes,
) -> OutgoingPacket {
    OutgoingPacket { to: to.into(), mode, channel, prefix: Prefix::EMPTY, payload }
}
