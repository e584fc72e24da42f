//! World: processes in slots, the network between them, virtual time.

pub(crate) mod event_queue;
mod lifecycle;
mod mailbox;
mod process;
mod program;
mod settle;
mod turns;

use std::time::Duration;

use mp_core::{Instant, Rng};

use crate::checker::{self, Checker, Violation, quiet};
use crate::faults;
use crate::journal::{Fact, FactKind, Journal, ProcessEnd, RunId};
use crate::net::{Datagram, NetworkStats, SERVER_SLOT, SimulatedNetwork, SlotId};
use crate::plan::Plan;
use crate::programs::Programs;
use crate::rng_ext::RngExt;
use crate::trace::{Detail, Trace};
use crate::workload::{self, SharedModel, Workload};

use event_queue::EventQueue;
pub use process::ActorId;
use process::Process;
pub use program::{ProcessStats, Program};

/// A world with its checkers.
pub struct World {
    plan: Plan,
    now: Instant,
    event_queue: EventQueue<Event>,
    rngs: Rngs,
    pub(crate) network: SimulatedNetwork,
    slots: Vec<Slot>,
    workloads: Vec<Box<dyn Workload>>,
    is_active: bool,
    next_run: u32,
    /// Sample of sent datagrams, for forged ones.
    captured: Vec<Vec<u8>>,
    journal: Journal,
    /// Facts that are being checked.
    facts: Vec<Fact>,
    programs: Programs,
    checkers: Vec<Box<dyn Checker>>,
    violation: Option<Violation>,
    /// Times of the last acknowledgement from and to each client, since faults ended.
    last_acks: Vec<(Instant, Instant)>,
    /// True while anything but pings is a violation.
    expects_silence: bool,
    trace: Trace,
    /// Event counters.
    pub counters: Counters,
}

/// Slot for at most one process at a time.
#[derive(Default)]
struct Slot {
    process: Option<Process>,
    send_blocked_until: Instant,
    /// Local address that the next process must reuse.
    old_address: Option<std::net::SocketAddr>,
}

/// Random generators, one per purpose, so that an additional draw for one does not change the
/// others.
struct Rngs {
    turns: Rng,
    acts: Rng,
    faults: Rng,
    lifecycle: Rng,
    branches: Rng,
}

/// Scheduled event.
enum Event {
    /// A datagram arrives.
    Arrival(Box<Datagram>),
    /// The turn of an actor is due, unless it was rescheduled.
    Turn(SlotId, RunId, ActorId),
    /// A program acts.
    Act(SlotId, RunId),
    /// A program starts, if its slot is free.
    Start(SlotId),
    /// A fault is injected.
    Fault,
}

/// Event counters of a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Turns of actors.
    pub turns: u64,
    /// Programs started.
    pub programs: u64,
    /// Messages that branches accepted for sending.
    pub sent: u64,
    /// Messages received.
    pub received: u64,
    /// Faults injected.
    pub faults: u64,
    /// Times that an endpoint paused receiving because its branch accepted no messages.
    pub pauses: u64,
    /// Endpoints abandoned by branches because they accepted no messages.
    pub abandoned: u64,
}

impl World {
    /// Creates the world of `seed` at time zero.
    pub fn new(seed: u64, clients: usize, active_time: Duration, detail: Detail) -> Self {
        let mut rng = Rng::seed_from_u64(seed);
        let plan = Plan::draw(clients, active_time, &mut rng.fork());
        let network = SimulatedNetwork::new(rng.fork(), &plan.conditions, plan.wire);
        let model = SharedModel::default();
        let workloads = workload::all(&plan, &model);
        let mut world = Self {
            now: Instant::ZERO,
            event_queue: EventQueue::new(rng.fork()),
            rngs: Rngs {
                turns: rng.fork(),
                acts: rng.fork(),
                faults: rng.fork(),
                lifecycle: rng.fork(),
                branches: rng.fork(),
            },
            network,
            slots: (0..=clients).map(|_| Slot::default()).collect(),
            workloads,
            is_active: true,
            next_run: 0,
            captured: Vec::new(),
            journal: Journal::default(),
            facts: Vec::new(),
            programs: Programs::default(),
            checkers: checker::all(&plan, &model),
            violation: None,
            last_acks: vec![(Instant::ZERO, Instant::ZERO); clients + 1],
            expects_silence: false,
            trace: Trace::new(detail),
            counters: Counters::default(),
            plan,
        };
        world.trace.line(Detail::Story, format_args!("plan   {}", world.plan));
        world.event_queue.push(Instant::ZERO, Event::Start(SERVER_SLOT));
        for slot in 1..=clients {
            let at = world.rngs.lifecycle.duration(Duration::ZERO, Duration::from_secs(5));
            world.event_queue.push(Instant::ZERO + at, Event::Start(slot));
        }
        if !world.plan.faults.is_empty() {
            world.schedule_fault();
        }
        world
    }

