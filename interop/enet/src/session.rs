//! A session between mp and the C program through the proxy.
//!
//! Time is virtual: each step lets both sides receive and send as if a millisecond had passed.
//! Outcomes do not depend on the speed of the machine.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use mp_core::{ConnectionId, DisconnectReason, Instant, Rng};
use mp_transport_enet::EnetConnection;
use mp_transport_enet::proto::{
    Admission, CompressionMode, HostEvent, HostSettings, PacketFlags, TimeoutConfig,
};

use crate::c_enet::{CEnet, CEnetEvent, CEnetStats};
use crate::coverage::{CoverageItem, PacketKind, PacketSize, Role, Sender, Setup};
use crate::deliveries::{Deliveries, ReceivedPacket, payload};
use crate::proxy::Proxy;

/// A session.
pub(crate) struct Session<'a> {
    pub(crate) setup: Setup,
    now: Instant,
    c_enet: &'a mut CEnet,
    pub(crate) mp: EnetConnection,
    pub(crate) proxy: Proxy,
    /// mp's connection, once open.
    link: Option<ConnectionId>,
    is_connected_there: bool,
    pub(crate) to_c: Deliveries,
    pub(crate) to_mp: Deliveries,
    /// Cases covered so far.
    pub(crate) coverage: Vec<CoverageItem>,
    /// Reason of the end at mp, and number received by C.
    pub(crate) closed: (Option<DisconnectReason>, Option<u32>),
    pub(crate) stats: CEnetStats,
    /// Lowest packet throttle in C's statistics.
    pub(crate) lowest_throttle: u32,
}

/// Result of a step of a session; the error describes what failed.
pub(crate) type SessionResult<T = ()> = Result<T, String>;

/// Bandwidth limits of both sides in bytes per second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) mp_takes: u32,
    pub(crate) mp_sends: u32,
    pub(crate) c_takes: u32,
    pub(crate) c_sends: u32,
}

/// Longest time to wait for an expected event. ENet doubles the retransmission timeout each time
/// without a limit: a packet lost a dozen times in a row, as happens at 30 % loss, takes minutes.
const WAIT_LIMIT: Duration = Duration::from_secs(20_000);
/// Longest time to wait for a connection before the session restarts; C ENet times out after 30 s.
const CONNECT_LIMIT: Duration = Duration::from_secs(60);
/// Maximum number of connection attempts. At 30 % loss about 1 % fail.
const ATTEMPTS_MAX: u32 = 20;
const CHANNELS: u8 = 5;
/// Number that the client sends with its connection request.
const DATA: u32 = 77;

impl<'a> Session<'a> {
    /// Connects both sides.
    pub(crate) fn open(
        setup: Setup,
        limits: Limits,
        has_throttle: bool,
        c_enet: &'a mut CEnet,
        seed: u64,
    ) -> SessionResult<Self> {
        let mut rng = Rng::seed_from_u64(seed);
        let (mp, proxy) = begin(setup, limits, has_throttle, c_enet, rng.fork())?;
        let mut session = Self {
            setup,
            now: START,
            c_enet,
            mp,
            proxy,
            link: None,
            is_connected_there: false,
            to_c: Deliveries::new(setup.whole_max()),
            to_mp: Deliveries::new(setup.whole_max()),
            coverage: Vec::new(),
            closed: (None, None),
            stats: CEnetStats::default(),
            lowest_throttle: u32::MAX,
        };
        // With enough loss, one side times out before the other has noticed the connection.
        for _ in 1..ATTEMPTS_MAX {
            if session.wait(CONNECT_LIMIT, Self::is_connected)? {
                break;
            }
            (session.mp, session.proxy) =
                begin(setup, limits, has_throttle, session.c_enet, rng.fork())?;
            (session.link, session.is_connected_there, session.closed) =
                (None, false, (None, None));
        }
        session.until("both sides are connected", Self::is_connected)?;
        session.c_enet.command("timeout 1073741824 1000000000 1000000000")?;
        Ok(session)
    }

    fn is_connected(&self) -> bool {
        self.link.is_some() && self.is_connected_there && self.closed == (None, None)
    }

