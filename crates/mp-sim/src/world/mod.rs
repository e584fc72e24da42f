//! A world: processes on places, the network between them, and time.

mod birth;
pub(crate) mod heap;
mod mailbox;
mod process;
mod rest;

use std::time::Duration;

use mp_core::{Instant, PeerId, Rng};
use mp_scene::Branch;

use crate::census::Census;
use crate::checker::{self, Checker, Violation, quiet};
use crate::dice::Dice;
use crate::faults;
use crate::journal::{End, Fact, Journal, Run, What};
use crate::net::{Datagram, Network, NetworkStats, PlaceId, SERVER_PLACE};
use crate::plan::Plan;
use crate::trace::{Detail, Trace};
use crate::workload::{self, Act, SharedModel, Workload};

use heap::Heap;
pub use process::ActorId;
use process::{Process, Turned};

/// A whole world, with those who watch it.
pub struct World {
    plan: Plan,
    now: Instant,
    heap: Heap<Event>,
    dice: DiceBag,
    pub(crate) network: Network,
    places: Vec<Place>,
    workloads: Vec<Box<dyn Workload>>,
    is_stormy: bool,
    next_run: u32,
    /// Datagrams that a stranger could have seen.
    overheard: Vec<Vec<u8>>,
    journal: Journal,
    /// Facts that are being looked at.
    facts: Vec<Fact>,
    census: Census,
    checkers: Vec<Box<dyn Checker>>,
    violation: Option<Violation>,
    /// When an acknowledgement last arrived on the path of each client, from it and for it, since the storm has ended.
    answered: Vec<(Instant, Instant)>,
    /// Whether anything but pings is wrong from here on.
    is_to_be_quiet: bool,
    trace: Trace,
    /// What happened how often.
    pub counts: Counts,
}

/// Where at most one process runs at a time.
#[derive(Default)]
struct Place {
    process: Option<Process>,
    jammed_until: Instant,
    /// Where the next process is to have its socket, when it is where the last one had it.
    old_address: Option<std::net::SocketAddr>,
}

/// What the parts of a world decide by: each by a generator of its own, so that one more draw in one changes nothing in others.
struct DiceBag {
    turns: Rng,
    acts: Rng,
    faults: Rng,
    births: Rng,
}

/// What happens at a time.
enum Event {
    /// A datagram arrives.
    Arrival(Box<Datagram>),
    /// An actor's turn is due, unless another was set since.
    Turn(PlaceId, Run, ActorId),
    /// A program does something.
    Act(PlaceId, Run),
    /// A program starts, if its place is free.
    Start(PlaceId),
    /// Something goes wrong.
    Fault,
}

/// What happened how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Turns of actors.
    pub turns: u64,
    /// Programs that ran.
    pub runs: u64,
    /// Messages that branches accepted.
    pub said: u64,
    /// Messages that were heard.
    pub heard: u64,
    /// Faults that struck.
    pub faults: u64,
    /// Times that an endpoint held its links for a branch that took nothing.
    pub holds: u64,
    /// Endpoints that a branch abandoned because they took nothing.
    pub abandoned: u64,
}

/// A program that runs, for checkers to look at.
pub struct Program<'a> {
    /// Which.
    pub run: Run,
    /// Where.
    pub place: PlaceId,
    /// Its peer id.
    pub id: PeerId,
    /// Its branch.
    pub branch: &'a mut Branch,
    /// What can be measured of its actors.
    pub figures: Figures,
}

/// What can be measured of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Whether it has asked to leave.
    pub is_leaving: bool,
    /// Messages in the fullest mailbox.
    pub mail: usize,
    /// Links of all endpoints.
    pub connections: usize,
    /// Packets that wait for the endpoint for which most do.
    pub queued_packets: usize,
    /// Bytes queued, or not acknowledged, for the link that has most.
    pub queued_bytes: u64,
    /// Time for which its branch had neither read its mail nor delivered anything, at its last
    /// turn.
    pub idle: Duration,
    /// True if those who follow the events of its branch believed in other peers than it has, at
    /// the end of its last turn.
    pub is_mistaken: bool,
}

