//! What a person sees on standard output.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Says where the room is and how to join it.
pub(crate) fn print(address: SocketAddr, max_clients: u16) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text(address, max_clients).as_bytes())?;
    out.flush()
}

fn text(address: SocketAddr, max_clients: u16) -> String {
    let (host, port) = (reachable(address.ip()), address.port());
    let from_elsewhere = if address.ip().is_unspecified() {
        format!("On another machine, put this machine's address in place of {host}.\n")
    } else {
        String::new()
    };
    format!(
        r#"mp-server {version}: a relay room for Godot 4 games
listens for ENet on UDP {address}, for up to {max_clients} players

In Godot, on every player's side:

    var peer = ENetMultiplayerPeer.new(); peer.create_client("{host}", {port}); multiplayer.multiplayer_peer = peer

{from_elsewhere}Ctrl-C ends it. More: mp-server --help
"#,
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// An address at which this machine reaches a socket bound to `ip`.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_for_godot_connects_to_where_the_room_is() {
        let table = [
            ("0.0.0.0:7777", r#"create_client("127.0.0.1", 7777)"#),
            ("[::]:9", r#"create_client("::1", 9)"#),
            ("192.0.2.7:80", r#"create_client("192.0.2.7", 80)"#),
        ];
        for (address, line) in table {
            let text = text(address.parse().unwrap(), 5);
            assert!(text.contains(line), "{text}");
            assert!(text.contains(&format!("UDP {address}, for up to 5 players")), "{text}");
        }
    }
}