    /// Sends a packet from mp to C.
    pub(crate) fn send_to_c(
        &mut self,
        kind: PacketKind,
        channel: u8,
        size: usize,
    ) -> SessionResult {
        let number = self.to_c.send(kind, channel, size);
        let (payload, flags) = (payload(number, size), PacketFlags(kind.flags()));
        let link = self.link.ok_or("mp's connection is closed")?;
        let mut peer = self.mp.peer(link).ok_or("mp's connection is closed")?;
        peer.send(channel, payload, flags).map_err(|error| error.to_string())
    }

    /// Makes C send a packet.
    pub(crate) fn send_to_mp(
        &mut self,
        kind: PacketKind,
        channel: u8,
        size: usize,
    ) -> SessionResult {
        let number = self.to_mp.send(kind, channel, size);
        self.c_enet.command(&format!("send {} {channel} {size} {number}", kind.flags()))
    }

    /// Sends a command to the C program.
    pub(crate) fn command(&mut self, line: &str) -> SessionResult {
        self.c_enet.command(line)
    }

    /// Returns mp's peer.
    pub(crate) fn peer(&mut self) -> SessionResult<mp_transport_enet::EnetPacketPeer<'_>> {
        let link = self.link.ok_or("mp's connection is closed")?;
        self.mp.peer(link).ok_or_else(|| "mp's connection is closed".to_owned())
    }

    /// Returns the number of commands that mp has retransmitted.
    pub(crate) fn resent(&mut self) -> u64 {
        let stats = self.link.and_then(|link| self.mp.host().connection_stats(link));
        stats.map_or(0, |stats| stats.retransmissions)
    }

    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    /// Requests the statistics of C.
    pub(crate) fn request_stats(&mut self) -> SessionResult<CEnetStats> {
        self.stats.throttle = u32::MAX;
        self.c_enet.command("stats")?;
        self.until("C's statistics", |session| session.stats.throttle != u32::MAX)?;
        Ok(self.stats)
    }

    /// Runs for a duration. Calls `act` every 10 ms.
    pub(crate) fn run(
        &mut self,
        duration: Duration,
        mut act: impl FnMut(&mut Self) -> SessionResult,
    ) -> SessionResult {
        let end = self.now + duration;
        while self.now < end {
            act(self)?;
            let next = end.min(self.now + TICK);
            while self.now < next {
                self.step(STEP)?;
            }
        }
        Ok(())
    }

    /// Runs until a condition holds. Fails after [`WAIT_LIMIT`].
    pub(crate) fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> SessionResult {
        if self.wait(WAIT_LIMIT, is_so)? {
            return Ok(());
        }
        Err(format!(
            "timed out after {} s waiting until {what}; {} and {} reliable bytes are in flight",
            WAIT_LIMIT.as_secs(),
            self.to_c.outstanding,
            self.to_mp.outstanding
        ))
    }

    /// Runs until a condition holds, at most for `limit`. Returns whether it holds.
    fn wait(&mut self, limit: Duration, is_so: impl Fn(&Self) -> bool) -> SessionResult<bool> {
        let end = self.now + limit;
        let (mut datagrams, mut idle) = (self.proxy.datagrams, Duration::ZERO);
        while !is_so(self) {
            if self.now > end {
                return Ok(false);
            }
            // Longer steps skip the time between two retransmissions.
            self.step(STEP.max(idle / 16))?;
            idle = if self.proxy.datagrams == datagrams { idle + STEP } else { Duration::ZERO };
            datagrams = self.proxy.datagrams;
        }
        Ok(true)
    }

    /// Waits until all reliable packets have been received.
    pub(crate) fn drain(&mut self) -> SessionResult {
        self.until("all reliable packets are received", |session| {
            session.to_c.is_done() && session.to_mp.is_done()
        })
    }

    /// Advances the time, and lets both sides receive and send.
    fn step(&mut self, passed: Duration) -> SessionResult {
        self.now += passed;
        let now = self.now;
        self.proxy.turn(now).map_err(|error| format!("proxy: {error}"))?;
        while let Some(event) = self.mp.service(now) {
            self.note(event)?;
        }
        self.mp.flush(now);
        for next_event in self.c_enet.step(now)? {
            match next_event {
                CEnetEvent::Listening | CEnetEvent::Stepped => {}
                CEnetEvent::Connected(data) => {
                    let expected = if self.setup.role == Role::Client { DATA } else { 0 };
                    if data != expected {
                        return Err(format!("C received the number {data} instead of {expected}"));
                    }
                    self.is_connected_there = true;
                }
                CEnetEvent::Disconnected(data) => self.closed.1 = Some(data),
                CEnetEvent::Packet(arrival) => {
                    let (kind, size) = self.to_c.record_received(&arrival)?;
                    self.arrived(Sender::Mp, arrival.channel, kind, size);
                }
                CEnetEvent::CEnetStats(stats) => {
                    self.stats = stats;
                    self.lowest_throttle = self.lowest_throttle.min(stats.throttle);
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, event: HostEvent) -> SessionResult {
        match event {
            HostEvent::Connected { connection, data, .. } => {
                let expected = if self.setup.role == Role::Server { DATA } else { 0 };
                if data != expected {
                    return Err(format!("mp received the number {data} instead of {expected}"));
                }
                self.link = Some(connection);
            }
            HostEvent::Packet { channel, flags, payload, .. } => {
                let arrival = ReceivedPacket::read(channel, flags.0, &payload);
                let (kind, size) = self.to_mp.record_received(&arrival)?;
                self.arrived(Sender::C, channel, kind, size);
            }
            HostEvent::Disconnected { reason, .. } => self.closed.0 = Some(reason),
            other => return Err(format!("unexpected: {other:?}")),
        }
        Ok(())
    }

    fn arrived(&mut self, sender: Sender, channel: u8, kind: PacketKind, size: PacketSize) {
        let item = CoverageItem::Arrived(self.setup, sender, kind, size);
        // Bulk packets are not covered cases.
        if channel == kind.channel() && !self.coverage.contains(&item) {
            self.coverage.push(item);
        }
    }
}

/// Creates both hosts and the proxy, and makes the client connect.
fn begin(
    setup: Setup,
    limits: Limits,
    has_throttle: bool,
    c_enet: &mut CEnet,
    rng: Rng,
) -> SessionResult<(EnetConnection, Proxy)> {
    let mut settings = HostSettings::default();
    settings.admission = Admission::Anybody;
    settings.checksum = setup.has_checksum;
    if setup.is_compressed {
        settings.compression = CompressionMode::RangeCoder;
    }
    settings.incoming_bandwidth = limits.mp_takes;
    settings.outgoing_bandwidth = limits.mp_sends;
    settings.packet_throttle = has_throttle;
    // No timeouts unless the session configures them.
    let long = WAIT_LIMIT * 10;
    settings.timeout = TimeoutConfig { limit: 1 << 30, minimum: long, maximum: long };
    settings.reliable_progress_timeout = long;

    let (compress, checksum) = (u8::from(setup.is_compressed), u8::from(setup.has_checksum));
    let (takes, sends) = (limits.c_takes, limits.c_sends);
    let options = format!("{CHANNELS} {compress} {checksum} {takes} {sends}");
    let any = (Ipv4Addr::LOCALHOST, 0).into();
    let error = |error: &dyn std::fmt::Display| error.to_string();
    let mut mp = EnetConnection::create_host_bound(any, settings).map_err(|e| error(&e))?;
    let proxy = match setup.role {
        Role::Server => {
            let port = mp.local_addr().map_err(|e| error(&e))?.port();
            let proxy = Proxy::new(port, setup.loss, rng).map_err(|e| error(&e))?;
            let port = proxy.address().map_err(|e| error(&e))?.port();
            c_enet.command(&format!("connect {port} {options} {DATA}"))?;
            proxy
        }
        Role::Client => {
            let port = free_port().map_err(|e| error(&e))?;
            c_enet.command(&format!("listen {port} {options}"))?;
            let proxy = Proxy::new(port, setup.loss, rng).map_err(|e| error(&e))?;
            let to = proxy.address().map_err(|e| error(&e))?;
            mp.connect_to_host(to, CHANNELS, DATA);
            proxy
        }
    };
    Ok((mp, proxy))
}

/// Returns a port that is currently free.
fn free_port() -> std::io::Result<u16> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Time of the first step; C ENet treats 0 as no time.
const START: Instant = Instant::from_millis(1_000);
const STEP: Duration = Duration::from_millis(1);
const TICK: Duration = Duration::from_millis(10);
