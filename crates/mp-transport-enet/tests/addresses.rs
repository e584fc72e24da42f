//! A server on a host with several addresses, in a Linux network namespace.

#![cfg(all(target_os = "linux", feature = "dtls", feature = "tokio"))]

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_core::{
    Channel, ConnectionStatus, Instant, MultiplayerPeer, OutgoingPacket, PeerEvent, Prefix,
    TransferMode,
};
use mp_tls::{ClientTlsOptions, DevelopmentCertificate};
use mp_transport_enet::{ClientOptions, DtlsClientOptions, EnetMultiplayerPeer, ServerOptions};
use tokio::runtime::{Builder, Runtime};

/// Addresses of the interface. By default the kernel sends from the first one of a family.
const ADDRESSES: [&str; 4] = ["10.77.0.1", "10.77.0.2", "fd77::1", "fd77::2"];
const LIMIT: Duration = Duration::from_secs(120);
/// Length of a packet in several datagrams, which the kernel segments.
const PACKET: usize = 20_000;

#[test]
fn replies_are_sent_from_the_address_that_the_client_connected_to() {
    in_a_network_of_its_own(
        "replies_are_sent_from_the_address_that_the_client_connected_to",
        || {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.unwrap();
            let _entered = runtime.enter();
            for (bind, addresses) in [("0.0.0.0:0", &ADDRESSES[..2]), ("[::]:0", &ADDRESSES[..])] {
                for is_encrypted in [false, true] {
                    let certificate = DevelopmentCertificate::new(&["game"]).unwrap();
                    let certificate = is_encrypted.then_some(&certificate);
                    let bind: SocketAddr = bind.parse().unwrap();
                    let mut options = ServerOptions::default();
                    if let Some(certificate) = certificate {
                        options = options.dtls(certificate.identity().unwrap());
                    }
                    let server = EnetMultiplayerPeer::create_server(bind, options.clone()).unwrap();
                    let port = server.local_addr().unwrap().port();
                    visit_each(&runtime, server, addresses, port, certificate);
                    let server = EnetMultiplayerPeer::create_async_server(bind, options).unwrap();
                    let port = server.local_addr().unwrap().port();
                    visit_each(&runtime, server, addresses, port, certificate);
                }
            }
        },
    );
}

#[test]
fn an_address_added_later_is_used_for_replies() {
    in_a_network_of_its_own("an_address_added_later_is_used_for_replies", || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        ip(&format!("addr del {}/24 dev lo", ADDRESSES[1]));
        let bind = "0.0.0.0:0".parse().unwrap();
        let mut server =
            EnetMultiplayerPeer::create_server(bind, ServerOptions::default()).unwrap();
        let port = server.local_addr().unwrap().port();
        visit(&runtime, &mut server, ADDRESSES[0], port, None);
        ip(&format!("addr add {}/24 dev lo", ADDRESSES[1]));
        // The next check of the host's addresses is due.
        server.poll(Instant::from_millis(60_000));
        visit(&runtime, &mut server, ADDRESSES[1], port, None);
    });
}

fn visit_each(
    runtime: &Runtime,
    mut server: impl MultiplayerPeer,
    addresses: &[&str],
    port: u16,
    certificate: Option<&DevelopmentCertificate>,
) {
    for address in addresses {
        visit(runtime, &mut server, address, port, certificate);
    }
}

/// Connects a client to the server at `address`, which sends it a packet. ENet's clients ignore
/// datagrams from other addresses.
fn visit(
    runtime: &Runtime,
    server: &mut impl MultiplayerPeer,
    address: &str,
    port: u16,
    certificate: Option<&DevelopmentCertificate>,
) {
    let server_at = SocketAddr::new(address.parse().unwrap(), port);
    let mut options = ClientOptions::default();
    // The first address of the family, from which the kernel would reply by default.
    let first = ADDRESSES.into_iter().find(|it| it.contains(':') == address.contains(':'));
    if let Some(first) = first {
        options = options.bind_ip(first.parse().unwrap());
    }
    if let Some(certificate) = certificate {
        options = options.dtls(DtlsClientOptions {
            hostname: "game".to_owned(),
            tls: ClientTlsOptions::new().trusted_chain(certificate.certificate_pem()).unwrap(),
        });
    }
    let mut client = EnetMultiplayerPeer::create_client(server_at, options).unwrap();
    let clock = SystemClock::new();
    let mut received = 0;
    while received < PACKET {
        assert!(clock.now() < Instant::ZERO + LIMIT, "{server_at}: {received} bytes");
        for event in turn(server, clock.now()) {
            if let PeerEvent::Connected { connection, .. } = event {
                let packet = OutgoingPacket {
                    to: connection.into(),
                    mode: TransferMode::Reliable,
                    channel: Channel(0),
                    prefix: Prefix::EMPTY,
                    payload: vec![7; PACKET].into(),
                };
                server.send(packet).unwrap();
                server.flush(clock.now());
            }
        }
        for event in turn(&mut client, clock.now()) {
            if let PeerEvent::Packet(packet) = event {
                received += packet.payload.len();
            }
        }
        assert_ne!(client.connection_status(), ConnectionStatus::Disconnected, "{server_at}");
        // A tokio socket is only polled while the runtime runs.
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
    }
    client.close();
    client.flush(clock.now());
}

fn turn(peer: &mut impl MultiplayerPeer, now: Instant) -> Vec<PeerEvent> {
    peer.poll(now);
    let events = std::iter::from_fn(|| peer.next_event()).collect();
    peer.flush(now);
    events
}

/// Runs `test`, whose name is `name`, in a network namespace with an interface that has
/// [`ADDRESSES`]. For that, this program runs itself again.
fn in_a_network_of_its_own(name: &str, test: fn()) {
    const ROLE: &str = "MP_TEST_NETWORK";
    if std::env::var_os(ROLE).is_some() {
        for address in ADDRESSES {
            let len = if address.contains(':') { "64 nodad" } else { "24" };
            ip(&format!("addr add {address}/{len} dev lo"));
        }
        ip("link set lo up");
        return test();
    }
    let mut command = Command::new("unshare");
    command.args(["-Urn", "--"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(ROLE, "1");
    let output = command.output().expect("cannot run unshare, from the package util-linux");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(
        !text.contains("unshare: "),
        "this test needs network namespaces without root: {text}\
         permit them with `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` or \
         `sysctl -w user.max_user_namespaces=10000`"
    );
    assert!(output.status.success(), "{text}");
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.expect("cannot run ip, from the package iproute2");
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {why}");
}
