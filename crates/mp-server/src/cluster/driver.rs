//! [`Driver`]: the task that runs the machines of a node between the bus, the directory, the
//! endpoints and the rooms. `turn` has the order of a turn, `joins` the players, `rooms` the states
//! of rooms, `moves` the rooms that move to other nodes.

mod calls;
mod joins;
mod leaving;
mod moves;
mod rooms;
mod tickets;
mod turn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use mp_actor::{RemoteWake, SharedEndpoint};
use mp_cluster::bus::{Bus, BusEvent, BusMessageKind};
use mp_cluster::directory::{Directory, NodeRecord};
use mp_cluster::{
    Claims, ClusterId, ClusterNodeId, Epoch, Gateways, Lease, PlayerHomes, RemoteJoin,
    RequestCodec, SharedBans,
};
use mp_core::bytes::Bytes;
use mp_core::host::SystemClock;
use mp_core::{EndpointId, Instant};
use mp_rooms::{ListenerId, RoomName};
use tokio::sync::{mpsc, oneshot};

use self::moves::RoomMove;
use super::asks::Asks;
use super::calls::NodeCalls;
use super::departures::Departures;
use super::far::FarLinks;
use super::guests::Guests;
use super::handle::{ClaimOutcome, RemoteRequest, ToNode};
use super::here::RoomsHere;
use super::near::NearLinks;
use super::node::NodeContext;
use super::requests::{Asker, TaskOutcome, Tasks};
use super::restored::RestoredEndpoints;
use super::snapshots::RoomSnapshots;
use super::stats::{RequestStats, SharedStats};
use super::tickets::Tickets;
use crate::rooms::{HostCall, RoomsHandle};

/// The task of a node. It ends with the task that owns the rooms.
pub(super) struct Driver<B, D> {
    clock: SystemClock,
    cluster: ClusterId,
    node: ClusterNodeId,
    bus: B,
    tasks: Tasks<D>,
    codec: RequestCodec,
    lease: Lease,
    claims: Claims,
    gateways: Gateways,
    rooms: RoomsHandle,
    inbox: mpsc::Receiver<ToNode>,
    /// Notified of messages of endpoints and branches.
    wake: Arc<RemoteWake>,
    listeners: BTreeMap<ListenerId, SharedEndpoint>,
    here: RoomsHere,
    asks: Asks,
    tickets: Tickets,
    near: NearLinks,
    guests: Guests,
    far: FarLinks,
    departures: Departures,
    snapshots: RoomSnapshots,
    restored: RestoredEndpoints,
    /// Adopted rooms whose snapshot is being read.
    loading: BTreeMap<RoomName, LoadingRoom>,
    /// Adopted rooms whose snapshot was read, and that have not opened.
    restoring: BTreeSet<RoomName>,
    /// Rooms of this node, which is about to end, that may be able to move to another one.
    movable: BTreeSet<RoomName>,
    moves: BTreeMap<RoomName, RoomMove>,
    /// Joins of other nodes for rooms that this node does not own, while their owner is found.
    early: BTreeMap<RoomName, Vec<EarlyJoin>>,
    early_count: usize,
    /// Creators of rooms that wait for the directory.
    creators: BTreeMap<RoomName, Vec<Creator>>,
    /// Calls to other nodes.
    node_calls: NodeCalls,
    /// Senders of replies to callers that look for the nodes of rooms.
    finders: BTreeMap<RoomName, Vec<oneshot::Sender<ClusterNodeId>>>,
    bans: SharedBans,
    homes: PlayerHomes,
    /// Calls of the registry that it has not accepted.
    calls: VecDeque<Box<HostCall>>,
    /// True if a mailbox was full in the last turn.
    is_blocked: bool,
    next_retry: Instant,
    next_publication: Instant,
    requests: RequestStats,
    stats: SharedStats,
}

