//! Checks of UDP: socket buffers, segmentation offload, and an exchange over loopback.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_udp::{DatagramSocket as _, SOCKET_BUFFER_BYTES, SendBatch, Transmit, UdpSocket};

use crate::config::{Config, Transport};

use super::finding::Finding;

/// Properties of UDP on this machine.
#[derive(Debug)]
pub(super) struct SocketFacts {
    /// Maximum number of players over UDP; 0 if no transport uses it.
    players: u64,
    /// Maximum sizes of the receive buffer and of the send buffer; `None`: the system has no such
    /// setting.
    buffers: Option<Buffers>,
    /// True if the kernel splits datagrams; `None` on systems other than Linux.
    has_segmentation: Option<bool>,
    echo: io::Result<Echo>,
}

/// Maximum sizes of socket buffers in bytes.
#[derive(Clone, Copy, Debug)]
struct Buffers {
    receive: u64,
    send: u64,
}

/// Result of datagrams that were sent to another socket and back.
#[derive(Clone, Copy, Debug)]
struct Echo {
    sent: u32,
    received: u32,
    took: Duration,
}

impl SocketFacts {
    /// Reads the settings of the system, and exchanges datagrams with itself.
    pub(super) fn gather(config: &Config) -> Self {
        let is_udp = |transport| matches!(transport, Transport::Enet | Transport::WebRtc);
        let has_udp = config.listen.iter().any(|listener| is_udp(listener.transport));
        let players = if has_udp { config.limits.max_clients.into() } else { 0 };
        let sysctl = |name: &str| -> Option<u64> {
            let text = std::fs::read_to_string(format!("/proc/sys/net/core/{name}")).ok()?;
            text.trim().parse().ok()
        };
        let buffers = sysctl("rmem_max").zip(sysctl("wmem_max"));
        Self {
            players,
            buffers: buffers.map(|(receive, send)| Buffers { receive, send }),
            has_segmentation: has_segmentation(),
            echo: echo(ECHO_DATAGRAMS),
        }
    }
}

/// Checks the sockets. Returns nothing if no transport uses UDP.
pub(super) fn check(facts: &SocketFacts) -> Vec<Finding> {
    if facts.players == 0 {
        return Vec::new();
    }
    let buffers = facts.buffers.map(|buffers| check_buffers(buffers, facts.players));
    let segmentation = facts.has_segmentation.map(check_segmentation);
    [buffers, segmentation, Some(check_echo(&facts.echo))].into_iter().flatten().collect()
}

fn check_buffers(Buffers { receive, send }: Buffers, players: u64) -> Finding {
    let needed = (players * BUFFER_PER_PLAYER).min(SOCKET_BUFFER_BYTES as u64);
    let text = format!(
        "socket buffers of up to {receive} bytes (receive) and {send} bytes (send) for {players} players"
    );
    if receive.min(send) >= needed {
        return Finding::ok(BUFFERS, text);
    }
    Finding::warning(
        BUFFERS,
        text,
        "a burst of datagrams of all players, such as joins at once, overflows smaller buffers and is lost",
        format!(
            "sysctl -w net.core.rmem_max={SOCKET_BUFFER_BYTES} net.core.wmem_max={SOCKET_BUFFER_BYTES}, \
             and the same in /etc/sysctl.d/mp-server.conf"
        ),
    )
}

fn check_segmentation(has_segmentation: bool) -> Finding {
    if has_segmentation {
        return Finding::ok(OFFLOAD, "the kernel splits batches of datagrams (UDP GSO)");
    }
    Finding::warning(
        OFFLOAD,
        "the kernel does not split batches of datagrams (UDP GSO)",
        "each datagram is sent separately, which takes more CPU time with many players",
        "use Linux 4.18 or later",
    )
}

fn check_echo(echo: &io::Result<Echo>) -> Finding {
    let why = "datagrams to players are lost in the same way, and reliable ones are delayed";
    let echo = match echo {
        Ok(echo) => echo,
        Err(error) => {
            let text = format!("cannot exchange datagrams over the loopback interface: {error}");
            return Finding::error(ECHO, text, why, "ip link set lo up; and check the firewall");
        }
    };
    let Echo { sent, received, took } = *echo;
    let millis = took.as_secs_f64() * 1_000.0;
    let text = format!("{received} of {sent} datagrams returned over loopback in {millis:.1} ms");
    match received {
        0 => Finding::error(ECHO, text, why, "ip link set lo up; and check the firewall"),
        _ if received < sent => Finding::warning(
            ECHO,
            text,
            why,
            "check the firewall and the load of the machine: nft list ruleset; uptime",
        ),
        _ if took > ECHO_TIME_MAX => Finding::warning(
            ECHO,
            text,
            "the machine is busy or its CPU time is limited, so that players see latency",
            "check the load and the CPU quota: uptime; nproc",
        ),
        _ => Finding::ok(ECHO, text),
    }
}

