//! [`RoomsHost`]: the task that owns the registry.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::ArbiterHandle;
use mp_actor::{BranchRef, EndReason, SharedEndpoint, StartError};
use mp_core::host::{SystemClock, unix_now};
use mp_core::{ConnectionId, DisconnectReason, Instant, PeerId, Rejection, Route};
use mp_identity::{
    AuthRejection, AuthStats, FetchId, HttpFailure, HttpRequest, HttpResponse, Identity, Subject,
};
use mp_rooms::{
    Join, JoinDecision, JoinRefusal, ListenerConnection, ListenerId, Notice, NoticeText, Removal,
    RoomId, RoomName, RoomOutput, Rooms, Template,
};
use mp_scene::IdBlocks;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bans::BanRegistry;
use crate::http_client::HttpClient;
use crate::identity::Authentication;
use crate::metrics::Metrics;

use super::admission::{Admission, AdmissionOutput, Applicant};
use super::changes::Changes;
use super::context::{DrainDeadline, RoomContext, RoomTypes};
use super::handle::RoomsHandle;
use super::identities::Identities;
use super::placement::{Place, Placement, ThreadNumber};
use super::queue::{Arrival, Arrivals};
use super::stats::StatsPublisher;

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
    /// Client for the authenticator's HTTP requests, if its method has any.
    http: Option<HttpClient>,
    /// Properties of the rooms that exist or are being started.
    shared: BTreeMap<RoomId, SharedWithRoom>,
    /// Threads of the rooms that are being started.
    starting: BTreeMap<RoomId, ThreadNumber>,
    opening: BTreeMap<RoomId, oneshot::Sender<()>>,
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
}

/// A message to the host.
pub(super) enum HostEvent {
    Started(RoomId, Result<BranchRef, StartError>),
    Ended(RoomId, EndReason),
    Fetched(FetchId, Result<HttpResponse, HttpFailure>),
    ListenerEnded(ListenerId),
    Call(Box<HostCall>),
}

pub(super) type HostCall = dyn FnOnce(&mut RoomsHost) + Send;

/// The numbers of rooms that run, including those that close, and of players.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) rooms: usize,
    pub(super) players: usize,
}

/// An endpoint.
struct Listening {
    endpoint: SharedEndpoint,
    /// The only room that its clients can join.
    room: Option<RoomName>,
    /// True if the transport refuses connections because that room does.
    is_refusing: bool,
}

/// The properties of a room that its decisions depend on, or that it reads.
struct SharedWithRoom {
    identities: Identities,
    /// True if players receive reasons and announcements as raw packets.
    notify: bool,
}

/// A room that is open, or closes.
struct Running {
    branch: BranchRef,
    thread: ThreadNumber,
    players: usize,
}