    /// Processes all events until `until`, or until a checker reports a violation.
    pub fn run_until(&mut self, until: Instant) -> Result<(), Violation> {
        while self.violation.is_none()
            && let Some((at, event)) = self.event_queue.pop(until)
        {
            if at > self.now {
                self.now = at;
                self.journal.advance(at);
                self.trace.advance(at);
            }
            self.handle(event);
            self.check_facts();
        }
        self.now = self.now.max(until);
        self.trace.advance(self.now);
        self.journal.advance(self.now);
        self.violation.take().map_or(Ok(()), Err)
    }

    /// Returns the current virtual time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Returns the plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Returns the registry of programs.
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Returns the trace.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Returns the network counters.
    pub fn network_stats(&self) -> NetworkStats {
        self.network.stats
    }

    /// Calls `look` with every running program.
    pub fn each_program(
        &mut self,
        mut look: impl FnMut(&mut Program<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        for (slot, slot_state) in self.slots.iter_mut().enumerate() {
            let Some(process) = &mut slot_state.process else { continue };
            let stats = process.stats();
            let (run, id) = (process.recorder.run, process.id);
            let branch = &mut process.branch;
            look(&mut Program { run, slot, id, branch, stats })?;
        }
        Ok(())
    }

    /// Returns whether, since faults ended, the client in `slot` and the server have each
    /// acknowledged a packet within the last `time`.
    pub fn have_acknowledged(&self, slot: SlotId, time: Duration) -> bool {
        let (up, down) = self.last_acks[slot];
        up + time >= self.now && down + time >= self.now
    }

    /// Calls `check` with every checker, and returns the first violation.
    pub(crate) fn check(
        &mut self,
        mut check: impl FnMut(&mut dyn Checker, &mut Self) -> Result<(), String>,
    ) -> Result<(), Violation> {
        let mut checkers = std::mem::take(&mut self.checkers);
        let result = checkers.iter_mut().try_for_each(|checker| {
            let name = checker.name();
            check(&mut **checker, self).map_err(|what| Violation { at: self.now, name, what })
        });
        self.checkers = checkers;
        result
    }

    pub(crate) fn captured(&self) -> &[Vec<u8>] {
        &self.captured
    }

    /// Schedules the arrival of a datagram that no process sent.
    pub(crate) fn send(&mut self, at: Instant, datagram: Datagram) {
        self.event_queue.push(at, Event::Arrival(Box::new(datagram)));
    }

    /// Suspends turns of one actor, or of all actors of a process.
    pub(crate) fn stall(&mut self, slot: SlotId, actor: Option<ActorId>, until: Instant) {
        let Some(process) = &mut self.slots[slot].process else { return };
        let all: Vec<ActorId> = process.actors().collect();
        for one in all.into_iter().filter(|one| actor.is_none_or(|actor| actor == *one)) {
            process.timer(one).stalled_until = until;
        }
    }

    /// Makes the sockets of a slot refuse datagrams to send.
    pub(crate) fn block_sending(&mut self, slot: SlotId, until: Instant) {
        self.slots[slot].send_blocked_until = until;
        self.network.block_sending(slot, true);
    }

    /// Ends a process without closing anything.
    pub(crate) fn crash(&mut self, slot: SlotId, rng: &mut Rng) {
        if self.slots[slot].process.is_none() {
            return;
        }
        if rng.chance(300) {
            self.slots[slot].old_address = self.network.local_address_of(slot);
        }
        self.end_process(slot, ProcessEnd::Crashed);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrival(datagram) => self.arrive(*datagram),
            Event::Turn(slot, run, actor) => self.turn(slot, run, actor),
            Event::Act(slot, run) => self.act(slot, run),
            Event::Start(slot) => self.start(slot),
            Event::Fault if self.is_active => {
                let kinds = self.plan.faults.clone();
                let mut rng = self.rngs.faults.fork();
                if let Some(&kind) = rng.pick(&kinds) {
                    self.counters.faults += 1;
                    self.trace.mix(kind as u64);
                    faults::inject(self, kind, &mut rng);
                }
                self.schedule_fault();
            }
            Event::Fault => {}
        }
    }

