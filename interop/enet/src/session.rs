//! One session: mp on one side, the C program on the other, the proxy between them.
//!
//! Time is counted, not measured: in each step both sides receive and send as if a millisecond had passed. So a session has the same
//! outcome on a slow machine and on a fast one, and takes as long as its work.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use mp_core::{ConnectionId, DisconnectReason, Instant, Rng};
use mp_transport_enet::EnetConnection;
use mp_transport_enet::proto::{
    Admission, CompressionMode, HostEvent, HostSettings, PacketFlags, Patience,
};

use crate::ledger::{Arrival, Ledger, payload};
use crate::matrix::{Cell, Kind, Role, Sender, Setup, Size};
use crate::proxy::Proxy;
use crate::theirs::{Figures, Said, Theirs};

/// A session.
pub(crate) struct Session<'a> {
    pub(crate) setup: Setup,
    now: Instant,
    theirs: &'a mut Theirs,
    pub(crate) ours: EnetConnection,
    pub(crate) proxy: Proxy,
    /// mp's link, once it is there.
    link: Option<ConnectionId>,
    is_connected_there: bool,
    pub(crate) to_c: Ledger,
    pub(crate) to_mp: Ledger,
    /// What has happened.
    pub(crate) cells: Vec<Cell>,
    /// How the connection ended: here, and there.
    pub(crate) ends: (Option<DisconnectReason>, Option<u32>),
    pub(crate) figures: Figures,
    /// The lowest throttle among the figures.
    pub(crate) lowest_throttle: u32,
}

/// What a session does or why it cannot.
pub(crate) type Done<T = ()> = Result<T, String>;

/// Limits of the two sides, in bytes per second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) mp_takes: u32,
    pub(crate) mp_sends: u32,
    pub(crate) c_takes: u32,
    pub(crate) c_sends: u32,
}

/// Longest that a session waits for what must happen. ENet doubles the time until it sends again each time, without end: what is
/// lost a dozen times in a row, as it happens at 30 % loss, takes minutes.
const PATIENCE: Duration = Duration::from_secs(20_000);
/// Longest that a session waits for a connection before it begins anew: C ENet gives up after 30 s.
const CONNECT_LIMIT: Duration = Duration::from_secs(60);
/// Attempts to connect. At 30 % loss about one in a hundred fails.
const ATTEMPTS_MAX: u32 = 20;
const CHANNELS: u8 = 5;
/// What the client says about itself.
const DATA: u32 = 77;

impl<'a> Session<'a> {
    /// Lets both sides meet.
    pub(crate) fn open(
        setup: Setup,
        limits: Limits,
        has_throttle: bool,
        theirs: &'a mut Theirs,
        seed: u64,
    ) -> Done<Self> {
        let mut rng = Rng::from_number(seed);
        let (ours, proxy) = begin(setup, limits, has_throttle, theirs, rng.fork())?;
        let mut session = Self {
            setup,
            now: BEGINNING,
            theirs,
            ours,
            proxy,
            link: None,
            is_connected_there: false,
            to_c: Ledger::new(setup.whole_max()),
            to_mp: Ledger::new(setup.whole_max()),
            cells: Vec::new(),
            ends: (None, None),
            figures: Figures::default(),
            lowest_throttle: u32::MAX,
        };
        // With enough bad luck a side gives up before the other knows of the connection.
        for _ in 1..ATTEMPTS_MAX {
            if session.wait(CONNECT_LIMIT, Self::is_connected)? {
                break;
            }
            (session.ours, session.proxy) =
                begin(setup, limits, has_throttle, session.theirs, rng.fork())?;
            (session.link, session.is_connected_there, session.ends) = (None, false, (None, None));
        }
        session.until("both sides are connected", Self::is_connected)?;
        session.theirs.tell("patience 1073741824 1000000000 1000000000")?;
        Ok(session)
    }

    fn is_connected(&self) -> bool {
        self.link.is_some() && self.is_connected_there && self.ends == (None, None)
    }