impl World {
    /// The world of `seed`, as planned, before anything has happened.
    pub fn new(seed: u64, clients: usize, storm: Duration, detail: Detail) -> Self {
        let mut rng = Rng::from_number(seed);
        let plan = Plan::draw(clients, storm, &mut rng.fork());
        let network = Network::new(rng.fork(), &plan.weather, plan.wire);
        let model = SharedModel::default();
        let workloads = workload::all(&plan, &model);
        let mut world = Self {
            now: Instant::ZERO,
            heap: Heap::new(rng.fork()),
            dice: DiceBag {
                turns: rng.fork(),
                acts: rng.fork(),
                faults: rng.fork(),
                births: rng.fork(),
            },
            network,
            places: (0..=clients).map(|_| Place::default()).collect(),
            workloads,
            is_stormy: true,
            next_run: 0,
            overheard: Vec::new(),
            journal: Journal::default(),
            facts: Vec::new(),
            census: Census::default(),
            checkers: checker::all(&plan, &model),
            violation: None,
            answered: vec![(Instant::ZERO, Instant::ZERO); clients + 1],
            is_to_be_quiet: false,
            trace: Trace::new(detail),
            counts: Counts::default(),
            plan,
        };
        world.trace.line(Detail::Story, format_args!("plan   {}", world.plan));
        world.heap.push(Instant::ZERO, Event::Start(SERVER_PLACE));
        for place in 1..=clients {
            let at = world.dice.births.duration(Duration::ZERO, Duration::from_secs(5));
            world.heap.push(Instant::ZERO + at, Event::Start(place));
        }
        if !world.plan.faults.is_empty() {
            world.schedule_fault();
        }
        world
    }

