//! UDP clients, each with a socket of its own.

pub(crate) mod client;
pub(crate) mod client_set;
mod datagram;
pub(crate) mod dialect;
mod enet;
mod host;
mod peer;
mod replica;
mod socket;
mod traffic;
pub(crate) mod transport;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use clap::{Parser, ValueEnum};
use mp_bench_common::print_line;
use rustix::time::Timespec;

use crate::admin_client::{AdminClient, CREATED};
use crate::clock::{Clock, MILLISECOND, SECOND};
use crate::control::{Command, Commands};
use crate::room_creator::RoomCreator;
use client::Client;
use client_set::ClientSet;
use datagram::Packets;
use dialect::Dialect;
use host::HostPlayer;
use replica::Replica;
use traffic::Traffic;
use transport::TransportKind;

/// Options of UDP clients.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// UDP port of the server on this machine; for WebRTC the TCP port of its signaling
    #[arg(long)]
    port: u16,
    /// Number of clients
    #[arg(long)]
    clients: u16,
    /// Senders and receivers
    #[arg(long)]
    pattern: Pattern,
    /// Transport
    #[arg(long, default_value = "enet")]
    transport: TransportKind,
    /// Encoding of messages
    #[arg(long, default_value = "bare")]
    dialect: Dialect,
    /// Pattern echo: messages in flight per client
    #[arg(long, default_value_t = 1)]
    in_flight: u32,
    /// Other patterns: messages per second of each sending client
    #[arg(long, default_value_t = 30)]
    rate: u32,
    /// Message size in bytes
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Send reliably instead of unsequenced
    #[arg(long)]
    reliable: bool,
    /// ENet channels
    #[arg(long, default_value_t = 2)]
    channels: u8,
    /// Number of rooms of equal size, which Godot clients select by authentication packets; each
    /// pattern is one of the clients of a room [default: the server has one room]
    #[arg(long)]
    rooms: Option<u16>,
    /// Create these rooms over the admin API, before the clients connect: they stay on its server
    #[arg(long)]
    create_rooms: bool,
    /// Nodes of a further Godot client, which is the host of the room and changes them; 0: the room
    /// has no host
    #[arg(long, default_value_t = 0)]
    host_nodes: usize,
    /// Further rooms per second that are created while there are messages; 0: none
    #[arg(long, default_value_t = 0)]
    creations: u32,
    /// TCP port of the server's admin API, which creates rooms
    #[arg(long)]
    admin: Option<u16>,
}

impl Args {
    /// Returns the number of clients in a room.
    fn room_size(&self) -> usize {
        usize::from(self.clients / self.rooms.unwrap_or(1))
    }

    /// Returns the number of the room that a client selects, if there are several.
    fn room_of(&self, client: u16) -> Option<u16> {
        self.rooms.map(|rooms| client / (self.clients / rooms))
    }

    fn check(&self) -> Result<(), String> {
        let Some(rooms) = self.rooms else { return Ok(()) };
        if rooms == 0 || !self.clients.is_multiple_of(rooms) {
            return Err(format!("{} clients do not fill {rooms} rooms equally", self.clients));
        }
        if self.dialect != Dialect::Godot || self.pattern == Pattern::Fan {
            return Err("clients of several rooms need --dialect godot and another pattern".into());
        }
        Ok(())
    }
}

/// Senders and receivers of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pattern {
    /// Each to itself, as fast as answers are received
    Echo,
    /// Each to itself, at its rate
    Steady,
    /// The first to all others
    Fan,
    /// Each to the next
    Ring,
    /// Each to all others
    Group,
    /// Each to the server, which forwards nothing, at its rate
    Server,
    /// No messages
    Idle,
}

/// Connects all clients, and runs until the runner stops it.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    args.check()?;
    let clock = Clock::new();
    let orders = Commands::listen();
    if args.create_rooms {
        let admin = args.admin.ok_or("--create-rooms needs --admin")?;
        create_rooms(admin, args.rooms.ok_or("--create-rooms needs --rooms")?)?;
    }
    let mut players = Players::new(args)?;
    let mut traffic = Traffic::new(args);
    players.connect_all(clock, args)?;
    let mut creator = match args.creations {
        0 => None,
        rate => Some(RoomCreator::connect(args.admin.ok_or("--creations needs --admin")?, rate)?),
    };
    print_line("ready");

    let mut drained = None;
    loop {
        players.turn(clock, &mut traffic, 1)?;
        if let Some(creator) = &mut creator {
            creator.turn(clock.nanos())?;
        }
        match orders.next() {
            Some(Command::Start) => {
                traffic.start(clock.nanos());
                creator.iter_mut().for_each(|creator| creator.start(clock.nanos()));
            }
            Some(Command::Mark) => {
                let mut counters = traffic.counter.mark();
                creator.iter().for_each(|creator| creator.mark(&mut counters));
                print_line(&counters.to_string());
            }
            Some(Command::Stop) => {
                traffic.stop();
                creator.iter_mut().for_each(RoomCreator::stop);
                drained = Some(clock.nanos() + DRAIN);
            }
            None => {}
        }
        if drained.is_some_and(|until| clock.nanos() >= until) {
            players.check_host(&mut traffic);
            let mut report = traffic.counter.report();
            creator.iter_mut().for_each(|creator| creator.report(&mut report));
            print_line(&report.to_string());
            return Ok(());
        }
    }
}