    /// Sends a packet to C.
    pub(crate) fn send_to_c(&mut self, kind: Kind, channel: u8, size: usize) -> Done {
        let number = self.to_c.send(kind, channel, size);
        let (payload, flags) = (payload(number, size), PacketFlags(kind.flags()));
        let link = self.link.ok_or("mp's link is gone")?;
        let mut peer = self.ours.peer(link).ok_or("mp's link is gone")?;
        peer.send(channel, payload, flags).map_err(|error| error.to_string())
    }

    /// Lets C send a packet.
    pub(crate) fn send_to_mp(&mut self, kind: Kind, channel: u8, size: usize) -> Done {
        let number = self.to_mp.send(kind, channel, size);
        self.theirs.tell(&format!("send {} {channel} {size} {number}", kind.flags()))
    }

    /// Tells the C program something.
    pub(crate) fn tell(&mut self, line: &str) -> Done {
        self.theirs.tell(line)
    }

    /// mp's peer.
    pub(crate) fn peer(&mut self) -> Done<mp_transport_enet::EnetPacketPeer<'_>> {
        let link = self.link.ok_or("mp's link is gone")?;
        self.ours.peer(link).ok_or_else(|| "mp's link is gone".to_owned())
    }

    /// The commands that mp has sent again.
    pub(crate) fn resent(&mut self) -> u64 {
        let stats = self.link.and_then(|link| self.ours.host().connection_stats(link));
        stats.map_or(0, |stats| stats.retransmissions)
    }

    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    /// Asks C for its figures.
    pub(crate) fn ask_figures(&mut self) -> Done<Figures> {
        self.figures.throttle = u32::MAX;
        self.theirs.tell("figures")?;
        self.until("C's figures", |session| session.figures.throttle != u32::MAX)?;
        Ok(self.figures)
    }

    /// Runs for a while; `act` is called every 10 ms.
    pub(crate) fn run(
        &mut self,
        duration: Duration,
        mut act: impl FnMut(&mut Self) -> Done,
    ) -> Done {
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

    /// Runs until something holds.
    pub(crate) fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> Done {
        if self.wait(PATIENCE, is_so)? {
            return Ok(());
        }
        Err(format!(
            "waited {} s in vain until {what}; {} and {} reliable bytes have not arrived",
            PATIENCE.as_secs(),
            self.to_c.outstanding,
            self.to_mp.outstanding
        ))
    }

    /// Runs until something holds, at most for `limit`; returns whether it holds.
    fn wait(&mut self, limit: Duration, is_so: impl Fn(&Self) -> bool) -> Done<bool> {
        let end = self.now + limit;
        let (mut datagrams, mut idle) = (self.proxy.datagrams, Duration::ZERO);
        while !is_so(self) {
            if self.now > end {
                return Ok(false);
            }
            // Longer steps pass the time between two retransmissions.
            self.step(STEP.max(idle / 16))?;
            idle = if self.proxy.datagrams == datagrams { idle + STEP } else { Duration::ZERO };
            datagrams = self.proxy.datagrams;
        }
        Ok(true)
    }

    /// Lets everything reliable arrive.
    pub(crate) fn drain(&mut self) -> Done {
        self.until("all has arrived", |session| session.to_c.is_done() && session.to_mp.is_done())
    }

    /// Lets `passed` pass, and both sides receive and send.
    fn step(&mut self, passed: Duration) -> Done {
        self.now += passed;
        let now = self.now;
        self.proxy.turn(now).map_err(|error| format!("the proxy: {error}"))?;
        while let Some(event) = self.ours.service(now) {
            self.note(event)?;
        }
        self.ours.flush(now);
        for said in self.theirs.step(now)? {
            match said {
                Said::Listening | Said::Stepped => {}
                Said::Connected(data) => {
                    let expected = if self.setup.role == Role::Client { DATA } else { 0 };
                    if data != expected {
                        return Err(format!("C was told {data} instead of {expected}"));
                    }
                    self.is_connected_there = true;
                }
                Said::Disconnected(data) => self.ends.1 = Some(data),
                Said::Packet(arrival) => {
                    let (kind, size) = self.to_c.arrive(&arrival)?;
                    self.arrived(Sender::Mp, arrival.channel, kind, size);
                }
                Said::Figures(figures) => {
                    self.figures = figures;
                    self.lowest_throttle = self.lowest_throttle.min(figures.throttle);
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, event: HostEvent) -> Done {
        match event {
            HostEvent::Connected { connection, data, .. } => {
                let expected = if self.setup.role == Role::Server { DATA } else { 0 };
                if data != expected {
                    return Err(format!("mp was told {data} instead of {expected}"));
                }
                self.link = Some(connection);
            }
            HostEvent::Packet { channel, flags, payload, .. } => {
                let arrival = Arrival::read(channel, flags.0, &payload);
                let (kind, size) = self.to_mp.arrive(&arrival)?;
                self.arrived(Sender::C, channel, kind, size);
            }
            HostEvent::Disconnected { reason, .. } => self.ends.0 = Some(reason),
            other => return Err(format!("unexpected: {other:?}")),
        }
        Ok(())
    }

    fn arrived(&mut self, sender: Sender, channel: u8, kind: Kind, size: Size) {
        let cell = Cell::Arrived(self.setup, sender, kind, size);
        // The bulk is not counted.
        if channel == kind.channel() && !self.cells.contains(&cell) {
            self.cells.push(cell);
        }
    }
}

/// Makes both hosts and the way between them, and lets the client connect.
fn begin(
    setup: Setup,
    limits: Limits,
    has_throttle: bool,
    theirs: &mut Theirs,
    rng: Rng,
) -> Done<(EnetConnection, Proxy)> {
    let mut settings = HostSettings::default();
    settings.admission = Admission::Anybody;
    settings.checksum = setup.has_checksum;
    if setup.is_compressed {
        settings.compression = CompressionMode::RangeCoder;
    }
    settings.incoming_bandwidth = limits.mp_takes;
    settings.outgoing_bandwidth = limits.mp_sends;
    settings.packet_throttle = has_throttle;
    // Nobody is given up before the session says so.
    let long = PATIENCE * 10;
    settings.patience = Patience { limit: 1 << 30, minimum: long, maximum: long };
    settings.reliable_progress_timeout = long;

    let (compress, checksum) = (u8::from(setup.is_compressed), u8::from(setup.has_checksum));
    let (takes, sends) = (limits.c_takes, limits.c_sends);
    let options = format!("{CHANNELS} {compress} {checksum} {takes} {sends}");
    let any = (Ipv4Addr::LOCALHOST, 0).into();
    let error = |error: &dyn std::fmt::Display| error.to_string();
    let mut ours = EnetConnection::create_host_bound(any, settings).map_err(|e| error(&e))?;
    let proxy = match setup.role {
        Role::Server => {
            let port = ours.local_addr().map_err(|e| error(&e))?.port();
            let proxy = Proxy::new(port, setup.loss, rng).map_err(|e| error(&e))?;
            let port = proxy.address().map_err(|e| error(&e))?.port();
            theirs.tell(&format!("connect {port} {options} {DATA}"))?;
            proxy
        }
        Role::Client => {
            let port = free_port().map_err(|e| error(&e))?;
            theirs.tell(&format!("listen {port} {options}"))?;
            let proxy = Proxy::new(port, setup.loss, rng).map_err(|e| error(&e))?;
            let to = proxy.address().map_err(|e| error(&e))?;
            ours.connect_to_host(to, CHANNELS, DATA);
            proxy
        }
    };
    Ok((ours, proxy))
}

/// A port that is free now.
fn free_port() -> std::io::Result<u16> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The time of the first step: C ENet takes 0 for no time.
const BEGINNING: Instant = Instant::from_millis(1_000);
const STEP: Duration = Duration::from_millis(1);
const TICK: Duration = Duration::from_millis(10);
