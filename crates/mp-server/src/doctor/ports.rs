//! Checks of the ports: each can be bound, and those at `*` receive IPv4 and IPv6.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use crate::config::{Config, Transport};

use super::finding::Finding;

/// The ports of a configuration, and the results of binding them.
#[derive(Debug)]
pub(super) struct PortFacts {
    ports: Vec<Port>,
    /// True if a server responds at the admin address.
    is_running: bool,
    /// Reception of a socket at `[::]`; `None` if no listener is at `*`.
    dual_stack: Option<DualStack>,
}

#[derive(Debug)]
struct Port {
    protocol: Protocol,
    address: SocketAddr,
    user: PortUser,
    bound: io::Result<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Udp,
    Tcp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PortUser {
    Players(&'static str),
    Matchmaking,
    Authority,
    Admin { is_default: bool },
}

/// Datagrams that a socket at `[::]` receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DualStack {
    Both,
    Ipv6Only,
    /// The machine has no IPv6, so that listeners are at `0.0.0.0`.
    NoIpv6,
}

impl PortFacts {
    /// Binds each port for a moment. `is_running`: a server responds at the admin address.
    pub(super) fn gather(config: &Config, is_running: bool) -> Self {
        let mut ports = Vec::new();
        let mut add = |protocol, address: SocketAddr, user| {
            let bound = bind(protocol, address);
            ports.push(Port { protocol, address, user, bound });
        };
        for listener in &config.listen {
            let (protocol, name) = match listener.transport {
                Transport::Enet => (Protocol::Udp, "ENet"),
                Transport::WebRtc => (Protocol::Udp, "WebRTC"),
                Transport::WebSocket => (Protocol::Tcp, "WebSocket"),
                Transport::Signaling => (Protocol::Tcp, "signaling"),
            };
            add(protocol, listener.address.socket_addr(), PortUser::Players(name));
        }
        if let Some(address) = config.matchmaking.address {
            add(Protocol::Tcp, address.socket_addr(), PortUser::Matchmaking);
        }
        if let Some(acme) = &config.acme {
            add(Protocol::Tcp, acme.address.socket_addr(), PortUser::Authority);
        }
        if let Some(address) = config.admin.address {
            let is_default = config.admin.is_default_address;
            add(Protocol::Tcp, address.socket_addr(), PortUser::Admin { is_default });
        }
        let has_any = config.listen.iter().any(|listener| listener.address.ip.is_none());
        Self { ports, is_running, dual_stack: has_any.then(dual_stack) }
    }
}

/// Checks each port, and the reception of IPv4 and IPv6.
pub(super) fn check(facts: &PortFacts) -> Vec<Finding> {
    let ports = facts.ports.iter().map(|port| check_port(port, facts.is_running));
    ports.chain(check_dual_stack(facts.dual_stack)).collect()
}

fn check_port(port: &Port, is_running: bool) -> Finding {
    let Port { protocol, address, user, bound } = port;
    let (name, flag) = match protocol {
        Protocol::Udp => ("UDP", 'u'),
        Protocol::Tcp => ("TCP", 't'),
    };
    let (of, why) = match user {
        PortUser::Players(transport) => (*transport, "the server does not start"),
        PortUser::Authority => ("authority of certificates", "the server does not start"),
        PortUser::Matchmaking => ("matchmaking", "the server does not start"),
        PortUser::Admin { is_default: false } => ("admin API", "the server does not start"),
        PortUser::Admin { is_default: true } => {
            ("admin API", "the server starts without the admin API, health and metrics")
        }
    };
    let place = format!("{name} {address} ({of})");
    let error = match bound {
        Ok(()) if address.port() == 0 => {
            return Finding::ok(PORT, format!("{place}: the system chooses the port"));
        }
        Ok(()) => return Finding::ok(PORT, format!("{place} is free")),
        Err(error) => error,
    };
    match error.kind() {
        io::ErrorKind::AddrInUse if is_running => {
            Finding::ok(PORT, format!("{place} is in use, while a server runs"))
        }
        io::ErrorKind::AddrInUse => {
            let text = format!("{place} is in use by another program");
            let fix = format!(
                "find the program and stop it, or choose another port: ss -{flag}lpn 'sport = :{}'",
                address.port()
            );
            match user {
                PortUser::Admin { is_default: true } => Finding::warning(PORT, text, why, fix),
                _ => Finding::error(PORT, text, why, fix),
            }
        }
        io::ErrorKind::AddrNotAvailable => Finding::error(
            PORT,
            format!("{place} is not an address of this machine"),
            why,
            format!("use *:{}, or an address that is listed by: ip address", address.port()),
        ),
        io::ErrorKind::PermissionDenied => Finding::error(
            PORT,
            format!("{place} needs privileges"),
            why,
            "use a port above 1023, or add to the systemd unit: AmbientCapabilities=CAP_NET_BIND_SERVICE",
        ),
        _ => Finding::error(
            PORT,
            format!("{place} cannot be opened: {error}"),
            why,
            "choose another address",
        ),
    }
}

fn check_dual_stack(dual_stack: Option<DualStack>) -> Option<Finding> {
    Some(match dual_stack? {
        DualStack::Both => Finding::ok(DUAL_STACK, "listeners at * receive IPv4 and IPv6"),
        DualStack::NoIpv6 => Finding::warning(
            DUAL_STACK,
            "this machine has no IPv6, so listeners at * receive IPv4 only",
            "players in networks with IPv6 alone, such as some mobile ones, may not reach the server",
            "sysctl -w net.ipv6.conf.all.disable_ipv6=0, or ask the provider for an IPv6 address",
        ),
        DualStack::Ipv6Only => Finding::error(
            DUAL_STACK,
            "a socket at [::] does not receive IPv4 on this machine",
            "players with IPv4 cannot reach listeners at *",
            "sysctl -w net.ipv6.bindv6only=0, or use one listener at 0.0.0.0 and one at [::]",
        ),
    })
}

fn bind(protocol: Protocol, address: SocketAddr) -> io::Result<()> {
    match protocol {
        Protocol::Udp => UdpSocket::bind(address).map(drop),
        Protocol::Tcp => TcpListener::bind(address).map(drop),
    }
}

/// Sends a datagram over IPv4 to a socket at `[::]`.
fn dual_stack() -> DualStack {
    let Ok(socket) = mp_udp::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0).into()) else {
        return DualStack::NoIpv6;
    };
    let is_received = || -> io::Result<bool> {
        let socket = UdpSocket::from(socket);
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(DATAGRAM_TIMEOUT))?;
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        sender.send_to(b"mp", (Ipv4Addr::LOCALHOST, socket.local_addr()?.port()))?;
        Ok(matches!(socket.recv_from(&mut [0; 2]), Ok((2, from)) if is_ipv4(from.ip())))
    };
    match is_received() {
        Ok(true) => DualStack::Both,
        Ok(false) | Err(_) => DualStack::Ipv6Only,
    }
}

