//! Godot clients of a node with RPC methods: they call it, or it calls them.

mod caller;

use std::error::Error;

use clap::Parser;
use mp_bench_common::print_line;
use serde_json::{Value, json};

use crate::clock::{Clock, MILLISECOND, SECOND};
use crate::control::{Command, Commands};
use crate::udp::client_set::{AT_ONCE, ClientSet};
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
    clients: ClientSet,
    callers: Vec<Caller>,
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
        let clients = ClientSet::of_godot(args.port, args.clients, TIMERS_INTERVAL)?;
        let per_second = u64::from(args.rate) * u64::from(args.clients);
        Ok(Self {
            callers: clients.iter().map(|_| Caller::default()).collect(),
            clients,
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
        self.clients.connect_next(AT_A_TIME, clock.nanos())?;
        if self.step.is_some() {
            for (client, caller) in self.clients.all().iter_mut().zip(&mut self.callers) {
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
        for at in 0..self.clients.wait(&AT_ONCE)? {
            let index = self.clients.ready(at);
            let (client, caller) = (self.clients.get(index), &mut self.callers[index]);
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
        self.clients.run_timers(clock.nanos())
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
            let (client, caller) = (self.clients.get(self.sender), &mut self.callers[self.sender]);
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
