//! Godot clients of a node with RPC methods: they call it, or it calls them.

mod caller;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use clap::Parser;
use mp_bench_common::print_line;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::time::Timespec;
use serde_json::{Value, json};

use crate::clock::{Clock, MILLISECOND, SECOND};
use crate::control::{Command, Commands};
use crate::udp::client::Client;
use crate::udp::dialect::Dialect;
use crate::udp::transport::TransportKind;
use caller::Caller;

/// Options of clients of a node with RPC methods.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// UDP port of the server on this machine
    #[arg(long)]
    port: u16,
    /// Number of clients
    #[arg(long)]
    clients: u16,
    /// Datagrams per second that each client sends; 0: the server calls the clients
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// Calls in each datagram
    #[arg(long, default_value_t = 1)]
    batch: u32,
}

/// Connects all clients, and runs until the runner stops it.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let clock = Clock::new();
    let commands = Commands::listen();
    let mut crowd = Crowd::new(args)?;
    let mut progress = (0, clock.nanos());
    loop {
        crowd.connect(clock)?;
        crowd.turn(clock)?;
        let ready = crowd.callers.iter().filter(|caller| caller.is_ready()).count();
        if ready == crowd.callers.len() {
            break;
        }
        if ready > progress.0 {
            progress = (ready, clock.nanos());
        }
        if clock.nanos() > progress.1 + TIMEOUT {
            return Err(format!("only {ready} clients can call, or are called").into());
        }
    }
    print_line("ready");

    let mut drained = None;
    loop {
        crowd.turn(clock)?;
        match commands.next() {
            Some(Command::Start) => crowd.start(clock.nanos()),
            Some(Command::Mark) => print_line(&crowd.mark().to_string()),
            Some(Command::Stop) => {
                crowd.is_running = false;
                drained = Some(clock.nanos() + DRAIN);
            }
            None => {}
        }
        if drained.is_some_and(|until| clock.nanos() >= until) {
            print_line(&crowd.report().to_string());
            return Ok(());
        }
    }
}

struct Crowd {
    clients: Vec<Client>,
    callers: Vec<Caller>,
    epoll: rustix::fd::OwnedFd,
    ready: Vec<epoll::Event>,
    next_timers: u64,
    /// Number of clients that have started to connect.
    begun: usize,
    batch: u32,
    is_running: bool,
    /// Interval between two datagrams, if the clients call; time of the next one, and its sender.
    step: Option<u64>,
    due: u64,
    sender: usize,
    sent: u64,
    /// Ticks of the server that are expected at each client: after the first, up to the second.
    measured: [Option<i64>; 2],
    wrong: u64,
}

impl Crowd {
    fn new(args: &Args) -> Result<Self, Box<dyn Error>> {
        let server: SocketAddr = (Ipv4Addr::LOCALHOST, args.port).into();
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut clients = Vec::new();
        for index in 0..args.clients {
            let client =
                Client::new(server, index, TransportKind::Enet, Dialect::Godot, 255, None)?;
            let data = epoll::EventData::new_u64(index.into());
            epoll::add(&epoll, client.socket(), data, epoll::EventFlags::IN)?;
            clients.push(client);
        }
        let per_second = u64::from(args.rate) * u64::from(args.clients);
        Ok(Self {
            callers: clients.iter().map(|_| Caller::default()).collect(),
            clients,
            epoll,
            ready: Vec::with_capacity(512),
            next_timers: 0,
            begun: 0,
            batch: args.batch,
            is_running: false,
            step: SECOND.checked_div(per_second),
            due: 0,
            sender: 0,
            sent: 0,
            measured: [None; 2],
            wrong: 0,
        })
    }

    /// Connects several clients at once, as many as Godot receives in a frame. Callers announce the
    /// node.
    fn connect(&mut self, clock: Clock) -> Result<(), Box<dyn Error>> {
        let connected = self.clients[..self.begun].iter().filter(|it| it.is_connected()).count();
        while self.begun < self.clients.len() && self.begun < connected + AT_A_TIME {
            self.clients[self.begun].connect(clock.nanos())?;
            self.begun += 1;
        }
        if self.step.is_some() {
            for (client, caller) in self.clients.iter_mut().zip(&mut self.callers) {
                if client.is_connected()
                    && let Some(announcement) = caller.announce()
                {
                    client.send(announcement, true);
                    client.flush(clock.nanos())?;
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, now: u64) {
        self.is_running = true;
        self.due = now;
    }

    fn turn(&mut self, clock: Clock) -> Result<(), Box<dyn Error>> {
        self.ready.clear();
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        epoll::wait(&self.epoll, spare_capacity(&mut self.ready), Some(&at_once))?;
        for event in &self.ready {
            let index = event.data.u64() as usize;
            let (client, caller) = (&mut self.clients[index], &mut self.callers[index]);
            client.receive(clock.nanos(), 1)?;
            while let Some(packet) = client.next_packet() {
                match caller.receive(&packet, self.measured) {
                    Ok(None) => {}
                    Ok(Some(answer)) => client.send(answer, true),
                    Err(why) => {
                        if self.wrong == 0 {
                            eprintln!("client {index}: {why}: {packet:02x?}");
                        }
                        self.wrong += 1;
                    }
                }
            }
            client.flush(clock.nanos())?;
        }
        self.call(clock)?;
        let now = clock.nanos();
        if now >= self.next_timers {
            self.next_timers = now + TIMERS_INTERVAL;
            for client in &mut self.clients {
                client.run_timers(now)?;
            }
        }
        Ok(())
    }

    /// Makes the calls that are due.
    fn call(&mut self, clock: Clock) -> Result<(), Box<dyn Error>> {
        let Some(step) = self.step.filter(|_| self.is_running) else { return Ok(()) };
        // Bounded, so that receiving is not delayed; the rest is sent later.
        for _ in 0..BURST {
            if clock.nanos() < self.due {
                break;
            }
            self.due += step;
            let (client, caller) = (&mut self.clients[self.sender], &mut self.callers[self.sender]);
            for _ in 0..self.batch {
                client.send(caller.call(), false);
            }
            client.flush(clock.nanos())?;
            self.sent += u64::from(self.batch);
            self.sender = (self.sender + 1) % self.clients.len();
        }
        Ok(())
    }

    fn mark(&mut self) -> Value {
        let newest = self.callers.iter().map(Caller::newest).max().unwrap_or_default();
        if let Some(mark) = self.measured.iter_mut().find(|mark| mark.is_none()) {
            *mark = Some(newest);
        }
        if self.step.is_some() {
            return json!({ "sent": self.sent });
        }
        let received: u64 = self.callers.iter().map(Caller::received).sum();
        json!({ "operations": received, "ticks": newest })
    }

    fn report(&self) -> Value {
        let mut report = json!({ "duplicated": 0, "wrong": self.wrong });
        if let [Some(first), Some(last)] = self.measured
            && self.step.is_none()
        {
            let ticks = (last - first) as u64;
            let delivered = self.callers.iter().map(Caller::measured);
            report["expected"] = json!(ticks * self.callers.len() as u64);
            report["delivered"] = json!(delivered.clone().sum::<u64>());
            let least = delivered.min().unwrap_or_default();
            report["least"] = json!(least as f64 / ticks as f64);
        }
        report
    }
}

/// Clients that connect at once.
const AT_A_TIME: usize = 64;
const BURST: usize = 16;
const DRAIN: u64 = SECOND / 2;
const TIMEOUT: u64 = 20 * SECOND;
const TIMERS_INTERVAL: u64 = 5 * MILLISECOND;
