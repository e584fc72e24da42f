//! ENet clients, each on a socket of its own.

pub(crate) mod client;
pub(crate) mod dialect;
mod traffic;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use clap::{Parser, ValueEnum};
use mp_bench_common::say;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::time::Timespec;

use crate::clock::{Clock, MILLISECOND, SECOND};
use crate::control::{Order, Orders};
use client::Client;
use dialect::Dialect;
use traffic::Traffic;

/// ENet clients and what they say.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// The server's UDP port on this machine
    #[arg(long)]
    port: u16,
    /// How many clients
    #[arg(long)]
    clients: u16,
    /// Who speaks to whom
    #[arg(long)]
    pattern: Pattern,
    /// What is around a message
    #[arg(long, default_value = "bare")]
    dialect: Dialect,
    /// Echo: messages that each client keeps on their way
    #[arg(long, default_value_t = 1)]
    in_flight: u32,
    /// Others: messages per second of each client that speaks
    #[arg(long, default_value_t = 30)]
    rate: u32,
    /// Bytes of a message
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Send reliably instead of unsequenced
    #[arg(long)]
    reliable: bool,
    /// ENet channels
    #[arg(long, default_value_t = 2)]
    channels: u8,
}

/// Who speaks to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pattern {
    /// Each to itself, as fast as answers come
    Echo,
    /// The first to all others
    Fan,
    /// Each to the next
    Ring,
    /// Each to all others
    Group,
    /// Nobody speaks
    Idle,
}

/// Connects all, and plays until the runner has heard enough.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let clock = Clock::new();
    let orders = Orders::listen();
    let mut players = Players::new(args)?;
    let mut traffic = Traffic::new(args);
    players.connect_all(clock, args)?;
    say("ready");

    let mut drained = None;
    loop {
        players.turn(clock, &mut traffic, 1)?;
        match orders.next() {
            Some(Order::Start) => traffic.start(clock.nanos()),
            Some(Order::Mark) => say(&traffic.tally.mark().to_string()),
            Some(Order::Stop) => {
                traffic.stop();
                drained = Some(clock.nanos() + DRAIN);
            }
            None => {}
        }
        if drained.is_some_and(|until| clock.nanos() >= until) {
            say(&traffic.tally.report().to_string());
            return Ok(());
        }
    }
}

struct Players {
    clients: Vec<Client>,
    epoll: rustix::fd::OwnedFd,
    ready: Vec<epoll::Event>,
    next_timers: u64,
    /// How long a turn may sleep when nothing arrives.
    nap: Timespec,
}

impl Players {
    fn new(args: &Args) -> Result<Self, Box<dyn Error>> {
        let server: SocketAddr = (Ipv4Addr::LOCALHOST, args.port).into();
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut clients = Vec::new();
        for place in 0..args.clients {
            let client = Client::new(server, place, args.dialect, args.channels)?;
            let data = epoll::EventData::new_u64(place.into());
            epoll::add(&epoll, client.socket(), data, epoll::EventFlags::IN)?;
            clients.push(client);
        }
        let nap = if args.pattern == Pattern::Idle { MILLISECOND } else { 0 };
        let nap = Timespec { tv_sec: 0, tv_nsec: nap as i64 };
        Ok(Self { clients, epoll, ready: Vec::with_capacity(512), next_timers: 0, nap })
    }

    /// Lets them connect, some at a time (Godot takes in some 200 datagrams per frame): one at a time where the server numbers
    /// them in this order.
    fn connect_all(&mut self, clock: Clock, args: &Args) -> Result<(), Box<dyn Error>> {
        let at_a_time = if args.dialect == Dialect::Godot { 64 } else { 1 };
        let is_told = args.dialect == Dialect::Godot;
        let to_know = if is_told { usize::from(args.clients) - 1 } else { 0 };
        let mut nothing = Traffic::new(args);
        let (mut begun, mut last, mut progress) = (0, 0, clock.nanos());
        let mut next_count = 0;
        loop {
            self.turn(clock, &mut nothing, DATAGRAMS_OF_A_FRAME)?;
            if clock.nanos() < next_count {
                continue;
            }
            let connected = self.clients.iter().filter(|client| client.is_connected()).count();
            let knows_all = |client: &Client| client.known() == to_know;
            if connected == self.clients.len() && self.clients.iter().all(knows_all) {
                return Ok(());
            }
            while begun < self.clients.len() && begun < connected + at_a_time {
                self.clients[begun].connect(clock.nanos())?;
                begun += 1;
            }
            let known = connected + self.clients.iter().map(Client::known).sum::<usize>();
            if known != last {
                (last, progress) = (known, clock.nanos());
            }
            if clock.nanos() > progress + CONNECT_PATIENCE {
                let all = self.clients.len();
                let knowing = self.clients.iter().filter(|client| knows_all(client)).count();
                let least = self.clients.iter().map(Client::known).min().unwrap_or_default();
                return Err(format!(
                    "no progress: {connected} of {all} are connected, {knowing} were told of all others, one of {least}"
                )
                .into());
            }
            // Counting thousands costs as much as a turn.
            next_count = clock.nanos() + MILLISECOND;
        }
    }

    /// Takes in what has arrived, `most` datagrams of each client at a time, answers, sends what is due and runs the timers.
    fn turn(
        &mut self,
        clock: Clock,
        traffic: &mut Traffic,
        most: usize,
    ) -> Result<(), Box<dyn Error>> {
        self.ready.clear();
        epoll::wait(&self.epoll, spare_capacity(&mut self.ready), Some(&self.nap))?;
        for event in &self.ready {
            let place = event.data.u64() as usize;
            let client = &mut self.clients[place];
            client.receive(clock.nanos(), most)?;
            let mut answers = 0;
            while let Some(packet) = client.next_packet() {
                answers += traffic.received(place, &packet, clock.nanos());
            }
            for _ in 0..answers {
                traffic.send(&mut self.clients, place, clock.nanos());
            }
            self.clients[place].flush(clock.nanos())?;
        }
        traffic.send_what_is_due(&mut self.clients, clock)?;
        let now = clock.nanos();
        if now >= self.next_timers {
            self.next_timers = now + TIMERS_INTERVAL;
            for client in &mut self.clients {
                client.run_timers(now)?;
            }
        }
        Ok(())
    }
}

/// While clients connect, and are told of each other, they acknowledge what came together, as those of Godot do once in a frame.
const DATAGRAMS_OF_A_FRAME: usize = 16;
/// Between two looks at the timers of all clients: each of thousands takes its share of a core. Godot looks once in a frame.
const TIMERS_INTERVAL: u64 = 5 * MILLISECOND;
/// Until what is on its way has arrived, also from a server that works by frames.
const DRAIN: u64 = SECOND / 2;
/// Without any progress for this long, connecting has failed.
const CONNECT_PATIENCE: u64 = 20 * SECOND;
