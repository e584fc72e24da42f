//! [`RoomsHost`]: the task that owns the registry. `listeners` has its endpoints, `joins` decides
//! who a player is, `players` and `lifecycle` carry out the decisions of the registry.

mod cluster;
mod joins;
mod keeping;
mod lifecycle;
mod listeners;
mod node_calls;
mod players;
mod restore;
mod resume;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use actix::ArbiterHandle;
use mp_actor::{BranchRef, EndReason, StartError};
use mp_core::host::{SystemClock, unix_now};
use mp_core::{Instant, Rng};
use mp_identity::{FetchId, HttpFailure, HttpResponse};
use mp_rooms::{Join, ListenerConnection, ListenerId, RoomId, RoomOutput, Rooms};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::cluster::Cluster;
use self::lifecycle::{Running, SharedWithRoom};
use self::listeners::Listening;
use self::players::Traffic;
use self::restore::Restoring;
pub(crate) use self::restore::{BranchRestore, RoomDescription, RoomRestore};
use super::admission::Admission;
use super::changes::Changes;
use super::context::{DrainDeadline, RoomTypes};
use super::handle::RoomsHandle;
use super::placement::{Placement, ThreadNumber};
use super::queue::Arrivals;
use super::stats::StatsPublisher;
use crate::bans::BanRegistry;
use crate::cluster::ToNode;
use crate::http::AddressLimiter;
use crate::http_client::HttpClient;
use crate::identity::Authentication;
use crate::metrics::Metrics;
use crate::record::Recordings;
use crate::snapshots::SnapshotStore;

/// Settings of the rooms of a server.
pub(crate) struct HostSettings {
    pub(crate) types: RoomTypes,
    /// Thread of the endpoints, if the only room is to run there, too.
    pub(crate) network: Option<ArbiterHandle>,
    /// Maximum number of threads of rooms.
    pub(crate) max_threads: usize,
    /// Lateness above which a thread of rooms is overloaded; `None`: no thread is measured.
    pub(crate) max_lateness: Option<Duration>,
    /// Time without a packet after which a WebRTC player is disconnected; zero: no limit.
    pub(crate) silence: Duration,
    pub(crate) bans: BanRegistry,
    pub(crate) metrics: Metrics,
    pub(crate) recordings: Recordings,
    /// States of rooms that are kept; `None`: there is no folder for them.
    pub(crate) snapshots: Option<SnapshotStore>,
}

/// The task that owns the registry: it starts and closes branches, and passes decisions to the
/// endpoints. It does nothing while nothing happens: rooms have no timers but the registry's.
pub(crate) struct RoomsHost {
    pub(super) rooms: Rooms,
    settings: HostSettings,
    clock: SystemClock,
    listeners: BTreeMap<ListenerId, Listening>,
    running: BTreeMap<RoomId, Running>,
    pub(super) admission: Admission,
    /// Addresses of the connections that have joined or wait.
    pub(super) addresses: BTreeMap<ListenerConnection, IpAddr>,
    /// True if everyone may play, without credentials.
    pub(super) is_open: bool,
    /// Source of resume tickets, once there was one.
    ticket_rng: Option<Rng>,
    /// Joins of an address that guess names, codes or keys.
    failed_joins: AddressLimiter,
    /// Client for the authenticator's HTTP requests, if its method has any.
    http: Option<HttpClient>,
    /// Properties of the rooms that exist or are being started.
    shared: BTreeMap<RoomId, SharedWithRoom>,
    /// Threads of the rooms that are being started.
    starting: BTreeMap<RoomId, ThreadNumber>,
    opening: BTreeMap<RoomId, oneshot::Sender<()>>,
    /// Rooms of other nodes that are being started here.
    restoring: BTreeMap<RoomId, Restoring>,
    /// Joins that were received before their listener was added.
    early: Vec<Join>,
    placement: Placement,
    load: watch::Sender<Load>,
    drain: DrainDeadline,
    pub(super) events: mpsc::Sender<HostEvent>,
    pub(super) tasks: TaskTracker,
    stop: CancellationToken,
    own_handle: RoomsHandle,
    traffic: Traffic,
    pub(super) changes: Changes,
    stats: StatsPublisher,
    /// `None` if the server is no node of a cluster.
    cluster: Option<Cluster>,
}

/// A message to the host.
pub(super) enum HostEvent {
    Started(RoomId, Result<BranchRef, StartError>),
    Ended(RoomId, EndReason),
    Fetched(FetchId, Result<HttpResponse, HttpFailure>),
    ListenerEnded(ListenerId),
    Call(Box<HostCall>),
}

pub(crate) type HostCall = dyn FnOnce(&mut RoomsHost) + Send;

/// The numbers of rooms that run, including those that close, and of players.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) rooms: usize,
    pub(super) players: usize,
    /// Reserved seats, if the server is a node of a cluster.
    pub(super) seats: usize,
    /// Players in rooms of other nodes of a cluster.
    pub(super) elsewhere: usize,
}