    /// Lets everything happen until `until`, or until a checker objects.
    pub fn run_until(&mut self, until: Instant) -> Result<(), Violation> {
        while self.violation.is_none()
            && let Some((at, event)) = self.heap.pop(until)
        {
            if at > self.now {
                self.now = at;
                self.journal.advance(at);
                self.trace.advance(at);
            }
            self.happen(event);
            self.look_at_facts();
        }
        self.now = self.now.max(until);
        self.trace.advance(self.now);
        self.journal.advance(self.now);
        self.violation.take().map_or(Ok(()), Err)
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What its seed decided.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Who is who.
    pub fn census(&self) -> &Census {
        &self.census
    }

    /// What has happened.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What the network did.
    pub fn network_stats(&self) -> NetworkStats {
        self.network.stats
    }

    /// Lets `look` see every program that runs.
    pub fn each_program(
        &mut self,
        mut look: impl FnMut(&mut Program<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        for (place, here) in self.places.iter_mut().enumerate() {
            let Some(process) = &mut here.process else { continue };
            let figures = process.figures();
            let (run, id) = (process.ear.run, process.id);
            let branch = &mut process.branch;
            look(&mut Program { run, place, id, branch, figures })?;
        }
        Ok(())
    }

    /// Whether the client at `place` and the server have acknowledged something of each other within `time`, since the storm has ended.
    pub fn have_answered(&self, place: PlaceId, time: Duration) -> bool {
        let (up, down) = self.answered[place];
        up + time >= self.now && down + time >= self.now
    }

    /// Lets every checker `check`; the first that objects ends it.
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

    pub(crate) fn overheard(&self) -> &[Vec<u8>] {
        &self.overheard
    }

    /// Sends a datagram that no process sent.
    pub(crate) fn send(&mut self, at: Instant, datagram: Datagram) {
        self.heap.push(at, Event::Arrival(Box::new(datagram)));
    }

    /// Keeps an actor of a process, or all of them, from their turns.
    pub(crate) fn stall(&mut self, place: PlaceId, actor: Option<ActorId>, until: Instant) {
        let Some(process) = &mut self.places[place].process else { return };
        let all: Vec<ActorId> = process.actors().collect();
        for one in all.into_iter().filter(|one| actor.is_none_or(|actor| actor == *one)) {
            process.pace(one).stalled_until = until;
        }
    }

    /// Keeps a place's sockets from sending.
    pub(crate) fn jam(&mut self, place: PlaceId, until: Instant) {
        self.places[place].jammed_until = until;
        self.network.jam(place, true);
    }

    /// Ends a process without a word.
    pub(crate) fn crash(&mut self, place: PlaceId, rng: &mut Rng) {
        if self.places[place].process.is_none() {
            return;
        }
        if rng.chance(300) {
            self.places[place].old_address = self.network.inside_of(place);
        }
        self.bury(place, End::Crashed);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival(datagram) => self.arrive(*datagram),
            Event::Turn(place, run, actor) => self.turn(place, run, actor),
            Event::Act(place, run) => self.act(place, run),
            Event::Start(place) => self.start(place),
            Event::Fault if self.is_stormy => {
                let kinds = self.plan.faults.clone();
                let mut rng = self.dice.faults.fork();
                if let Some(&kind) = rng.pick(&kinds) {
                    self.counts.faults += 1;
                    self.trace.mix(kind as u64);
                    faults::strike(self, kind, &mut rng);
                }
                self.schedule_fault();
            }
            Event::Fault => {}
        }
    }

    fn schedule_fault(&mut self) {
        let at = faults::next(self.now, self.plan.fault_interval, &mut self.dice.faults);
        self.heap.push(at, Event::Fault);
    }

    fn arrive(&mut self, datagram: Datagram) {
        if self.is_stormy && self.dice.faults.chance(20) {
            if self.overheard.len() >= OVERHEARD_MAX {
                self.overheard.remove(0);
            }
            self.overheard.push(datagram.bytes.clone());
        }
        self.trace.mix_bytes(&datagram.bytes);
        if !self.is_stormy && quiet::acknowledges(&datagram.bytes, self.plan.wire) {
            self.note_answer(&datagram);
        }
        if let Some((place, number)) = self.network.arrive(datagram) {
            self.wake(place, ActorId::Endpoint(number));
        }
    }

    fn note_answer(&mut self, datagram: &Datagram) {
        match (self.network.place_of(datagram.from), self.network.place_of(datagram.to)) {
            (Some(client), Some(SERVER_PLACE)) => self.answered[client].0 = self.now,
            (Some(SERVER_PLACE), Some(client)) => self.answered[client].1 = self.now,
            _ => {}
        }
    }

    /// Has an actor come to its turn soon.
    fn wake(&mut self, place: PlaceId, actor: ActorId) {
        let hop = self.dice.turns.duration(Duration::from_micros(2), self.plan.hop);
        self.set_turn(place, actor, self.now + hop);
    }

    /// Has an actor come to its turn at `at`, unless it does before.
    fn set_turn(&mut self, place: PlaceId, actor: ActorId, at: Instant) {
        let Some(process) = &mut self.places[place].process else { return };
        let run = process.ear.run;
        let pace = process.pace(actor);
        let at = at.max(pace.stalled_until);
        if pace.next.is_none_or(|next| at < next) {
            pace.next = Some(at);
            self.heap.push(at, Event::Turn(place, run, actor));
        }
    }

    fn turn(&mut self, place: PlaceId, run: Run, actor: ActorId) {
        let here = &mut self.places[place];
        let Some(process) = here.process.as_mut().filter(|process| process.ear.run == run) else {
            return;
        };
        let pace = process.pace(actor);
        if pace.next != Some(self.now) {
            return;
        }
        pace.next = None;
        if self.now < pace.stalled_until {
            let until = pace.stalled_until;
            return self.set_turn(place, actor, until);
        }
        if here.jammed_until > Instant::ZERO && self.now >= here.jammed_until {
            here.jammed_until = Instant::ZERO;
            self.network.jam(place, false);
        }
        self.counts.turns += 1;
        self.trace.mix((place as u64) << 32 | u64::from(run.0));
        let Turned { next, woken, holds } = process.turn(self.now, actor, &mut self.dice.turns);
        let end = process.end;
        self.counts.holds += holds;
        if actor == ActorId::Branch && self.is_stormy {
            let busy = std::mem::take(&mut process.busy);
            let pace = process.pace(actor);
            pace.stalled_until = pace.stalled_until.max(self.now + busy);
        }
        self.collect(place);
        for actor in woken {
            self.wake(place, actor);
        }
        if let Some(next) = next {
            // Timers are late, and a turn takes time.
            let late = self.dice.turns.duration(Duration::ZERO, self.plan.hop);
            let at = next.max(self.now + Duration::from_micros(20)) + late;
            self.set_turn(place, actor, at);
        }
        if let Some(end) = end {
            self.bury(place, end);
        }
    }

    /// Hands what a place's sockets were given to the network.
    fn collect(&mut self, place: PlaceId) {
        let (heap, now, wire) = (&mut self.heap, self.now, self.plan.wire);
        let mut noise = None;
        self.network.collect(now, place, &mut self.trace, |at, datagram| {
            if self.is_to_be_quiet && noise.is_none() && !quiet::is_idle(&datagram.bytes, wire) {
                noise = Some(datagram.bytes.len());
            }
            heap.push(at, Event::Arrival(Box::new(datagram)));
        });
        if let Some(len) = noise {
            let what = format!("place {place} sent {len} B that are no ping");
            self.violation.get_or_insert(Violation { at: now, name: "quiet", what });
        }
    }

    fn act(&mut self, place: PlaceId, run: Run) {
        let here = &mut self.places[place];
        let Some(process) = here.process.as_mut().filter(|process| process.ear.run == run) else {
            return;
        };
        if !self.is_stormy {
            return;
        }
        if !process.is_leaving() {
            let local = process.local(self.now);
            process.branch.scene().set_now(local);
            let rng = &mut self.dice.acts;
            // The first speaks, the others happen now and then.
            let which = if rng.chance(800) { 0 } else { rng.below(self.workloads.len() as u64) };
            let (branch, ear) = (&mut process.branch, &process.ear);
            let mut act =
                Act { branch, ear, rng, leaves: false, busy: Duration::ZERO, hangs: None };
            self.workloads[which as usize].act(&mut act);
            let Act { leaves, busy, hangs, .. } = act;
            process.busy += busy;
            if let Some((endpoint, time)) = hangs {
                let pace = process.pace(ActorId::Endpoint(endpoint.0 as usize));
                pace.stalled_until = pace.stalled_until.max(self.now + time);
            }
            if leaves {
                process.leave(self.now);
            }
        }
        let actors: Vec<ActorId> = process.actors().collect();
        for actor in actors {
            self.wake(place, actor);
        }
        self.schedule_act(place, run);
    }

    fn schedule_act(&mut self, place: PlaceId, run: Run) {
        let pause = self.dice.acts.until(self.plan.pace);
        self.heap.push(self.now + pause, Event::Act(place, run));
    }

    /// Shows the facts that have come about to the census and to the checkers.
    fn look_at_facts(&mut self) {
        self.journal.take(&mut self.facts);
        for fact in self.facts.drain(..) {
            match fact.what {
                What::Says(_) => self.counts.said += 1,
                What::Hears { .. } => self.counts.heard += 1,
                What::Abandons(_) => self.counts.abandoned += 1,
                _ => {}
            }
            let (run, what) = (fact.run, &fact.what);
            self.trace.mix(u64::from(run.0));
            let detail = match what {
                What::Says(_) | What::Hears { .. } | What::Mail { .. } => Detail::Mail,
                _ => Detail::Story,
            };
            self.trace.line(detail, format_args!("{run:<7} {what}"));
            self.census.observe(&fact);
            for checker in &mut self.checkers {
                if let Err(what) = checker.observe(&fact, &self.census)
                    && self.violation.is_none()
                {
                    let name = checker.name();
                    self.violation = Some(Violation { at: fact.at, name, what });
                }
            }
        }
    }
}

/// Datagrams that a stranger remembers.
const OVERHEARD_MAX: usize = 32;