/// Creates the rooms that the clients select.
fn create_rooms(admin: u16, rooms: u16) -> Result<(), Box<dyn Error>> {
    let mut admin = AdminClient::connect(admin)?;
    for room in 0..rooms {
        admin.create_room(&dialect::room_name(room), true)?;
        let response = admin.receive()?;
        if response.status != CREATED {
            return Err(format!("a room was not created: {response:?}").into());
        }
    }
    Ok(())
}

struct Players {
    clients: ClientSet,
    host: Option<HostPlayer>,
    /// Maximum sleep of a turn without input.
    nap: Timespec,
}

impl Players {
    fn new(args: &Args) -> Result<Self, Box<dyn Error>> {
        let server: SocketAddr = (Ipv4Addr::LOCALHOST, args.port).into();
        let client = |index| {
            let Args { transport, dialect, channels, .. } = *args;
            let packets = Packets { len: args.size, are_acknowledged: args.reliable };
            Client::new(server, index, transport, dialect, channels, args.room_of(index), packets)
        };
        let mut clients = (0..args.clients).map(client).collect::<Result<Vec<_>, _>>()?;
        let host = match args.host_nodes {
            0 => None,
            nodes => {
                clients.iter_mut().for_each(Client::has_host);
                Some(HostPlayer::connect(server, nodes)?)
            }
        };
        let clients = ClientSet::new(clients, TIMERS_INTERVAL)?;
        let nap = if args.pattern == Pattern::Idle { MILLISECOND } else { 0 };
        Ok(Self { clients, host, nap: Timespec { tv_sec: 0, tv_nsec: nap as i64 } })
    }

    /// Connects all clients: one at a time if the server must number them in this order, else
    /// several at once (Godot receives some 200 datagrams per frame).
    fn connect_all(&mut self, clock: Clock, args: &Args) -> Result<(), Box<dyn Error>> {
        let is_ordered =
            args.dialect == Dialect::Bare && matches!(args.pattern, Pattern::Fan | Pattern::Ring);
        let at_a_time = if is_ordered { 1 } else { 64 };
        let is_notified = args.dialect == Dialect::Godot;
        let to_know = if is_notified { args.room_size() - 1 } else { 0 };
        let mut nothing = Traffic::new(args);
        let (mut last, mut progress) = (0, clock.nanos());
        let mut next_count = 0;
        loop {
            self.turn(clock, &mut nothing, DATAGRAMS_OF_A_FRAME)?;
            if clock.nanos() < next_count {
                continue;
            }
            let connected = self.clients.iter().filter(|client| client.is_connected()).count();
            let nodes = |client: &Client| client.replica().map_or(0, Replica::nodes);
            let knows_all = |client: &Client| {
                client.known_peers() == to_know && nodes(client) == args.host_nodes
            };
            if connected == self.clients.len() && self.clients.iter().all(knows_all) {
                return Ok(());
            }
            if self.host.as_ref().is_none_or(HostPlayer::is_connected) {
                self.clients.connect_next(at_a_time, clock.nanos())?;
            }
            let known_peers = connected
                + self.clients.iter().map(|it| it.known_peers() + nodes(it)).sum::<usize>();
            if known_peers != last {
                (last, progress) = (known_peers, clock.nanos());
            }
            if clock.nanos() > progress + CONNECT_TIMEOUT {
                let all = self.clients.len();
                let notified = self.clients.iter().filter(|client| knows_all(client)).count();
                let least = self.clients.iter().map(Client::known_peers).min().unwrap_or_default();
                return Err(format!(
                    "no progress: {connected} of {all} clients are connected, {notified} know all others, \
                     one knows only {least}"
                )
                .into());
            }
            // Checked once per millisecond, because it takes as long as a turn.
            next_count = clock.nanos() + MILLISECOND;
        }
    }

    /// Counts clients as wrong whose nodes are not those of the host.
    fn check_host(&self, traffic: &mut Traffic) {
        let replicas = self.clients.iter().filter_map(Client::replica);
        replicas.filter(|it| !it.is_consistent()).for_each(|_| traffic.counter.wrong());
    }

    /// Receives up to `most` datagrams per client, answers, sends, and runs the timers.
    fn turn(
        &mut self,
        clock: Clock,
        traffic: &mut Traffic,
        most: usize,
    ) -> Result<(), Box<dyn Error>> {
        for at in 0..self.clients.wait(&self.nap)? {
            let index = self.clients.ready(at);
            let client = self.clients.get(index);
            client.receive(clock.nanos(), most)?;
            let mut answers = 0;
            while let Some(packet) = client.next_packet() {
                answers += traffic.received(index, &packet, clock.nanos());
            }
            for _ in 0..answers {
                traffic.send(self.clients.all(), index, clock.nanos());
            }
            self.clients.get(index).flush(clock.nanos())?;
        }
        self.host.iter_mut().for_each(|host| host.turn(clock.nanos()));
        traffic.send_what_is_due(self.clients.all(), clock)?;
        self.clients.run_timers(clock.nanos())
    }
}

/// Datagrams received at once while clients connect: they acknowledge them together, as Godot's do
/// once per frame.
const DATAGRAMS_OF_A_FRAME: usize = 16;
/// Interval of checking the timers of all clients. Godot checks once per frame.
const TIMERS_INTERVAL: u64 = 5 * MILLISECOND;
/// Time for packets in flight to arrive, also from a server that runs in frames.
const DRAIN: u64 = SECOND / 2;
/// Time without progress after which connecting fails.
const CONNECT_TIMEOUT: u64 = 20 * SECOND;