/// Numbers of players that joined and left since the last report.
#[derive(Default)]
struct Traffic {
    joined: u64,
    left: u64,
    /// Time of the next report, if there is something to report.
    due: Option<Instant>,
    reported: Option<Instant>,
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
            shared: BTreeMap::new(),
            clock,
            listeners: BTreeMap::new(),
            early: Vec::new(),
            running: BTreeMap::new(),
            starting: BTreeMap::new(),
            opening: BTreeMap::new(),
            load,
            drain: DrainDeadline::new(clock),
            events,
            tasks,
            stop,
            own_handle: handle.clone(),
            traffic: Traffic::default(),
            changes: Changes::new(),
            stats: StatsPublisher::default(),
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
            self.refuse_in_handshakes();
            self.publish_load();
            self.changes.publish(&self.rooms);
            self.report(now);
            self.stats.publish(now, &self.rooms, &self.admission, &self.settings.metrics);
        }
    }

    /// Adds an endpoint whose router passes its joins to this host. `room` is the only room that
    /// its clients can join, if there is one.
    pub(super) fn listen(
        &mut self,
        id: ListenerId,
        endpoint: SharedEndpoint,
        room: Option<RoomName>,
    ) {
        let (events, ended) = (self.events.clone(), endpoint.clone());
        self.tasks.spawn(async move {
            ended.ended().await;
            let _ = events.send(HostEvent::ListenerEnded(id)).await;
        });
        self.listeners.insert(id, Listening { endpoint, room, is_refusing: false });
        let now = self.clock.now();
        let is_of = |join: &mut Join| join.connection.listener == id;
        for join in self.early.extract_if(.., is_of).collect::<Vec<_>>() {
            self.authenticate(now, join);
        }
    }

    /// Refuses players from now on, and lets the rooms know when they are closed.
    pub(super) fn drain(&mut self, close_after: Duration) {
        self.drain.set(close_after);
        self.rooms.drain();
        for listening in self.listeners.values() {
            listening.endpoint.set_refuse_new_connections(true);
        }
    }

    /// Returns the current time of the registry.
    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Closes all rooms.
    pub(super) fn close_rooms(&mut self) {
        for room in self.rooms.list().map(|room| room.id).collect::<Vec<_>>() {
            self.rooms.close(room);
        }
    }

    /// Measures the threads of rooms, and lets the rooms of those that do not keep up refuse
    /// players. Returns whether there is no thread for a new room.
    pub(super) fn measure_threads(&mut self) -> bool {
        for (thread, is_overloaded) in self.placement.measure(self.clock.now()) {
            let running = self.running.iter().map(|(&room, running)| (room, running.thread));
            let starting = self.starting.iter().map(|(&room, &thread)| (room, thread));
            let rooms = running.chain(starting).filter(|&(_, other)| other == thread);
            let mut count = 0;
            for (room, _) in rooms {
                count += usize::from(self.rooms.set_overloaded(room, is_overloaded));
            }
            match is_overloaded {
                true => tracing::warn!(
                    ?thread,
                    rooms = count,
                    "rooms of an overloaded thread refuse players"
                ),
                false => tracing::info!(
                    ?thread,
                    rooms = count,
                    "a thread of rooms is no longer overloaded"
                ),
            }
        }
        self.placement.is_exhausted()
    }

    /// Returns the endpoints.
    pub(super) fn endpoints(&self) -> Vec<SharedEndpoint> {
        self.listeners.values().map(|listening| listening.endpoint.clone()).collect()
    }

    /// Returns the endpoint and the connection of a player.
    pub(super) fn connection_of(
        &self,
        room: RoomId,
        peer: PeerId,
    ) -> Option<(SharedEndpoint, ConnectionId)> {
        let of = self.rooms.connection_of(room, peer)?;
        let listening = self.listeners.get(&of.listener)?;
        Some((listening.endpoint.clone(), of.connection))
    }

    /// Returns the branch of an open room.
    pub(super) fn branch(&self, room: RoomId) -> Option<BranchRef> {
        self.running.get(&room).map(|running| running.branch.clone())
    }

    /// Notifies `opened` when a room has opened; drops it if the room could not be created.
    pub(super) fn when_open(&mut self, room: RoomId, opened: oneshot::Sender<()>) {
        self.opening.insert(room, opened);
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

    fn arrive(&mut self, now: Instant, arrival: Arrival) {
        match arrival {
            Arrival::Join(join) => {
                if let Some(address) = join.credentials.address {
                    self.addresses.insert(join.connection, address);
                }
                match self.listeners.contains_key(&join.connection.listener) {
                    true => self.authenticate(now, join),
                    false => self.early.push(join),
                }
            }
            Arrival::Left(connection) => {
                self.addresses.remove(&connection);
                self.early.retain(|join| join.connection != connection);
                self.admission.cancel(connection);
                if let Some(room) = self.rooms.left(now, connection) {
                    self.changes.mark(room);
                    self.left(room, connection);
                }
            }
        }
    }

    /// Turns the credentials of a join into an identity, at once or later.
    fn authenticate(&mut self, now: Instant, join: Join) {
        if self.join_by_ticket(now, &join) {
            return;
        }
        // The registry refuses these joins of any player.
        let is_refused = match join.selection {
            Ok(_) | Err(JoinRefusal::NoRoomSelected) => self.rooms.refusal_of_all().is_some(),
            Err(_) => true,
        };
        match is_refused {
            true => self.rooms.join(now, join),
            false => self.admission.begin_join(now, unix_now(), join),
        }
    }

    /// Handles the decisions about credentials.
    fn run_admission(&mut self, now: Instant) {
        loop {
            let is_banned = |subject: &Subject| self.settings.bans.is_banned(subject);
            let Some(output) = self.admission.next_output(now, is_banned) else { return };
            match output {
                AdmissionOutput::Decided(Applicant::Call(call), decision) => {
                    call.run(self, decision);
                }
                AdmissionOutput::Decided(Applicant::Join(join), Ok(identity)) => {
                    self.rooms.join_as(now, join, identity);
                }
                AdmissionOutput::Decided(Applicant::Join(join), Err(rejection)) => {
                    self.reject(join.connection, &rejection);
                }
                AdmissionOutput::Fetch(fetch, request) => self.fetch(fetch, request),
            }
        }
    }

    /// Returns whether a player is banned by its subject.
    pub(super) fn is_banned(&self, identity: &Identity) -> bool {
        identity.subject().is_some_and(|subject| self.settings.bans.is_banned(subject))
    }

    /// Sends an HTTP request of the authenticator.
    fn fetch(&self, fetch: FetchId, request: HttpRequest) {
        let Some(http) = self.http.clone() else {
            return mp_core::bug!("a request of a method without HTTP");
        };
        let events = self.events.clone();
        self.tasks.spawn(async move {
            let response = http.send(request).await;
            let _ = events.send(HostEvent::Fetched(fetch, response)).await;
        });
    }

    /// Rejects a connection whose credentials are refused.
    pub(super) fn reject(&self, connection: ListenerConnection, rejection: &AuthRejection) {
        tracing::debug!(%connection, reason = %rejection.reason(), "authentication refused");
        let Some(listening) = self.listeners.get(&connection.listener) else { return };
        let route = Route::RejectWith {
            reason: DisconnectReason::Rejected(Rejection::from(rejection.reason())),
            code: rejection.code().into(),
            text: rejection.text().into(),
        };
        listening.endpoint.decide(connection.connection, route);
    }

    /// Returns the identities of a room's players.
    pub(super) fn identities(&self, room: RoomId) -> Option<&Identities> {
        self.shared.get(&room).map(|shared| &shared.identities)
    }

    /// Counts that a player has moved from one room to another.
    pub(super) fn move_count(&mut self, from: RoomId, to: RoomId) {
        if let Some(running) = self.running.get_mut(&from) {
            running.players -= 1;
            self.placement.left(running.thread, 1);
        }
        if let Some(running) = self.running.get_mut(&to) {
            running.players += 1;
            self.placement.joined(running.thread);
        }
    }

    /// Records that a player has left a room.
    fn left(&mut self, room: RoomId, connection: ListenerConnection) {
        self.traffic.left += 1;
        if let Some(shared) = self.shared.get(&room) {
            shared.identities.remove(connection);
        }
        if let Some(running) = self.running.get_mut(&room) {
            running.players -= 1;
            self.placement.left(running.thread, 1);
        }
    }

    /// Returns whether the players of a room receive notices.
    pub(super) fn notifies(&self, room: RoomId) -> bool {
        self.shared.get(&room).is_some_and(|shared| shared.notify)
    }

    /// Disconnects a player who has left the registry.
    fn disconnect(
        &mut self,
        connection: ListenerConnection,
        room: Option<RoomId>,
        removal: Removal,
        text: Option<&NoticeText>,
    ) {
        tracing::debug!(%connection, %removal, "player disconnected");
        let notice = || Notice::removal(removal, text).packet(connection.connection);
        let last = room.filter(|&room| self.notifies(room)).map(|_| notice());
        if let Some(room) = room {
            self.left(room, connection);
        }
        if let Some(listening) = self.listeners.get(&connection.listener) {
            let reason = removal.disconnect_reason();
            listening.endpoint.disconnect(connection.connection, reason, last);
        }
    }

    /// Returns statistics of authentication.
    pub(super) fn auth_stats(&self) -> AuthStats {
        self.admission.stats().auth
    }

    /// Disconnects a player of a room. `text` is for the player, in place of the reason's. Returns
    /// false if there is none.
    pub(super) fn kick(&mut self, room: RoomId, peer: PeerId, text: Option<NoticeText>) -> bool {
        self.rooms.kick(self.clock.now(), room, peer, text)
    }

    /// Disconnects a banned player. Returns the number of its connections.
    pub(super) fn disconnect_banned(&mut self, subject: &Subject) -> usize {
        self.rooms.disconnect_player(self.clock.now(), subject, Removal::Banned)
    }

    fn run_outputs(&mut self, now: Instant) {
        while let Some(output) = self.rooms.next_output() {
            match output {
                RoomOutput::Create { room, name, template } => self.create(room, name, template),
                RoomOutput::Decide { connection, decision } => self.decide(connection, decision),
                RoomOutput::Disconnect { connection, room, removal, text } => {
                    self.disconnect(connection, room, removal, text.as_ref());
                }
                RoomOutput::Close { room } => self.close(room),
                _ => mp_core::bug!("unknown output of the registry"),
            }
        }
        if self.traffic.joined + self.traffic.left > 0 && self.traffic.due.is_none() {
            let earliest = self.traffic.reported.map(|at| at + REPORT_INTERVAL);
            self.traffic.due = Some(earliest.map_or(now, |earliest| earliest.max(now)));
        }
    }

    fn create(&mut self, room: RoomId, name: RoomName, template: Arc<Template>) {
        let Some(build) = self.settings.types.get(&template.room_type).map(Arc::clone) else {
            tracing::error!(%name, room_type = template.room_type, "unknown room type");
            return self.fail(room);
        };
        let Place { thread, arbiter, timer } = match self.placement.place(template.own_thread) {
            Ok(place) => place,
            Err(error) => {
                tracing::error!(%name, %error, "cannot start a thread for a room");
                return self.fail(room);
            }
        };
        tracing::debug!(%name, %room, template = %template.name, ?thread, "starting a room");
        let span = tracing::debug_span!("room", id = %room, room = %name);
        self.starting.insert(room, thread);
        self.changes.mark(room);
        self.rooms.set_overloaded(room, self.placement.is_overloaded(thread));
        let identities = Identities::default();
        let shared = SharedWithRoom { identities: identities.clone(), notify: template.notify };
        self.shared.insert(room, shared);
        let (silence, drain) = (self.settings.silence, self.drain.clone());
        let receive_limits = template.receive_limits;
        let rooms = self.own_handle.clone();
        let starter = mp_actor::branch(move || {
            if let Some(timer) = timer {
                actix::spawn(timer.run());
            }
            let (relay, moves) = (template.relay, template.moves);
            let of_room = identities.clone();
            let context = RoomContext { id: room, name, template, drain, identities, rooms };
            let mut branch = build(&context)?;
            if moves {
                branch.enable_moves(&IdBlocks::of_process());
            }
            let multiplayer = branch.scene().multiplayer_mut();
            multiplayer.set_silence_timeout(silence);
            multiplayer.set_relay_permission(move |peer| !of_room.is_spectator(peer));
            if !relay {
                multiplayer.set_server_relay(false);
            }
            Ok(branch)
        });
        let collector = self.stats.collector(thread, &self.settings.metrics);
        let starter = starter.receive_limits(receive_limits).collect_stats(&collector).span(span);
        let starter = match arbiter {
            Some(arbiter) => starter.on(arbiter),
            None => starter,
        };
        let events = self.events.clone();
        self.tasks.spawn(async move {
            let started = starter.start().await;
            let _ = events.send(HostEvent::Started(room, started)).await;
        });
    }

    fn fail(&mut self, room: RoomId) {
        self.changes.mark(room);
        self.opening.remove(&room);
        self.shared.remove(&room);
        self.rooms.failed(room);
    }

    fn started(&mut self, room: RoomId, started: Result<BranchRef, StartError>) {
        self.changes.mark(room);
        let thread = self.starting.remove(&room).flatten();
        self.placement.opened(thread, started.is_ok());
        let opening = self.opening.remove(&room);
        match started {
            Ok(branch) => {
                if let (Some(opening), Some(_)) = (opening, self.rooms.get(room)) {
                    let _ = opening.send(());
                }
                self.watch(room, branch.clone());
                self.running.insert(room, Running { branch, thread, players: 0 });
                self.rooms.opened(self.clock.now(), room);
            }
            Err(error) => {
                let name = self.rooms.get(room).map(|room| room.name);
                self.shared.remove(&room);
                let error = mp_core::ErrorChain::new(&error);
                tracing::error!(%room, ?name, %error, "the room could not be created");
                self.rooms.failed(room);
            }
        }
    }

    /// Reports the end of a room. The task lasts until its endpoints have disconnected its peers.
    fn watch(&self, room: RoomId, branch: BranchRef) {
        let events = self.events.clone();
        self.tasks.spawn(async move {
            let reason = branch.until_ended().await;
            let _ = events.send(HostEvent::Ended(room, reason)).await;
            branch.closed().await;
        });
    }

    fn ended(&mut self, room: RoomId, reason: &EndReason) {
        self.changes.mark(room);
        if let Some(info) = self.rooms.get(room) {
            tracing::error!(name = %info.name, %reason, "a room has ended by itself");
        }
        self.rooms.ended(room);
        self.shared.remove(&room);
        if let Some(Running { thread, players, .. }) = self.running.remove(&room) {
            self.placement.left(thread, players);
            self.placement.ended(thread);
        }
    }

    fn close(&mut self, room: RoomId) {
        self.changes.mark(room);
        if let Some(branch) = self.branch(room) {
            self.tasks.spawn(async move { branch.close().await });
        }
    }

    fn decide(&mut self, connection: ListenerConnection, decision: JoinDecision) {
        let Some(listening) = self.listeners.get(&connection.listener) else { return };
        let identity = self.rooms.identity_of(connection).cloned();
        let player = self.rooms.peer_of(connection).zip(identity);
        let (of, endpoint, connection) = (connection, &listening.endpoint, connection.connection);
        let room = match decision {
            JoinDecision::Admit(room) => room,
            JoinDecision::Refuse(refusal) => {
                tracing::debug!(%connection, %refusal, "join refused");
                return endpoint.decide(connection, Route::Reject(refusal.disconnect_reason()));
            }
            _ => return mp_core::bug!("unknown decision of the registry"),
        };
        match self.running.get_mut(&room) {
            Some(running) => {
                if let Some((peer, identity)) = player
                    && let Some(shared) = self.shared.get(&room)
                {
                    shared.identities.insert(peer, of, identity);
                }
                self.traffic.joined += 1;
                self.changes.mark(room);
                running.players += 1;
                self.placement.joined(running.thread);
                endpoint.assign(connection, &running.branch);
            }
            None => {
                let reason = JoinRefusal::RoomClosed.disconnect_reason();
                endpoint.decide(connection, Route::Reject(reason));
            }
        }
    }

    /// Lets the transports refuse connections while all rooms do, or the only room of an endpoint.
    fn refuse_in_handshakes(&mut self) {
        if self.rooms.is_draining() {
            return; // they refuse already
        }
        // A player with an identity may take over its own place.
        let is_full = self.is_open && self.rooms.is_full();
        for listening in self.listeners.values_mut() {
            let room = listening.room.as_ref().and_then(|name| self.rooms.find_by_name(name));
            let is_refusing = is_full || room.is_some_and(|room| self.rooms.is_refusing(room));
            if is_refusing != listening.is_refusing {
                listening.is_refusing = is_refusing;
                listening.endpoint.set_refuse_new_connections(is_refusing);
            }
        }
    }

    fn publish_load(&self) {
        let rooms = self.running.len() + self.starting.len();
        let load = Load { rooms, players: self.rooms.players() };
        self.load.send_if_modified(|last| std::mem::replace(last, load) != load);
    }

    /// Logs how many players joined and left, at most once per second.
    fn report(&mut self, now: Instant) {
        if self.traffic.due.is_none_or(|due| now < due) {
            return;
        }
        let Traffic { joined, left, .. } = std::mem::take(&mut self.traffic);
        self.traffic.reported = Some(now);
        let players = self.rooms.players();
        tracing::info!(players, joined, left, "players");
    }
}

/// Capacity of the queue of events other than joins, whose senders wait.
const EVENTS_MAX: usize = 256;
/// Minimum time between log lines about players who join and leave.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