    fn schedule_fault(&mut self) {
        let at = faults::next(self.now, self.plan.fault_interval, &mut self.rngs.faults);
        self.event_queue.push(at, Event::Fault);
    }

    fn arrive(&mut self, datagram: Datagram) {
        if self.is_active && self.rngs.faults.chance(20) {
            if self.captured.len() >= CAPTURED_MAX {
                self.captured.remove(0);
            }
            self.captured.push(datagram.bytes.clone());
        }
        self.trace.mix_bytes(&datagram.bytes);
        if !self.is_active && quiet::acknowledges(&datagram.bytes, self.plan.wire) {
            self.record_ack(&datagram);
        }
        if let Some((slot, number)) = self.network.arrive(datagram) {
            self.wake(slot, ActorId::Endpoint(number));
        }
    }

    fn record_ack(&mut self, datagram: &Datagram) {
        match (self.network.slot_of(datagram.from), self.network.slot_of(datagram.to)) {
            (Some(client), Some(SERVER_SLOT)) => self.last_acks[client].0 = self.now,
            (Some(SERVER_SLOT), Some(client)) => self.last_acks[client].1 = self.now,
            _ => {}
        }
    }

    /// Moves datagrams from the sockets of a slot onto the network.
    fn collect(&mut self, slot: SlotId) {
        let (event_queue, now, wire) = (&mut self.event_queue, self.now, self.plan.wire);
        let mut noise = None;
        self.network.collect(now, slot, &mut self.trace, |at, datagram| {
            if self.expects_silence && noise.is_none() && !quiet::is_idle(&datagram.bytes, wire) {
                noise = Some(datagram.bytes.len());
            }
            event_queue.push(at, Event::Arrival(Box::new(datagram)));
        });
        if let Some(len) = noise {
            let what = format!("slot {slot} sent {len} B that are not a ping");
            self.violation.get_or_insert(Violation { at: now, name: "quiet", what });
        }
    }

    /// Passes new facts to the registry and the checkers.
    fn check_facts(&mut self) {
        self.journal.take(&mut self.facts);
        for fact in self.facts.drain(..) {
            match fact.kind {
                FactKind::Sent(_) => self.counters.sent += 1,
                FactKind::Received { .. } => self.counters.received += 1,
                FactKind::EndpointAbandoned(_) => self.counters.abandoned += 1,
                _ => {}
            }
            let (run, what) = (fact.run, &fact.kind);
            self.trace.mix(u64::from(run.0));
            let detail = match what {
                FactKind::Sent(_) | FactKind::Received { .. } | FactKind::Endpoint { .. } => {
                    Detail::Mail
                }
                _ => Detail::Story,
            };
            self.trace.line(detail, format_args!("{run:<7} {what}"));
            self.programs.observe(&fact);
            for checker in &mut self.checkers {
                if let Err(what) = checker.observe(&fact, &self.programs)
                    && self.violation.is_none()
                {
                    let name = checker.name();
                    self.violation = Some(Violation { at: fact.at, name, what });
                }
            }
        }
    }
}

/// Datagrams kept as a sample.
const CAPTURED_MAX: usize = 32;