fn is_ipv4(ip: IpAddr) -> bool {
    ip.to_canonical().is_ipv4()
}

const PORT: &str = "port";
const DUAL_STACK: &str = "dual-stack";
/// Maximum time in which a datagram of this machine is received.
const DATAGRAM_TIMEOUT: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn port(user: PortUser, bound: io::Result<()>) -> Port {
        Port { protocol: Protocol::Udp, address: "0.0.0.0:7777".parse().unwrap(), user, bound }
    }

    fn level(user: PortUser, error: io::ErrorKind, is_running: bool) -> Level {
        check_port(&port(user, Err(error.into())), is_running).outcome().1
    }

    #[test]
    fn free_ports_are_ok_and_used_ones_are_errors() {
        let enet = PortUser::Players("ENet");
        let free = check_port(&port(enet, Ok(())), false);
        assert_eq!(free.outcome(), ("port", Level::Ok));
        let used = check_port(&port(enet, Err(io::ErrorKind::AddrInUse.into())), false);
        assert_eq!(used.outcome(), ("port", Level::Error));
        assert!(used.words().contains("ss -ulpn 'sport = :7777'"), "{used:?}");
        for kind in [io::ErrorKind::AddrNotAvailable, io::ErrorKind::PermissionDenied] {
            assert_eq!(level(enet, kind, true), Level::Error, "{kind}");
        }
    }

    #[test]
    fn ports_of_a_running_server_are_ok() {
        let enet = PortUser::Players("ENet");
        assert_eq!(level(enet, io::ErrorKind::AddrInUse, true), Level::Ok);
    }

    #[test]
    fn server_starts_without_its_default_admin_port_but_not_without_a_chosen_one() {
        let level =
            |is_default| level(PortUser::Admin { is_default }, io::ErrorKind::AddrInUse, false);
        assert_eq!((level(true), level(false)), (Level::Warning, Level::Error));
    }

    #[test]
    fn listeners_at_all_addresses_need_both_families() {
        let level = |dual_stack| check_dual_stack(Some(dual_stack)).unwrap().outcome().1;
        let levels = [DualStack::Both, DualStack::NoIpv6, DualStack::Ipv6Only].map(level);
        assert_eq!(levels, [Level::Ok, Level::Warning, Level::Error]);
        assert_eq!(check_dual_stack(None), None);
    }

    #[test]
    fn all_ports_of_a_configuration_are_bound() {
        let config = "match.address = \"127.0.0.1:0\"\nadmin.address = \"127.0.0.1:0\"\n\
            [listen]\nenet = \"127.0.0.1:0\"\nwebsocket = \"127.0.0.1:0\"\nwebrtc = \"127.0.0.1:0\"\n";
        let facts = PortFacts::gather(&Config::parse(config).unwrap(), false);
        assert_eq!((facts.ports.len(), facts.dual_stack), (5, None));
        assert!(check(&facts).iter().all(|it| it.outcome() == ("port", Level::Ok)), "{facts:?}");
    }
}