/// Returns whether a socket has the option of UDP GSO.
#[cfg(target_os = "linux")]
fn has_segmentation() -> Option<bool> {
    use nix::sys::socket::{getsockopt, sockopt};
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    Some(getsockopt(&socket, sockopt::UdpGsoSegment).is_ok())
}

#[cfg(not(target_os = "linux"))]
fn has_segmentation() -> Option<bool> {
    None
}

/// Sends datagrams from one socket to another and back, a batch at a time.
fn echo(datagrams: u32) -> io::Result<Echo> {
    let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).map_err(|error| error.source);
    let (mut near, mut far) = (bind()?, bind()?);
    let (to_near, to_far) = (near.local_addr()?, far.local_addr()?);
    let clock = SystemClock::new();
    let started = clock.now();
    let (mut sent, mut received) = (0, 0);
    while sent < datagrams {
        let size = ECHO_BATCH.min(datagrams - sent);
        send(&mut near, to_far, size)?;
        sent += size;
        let arrived = receive(&mut far, size, &clock)?;
        send(&mut far, to_near, arrived)?;
        received += receive(&mut near, arrived, &clock)?;
    }
    Ok(Echo { sent, received, took: clock.now() - started })
}

/// Sends datagrams in one system call, as the server does.
fn send(socket: &mut UdpSocket, to: SocketAddr, datagrams: u32) -> io::Result<()> {
    let len = datagrams as usize * ECHO_BYTES;
    let mut batch = SendBatch::with_capacity(len);
    if len > 0 {
        batch.push(Transmit { to, from: None, len, segment_size: Some(ECHO_BYTES) });
    }
    socket.try_send_batch(&mut batch)
}

/// Receives `most` datagrams, or fewer if no others follow for [`ECHO_TIMEOUT`].
fn receive(socket: &mut UdpSocket, most: u32, clock: &SystemClock) -> io::Result<u32> {
    let mut received = 0;
    let mut last = clock.now();
    while received < most && clock.now() - last < ECHO_TIMEOUT {
        let before = received;
        socket.try_recv_batch((most - received) as usize, &mut |_, _| received += 1)?;
        if received > before {
            last = clock.now();
        } else {
            thread::sleep(Duration::from_micros(100));
        }
    }
    Ok(received)
}

const BUFFERS: &str = "socket-buffers";
const OFFLOAD: &str = "udp-offload";
const ECHO: &str = "loopback";
/// Part of the socket buffers for one player in bytes: a small datagram with the overhead of the
/// kernel, which doubles the size of the buffer for it.
const BUFFER_PER_PLAYER: u64 = 768;
/// Number of datagrams of the exchange.
const ECHO_DATAGRAMS: u32 = 1_000;
/// Number of datagrams at once, which fit into the smallest default buffers.
const ECHO_BATCH: u32 = 32;
/// Length of a datagram.
const ECHO_BYTES: usize = 100;
/// Time without a datagram after which the missing ones are lost.
const ECHO_TIMEOUT: Duration = Duration::from_millis(50);
/// Time above which the exchange is slow. An idle machine takes about 5 ms.
const ECHO_TIME_MAX: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn buffers_fit_the_number_of_players() {
        let level = |bytes, players| {
            check_buffers(Buffers { receive: bytes, send: bytes }, players).outcome().1
        };
        // The default of Linux.
        assert_eq!((level(212_992, 256), level(212_992, 500)), (Level::Ok, Level::Warning));
        assert_eq!((level(4 << 20, 65_535), level(4 << 19, 65_535)), (Level::Ok, Level::Warning));
        let one_sided = check_buffers(Buffers { receive: 4 << 20, send: 1_000 }, 256);
        assert_eq!(one_sided.outcome(), ("socket-buffers", Level::Warning));
    }

    #[test]
    fn missing_segmentation_is_a_warning() {
        let levels = [true, false].map(|has| check_segmentation(has).outcome().1);
        assert_eq!(levels, [Level::Ok, Level::Warning]);
    }

    #[test]
    fn lost_and_slow_datagrams_are_reported() {
        let level = |received, millis| {
            let took = Duration::from_millis(millis);
            check_echo(&Ok(Echo { sent: 1_000, received, took })).outcome().1
        };
        assert_eq!((level(1_000, 5), level(999, 5)), (Level::Ok, Level::Warning));
        assert_eq!((level(1_000, 501), level(0, 5)), (Level::Warning, Level::Error));
        let failed = check_echo(&Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(failed.outcome(), ("loopback", Level::Error));
    }

    #[test]
    fn datagrams_return_over_loopback() {
        let echo = echo(100).unwrap();
        assert_eq!((echo.sent, echo.received), (100, 100));
    }

    #[test]
    fn servers_without_udp_are_not_checked() {
        let config = Config::parse("[listen]\nenet = \"off\"\nwebrtc = \"off\"\n").unwrap();
        assert!(check(&SocketFacts::gather(&config)).is_empty());
    }
}