impl RoomsHost {
    /// Starts the task on the current thread.
    pub(crate) fn start(
        rooms: Rooms,
        settings: HostSettings,
        authentication: Authentication,
        arrivals: Arrivals,
    ) -> RoomsHandle {
        let (events, inbox) = mpsc::channel(EVENTS_MAX);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (load, loads) = watch::channel(Load::default());
        let bans = settings.bans.clone();
        let metrics = settings.metrics.clone();
        let handle =
            RoomsHandle::new(events.clone(), loads, tasks.clone(), stop.clone(), bans, metrics);
        let clock = SystemClock::new();
        let HostSettings { network, max_threads, max_lateness, .. } = &settings;
        let placement = Placement::new(network.clone(), *max_threads, *max_lateness, clock);
        let host = Self {
            rooms,
            placement,
            settings,
            admission: Admission::new(authentication.authenticator),
            http: authentication.http,
            addresses: BTreeMap::new(),
            is_open: authentication.is_open,
            ticket_rng: None,
            failed_joins: AddressLimiter::new(FAILED_JOINS_MAX, FAILED_JOIN_INTERVAL),
            shared: BTreeMap::new(),
            clock,
            listeners: BTreeMap::new(),
            early: Vec::new(),
            running: BTreeMap::new(),
            starting: BTreeMap::new(),
            opening: BTreeMap::new(),
            restoring: BTreeMap::new(),
            load,
            drain: DrainDeadline::new(clock),
            events,
            tasks,
            stop,
            own_handle: handle.clone(),
            traffic: Traffic::default(),
            changes: Changes::new(),
            stats: StatsPublisher::default(),
            cluster: None,
        };
        actix::spawn(host.run(arrivals, inbox));
        handle
    }

    async fn run(mut self, mut arrivals: Arrivals, mut inbox: mpsc::Receiver<HostEvent>) {
        let stop = self.stop.clone();
        let mut arrived = Vec::new();
        loop {
            let now = self.clock.now();
            let due = [
                self.rooms.poll_timeout(),
                self.admission.poll_timeout(),
                self.traffic.due,
                self.stats.due(),
            ];
            let due = due.into_iter().flatten().min();
            let wait = due.map_or(Duration::MAX, |due| due - now);
            tokio::select! {
                () = arrivals.receive(&mut arrived) => {}
                Some(event) = inbox.recv() => self.handle(event),
                () = tokio::time::sleep(wait), if due.is_some() => {}
                () = stop.cancelled() => break,
            }
            let now = self.clock.now();
            for arrival in arrived.drain(..) {
                self.arrive(now, arrival);
            }
            self.admission.handle_timeout(now);
            self.run_admission(now);
            self.rooms.handle_timeout(now);
            self.run_outputs(now);
            self.publish_tickets(now);
            self.refuse_in_handshakes();
            self.publish_load();
            self.changes.publish(&self.rooms);
            self.report(now);
            self.stats.publish(now, &self.rooms, &self.admission, &self.settings.metrics);
        }
    }

    /// Refuses players from now on, and lets the rooms know when they are closed.
    pub(super) fn drain(&mut self, close_after: Duration) {
        self.drain.set(close_after);
        self.rooms.drain();
        self.notify_cluster(|| ToNode::Draining { moves: !close_after.is_zero() });
        for listening in self.listeners.values() {
            listening.endpoint.set_refuse_new_connections(true);
        }
    }

    /// Returns the current time of the registry.
    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    fn handle(&mut self, event: HostEvent) {
        match event {
            HostEvent::Started(room, started) => self.started(room, started),
            HostEvent::Ended(room, reason) => self.ended(room, &reason),
            HostEvent::Fetched(fetch, response) => {
                let now = self.clock.now();
                self.admission.handle_response(now, unix_now(), fetch, response);
            }
            HostEvent::ListenerEnded(listener) => {
                // Its router reports the end of its connections.
                self.listeners.remove(&listener);
            }
            HostEvent::Call(call) => call(self),
        }
    }

    fn run_outputs(&mut self, now: Instant) {
        while let Some(output) = self.rooms.next_output() {
            match output {
                RoomOutput::Create { room, name, template } => self.create(room, name, template),
                RoomOutput::Decide { connection, decision } => {
                    self.report_player(connection, decision);
                    self.decide(connection, decision);
                }
                RoomOutput::Disconnect { connection, room, removal, text } => {
                    self.disconnect(connection, room, removal, text.as_ref());
                }
                RoomOutput::Left { connection, room, peer } => {
                    self.end_keep(room, connection, peer);
                }
                RoomOutput::Close { room } => self.close(room),
                _ => mp_core::bug!("unknown output of the registry"),
            }
        }
        self.traffic.schedule(now);
    }

    fn publish_load(&self) {
        let rooms = self.running.len() + self.starting.len();
        // A room with seats may move to another node.
        let seats = if self.cluster.is_some() { self.rooms.seats() } else { 0 };
        let players = self.rooms.players();
        let load = Load { rooms, players, seats, elsewhere: self.elsewhere() };
        self.load.send_if_modified(|last| std::mem::replace(last, load) != load);
    }
}

/// Number of joins with a wrong name, code or key that an address makes at once.
const FAILED_JOINS_MAX: u64 = 60;
/// Time after which an address may make another such join: it takes ages to find a code of 40 bits.
const FAILED_JOIN_INTERVAL: Duration = Duration::from_secs(1);
/// Capacity of the queue of events other than joins, whose senders wait.
const EVENTS_MAX: usize = 256;