/// A program that creates a room of this node.
#[derive(Debug)]
struct Creator {
    template: RoomName,
    reply: oneshot::Sender<ClaimOutcome>,
    deadline: Instant,
}

/// An adopted room whose snapshot is being read.
#[derive(Debug)]
struct LoadingRoom {
    template: Option<RoomName>,
    /// True if the former node has moved it here.
    is_moved: bool,
}

/// A join of another node whose room is being located.
#[derive(Debug)]
struct EarlyJoin {
    request: RemoteRequest,
    join: Box<RemoteJoin>,
    deadline: Instant,
}

impl<B: Bus, D: Directory + 'static> Driver<B, D> {
    pub(super) fn new(
        cluster: ClusterId,
        node: ClusterNodeId,
        bus: B,
        directory: D,
        context: NodeContext,
    ) -> Self {
        let NodeContext { clock, rooms, capacity, inbox, stats, snapshots } = context;
        Self {
            clock,
            cluster,
            node,
            bus,
            tasks: Tasks::new(directory),
            codec: RequestCodec::new(cluster, node),
            lease: Lease::new(node, NodeRecord::with_capacity(capacity)),
            claims: Claims::new(node),
            gateways: Gateways::new(cluster, node, EndpointId(FAR_ENDPOINTS)).holding(),
            rooms,
            inbox,
            wake: Arc::new(RemoteWake::new()),
            listeners: BTreeMap::new(),
            here: RoomsHere::default(),
            asks: Asks::default(),
            tickets: Tickets::default(),
            near: NearLinks::default(),
            guests: Guests::default(),
            far: FarLinks::default(),
            departures: Departures::default(),
            snapshots: RoomSnapshots::new(snapshots),
            restored: RestoredEndpoints::default(),
            loading: BTreeMap::new(),
            restoring: BTreeSet::new(),
            movable: BTreeSet::new(),
            moves: BTreeMap::new(),
            early: BTreeMap::new(),
            early_count: 0,
            creators: BTreeMap::new(),
            node_calls: NodeCalls::default(),
            finders: BTreeMap::new(),
            bans: SharedBans::default(),
            homes: PlayerHomes::default(),
            calls: VecDeque::new(),
            is_blocked: false,
            next_retry: Instant::ZERO,
            next_publication: Instant::ZERO,
            requests: RequestStats::default(),
            stats,
        }
    }

    /// Runs until the task that owns the rooms has ended.
    pub(super) async fn run(mut self) {
        let mut messages = Vec::new();
        loop {
            let now = self.clock.now();
            self.turn(now);
            let wait = self.poll_timeout(now) - now;
            let wake = Arc::clone(&self.wake);
            tokio::select! {
                () = wake.notified() => {}
                event = self.bus.recv() => {
                    self.handle_event(event);
                    self.drain_bus().await;
                }
                outcome = self.tasks.next() => self.handle_outcome(outcome),
                outcome = self.snapshots.next() => self.handle_snapshot(outcome),
                count = self.inbox.recv_many(&mut messages, MESSAGES_PER_TURN) => {
                    if count == 0 {
                        break;
                    }
                    let now = self.clock.now();
                    messages.drain(..).for_each(|message| self.handle_message(now, message));
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.finish().await;
    }

    /// Removes the rooms that have ended from the directory, and sends the last frames.
    async fn finish(&mut self) {
        let until = self.clock.now() + FINISH_TIME;
        loop {
            let now = self.clock.now();
            self.turn(now);
            let is_idle = self.tasks.is_empty() && self.snapshots.is_idle();
            let is_finished = self.claims.rooms().next().is_none() && is_idle;
            if is_finished || now >= until {
                return;
            }
            let wait = self.poll_timeout(now).min(until) - now;
            tokio::select! {
                event = self.bus.recv() => self.handle_event(event),
                outcome = self.tasks.next() => self.handle_outcome(outcome),
                outcome = self.snapshots.next() => self.handle_snapshot(outcome),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Handles what else the bus has received, up to a limit.
    async fn drain_bus(&mut self) {
        for _ in 0..FRAMES_PER_TURN {
            tokio::select! {
                biased;
                event = self.bus.recv() => self.handle_event(event),
                () = std::future::ready(()) => return,
            }
        }
    }

    fn handle_event(&mut self, event: BusEvent) {
        let now = self.clock.now();
        match event {
            BusEvent::Message(BusMessageKind::Frame, bytes) => {
                self.handle_frames(now, Some(&bytes));
            }
            BusEvent::Message(BusMessageKind::Request, bytes) => self.handle_request(now, &bytes),
            BusEvent::Connected => {
                tracing::info!(node = %self.node, "the bus is connected");
                self.bans.read_soon(now);
            }
            BusEvent::Disconnected => {
                tracing::warn!(node = %self.node, "the bus is disconnected");
            }
        }
    }

    /// Handles a frame of another node; `None`: those of links of this node to itself.
    fn handle_frames(&mut self, now: Instant, frame: Option<&Bytes>) {
        let Self { claims, lease, here, moves, gateways, .. } = self;
        // Links to a room that is not open yet, or that moves, are refused: their nodes try again.
        let accepts = |room: &RoomName| {
            let is_open = here.branch(room).is_some() && !moves.contains_key(room);
            claims.speaks(now, lease, room).filter(|_| is_open)
        };
        match frame {
            Some(bytes) => gateways.handle_frame(now, bytes, accepts),
            None => gateways.handle_own_frames(now, accepts),
        }
    }

    fn handle_outcome(&mut self, outcome: TaskOutcome) {
        let now = self.clock.now();
        match outcome {
            TaskOutcome::Directory(Asker::Lease, id, result) => {
                self.lease.handle_result(now, id, result);
            }
            TaskOutcome::Directory(Asker::Claims, id, result) => {
                self.claims.handle_result(now, &self.lease, id, result);
            }
            TaskOutcome::Directory(Asker::Bans, id, result) => self.handle_bans(now, id, result),
            TaskOutcome::BansMerged(missing) => self.bans.add(missing),
            TaskOutcome::Directory(Asker::Tickets, id, result) => {
                self.tickets.offers.handle_result(now, id, result);
            }
            TaskOutcome::TicketFound(of, found) => self.ticket_found(of, found),
            TaskOutcome::TicketRedeemed(redeemer, record) => {
                self.ticket_redeemed(now, redeemer, record);
            }
            TaskOutcome::Served(key, served) => {
                let listener = key.listener;
                let decided = self.near.served(now, &mut self.gateways, key, served.ok());
                for (connection, route) in decided {
                    self.decide(listener, connection, route);
                }
            }
        }
    }

    /// Returns the epoch in which this node may speak for a room.
    fn epoch_of(&self, now: Instant, room: &RoomName) -> Option<Epoch> {
        self.claims.speaks(now, &self.lease, room)
    }

    /// Calls the task that owns the rooms.
    fn call(&mut self, call: impl FnOnce(&mut crate::rooms::RoomsHost) + Send + 'static) {
        self.calls.push_back(Box::new(call));
    }
}

/// First id of the gateways to endpoints of other nodes. Actors count from 1.
const FAR_ENDPOINTS: u32 = 1 << 31;
/// Messages of the rooms, and frames of the bus, that are handled before a turn.
const MESSAGES_PER_TURN: usize = 1_024;
const FRAMES_PER_TURN: usize = 256;
/// Time that a node takes at most to remove its rooms from the directory at its end.
const FINISH_TIME: Duration = Duration::from_secs(1);
/// Time after which a full mailbox is tried again, as hosts do.
const DELIVERY_RETRY: Duration = mp_actor::limits::DELIVERY_RETRY;
/// Interval at which rooms that could not be located are located again.
const LOCATE_RETRY: Duration = Duration::from_millis(100);
