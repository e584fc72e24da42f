//! Several branches whose transport records sent packets and delivers them on request.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use mp_core::{
    ConnectionId, ConnectionOrigin, ConnectionStatus, EndpointId, EndpointInfo, Instant, Packet,
    PeerEvent, StateMachine, ToBranch, ToEndpoint, TransferMode,
};
use mp_scene::prelude::*;

use super::entities;
use super::nodes::{Event, Log, Recorder};

/// A packet in the form of the recordings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub from: i32,
    pub to: i32,
    pub mode: TransferMode,
    pub channel: u8,
    pub hex: String,
}

/// The peers of a scenario.
pub struct World {
    pub log: Log,
    sides: BTreeMap<i32, Side>,
    sent: Vec<Sent>,
    now: Instant,
    /// Requested disconnects: the requesting peer and the other one.
    disconnected: Vec<(i32, i32)>,
    refusing: bool,
    closing: Vec<i32>,
}

struct Side {
    branch: Branch,
    inbox: VecDeque<(i32, TransferMode, Channel, Bytes)>,
}

const START: Instant = Instant::from_millis(1);
const ENDPOINT: EndpointId = EndpointId(0);
const TICK: Duration = Duration::from_micros(1);

impl World {
    pub fn new(peers: impl Iterator<Item = i32>, relay_supported: bool) -> Self {
        let log = Log::default();
        let sides = peers
            .map(|id| (id, Side { branch: branch(id, &log), inbox: VecDeque::new() }))
            .collect();
        let mut world = Self {
            log,
            sides,
            sent: Vec::new(),
            now: START,
            disconnected: Vec::new(),
            refusing: false,
            closing: Vec::new(),
        };
        let ids: Vec<_> = world.sides.keys().copied().collect();
        for id in ids {
            let status =
                if id == 1 { ConnectionStatus::Connected } else { ConnectionStatus::Connecting };
            world.open(id, status, relay_supported);
        }
        world
    }

    /// Gives a peer a transport with this status.
    pub fn open(&mut self, id: i32, status: ConnectionStatus, relay_supported: bool) {
        let unique_id = peer_id(id);
        let info = EndpointInfo {
            unique_id,
            status,
            relay_supported,
            max_packet_size: 1 << 24,
            outlives_program: false,
        };
        let now = self.now;
        self.side(id).branch.handle_input(now, ToBranch::Opened(ENDPOINT, info));
    }

    /// Drops the packets queued for a peer.
    pub fn lose_inbox(&mut self, id: i32) {
        self.side(id).inbox.clear();
    }

    /// Removes a peer's transport.
    pub fn close(&mut self, id: i32) {
        self.report_closed(id);
        self.log.borrow_mut().retain(|event| {
            // Assigning another peer emits no signals in Godot; here the old one is closed first.
            !matches!(event, Event::Signal { peer, name, .. } if *peer == id && name == "server_disconnected")
        });
    }

    pub fn ids(&self) -> Vec<i32> {
        self.sides.keys().copied().collect()
    }

    pub fn scene(&mut self, id: i32) -> &mut Scene {
        self.side(id).branch.scene()
    }

    pub fn add(&mut self, id: i32, path: &str, table: RpcTable<Recorder>) -> NodeId {
        let label = if path == "." { "" } else { path.split('/').next().unwrap() };
        let log = self.log.clone();
        let node = Recorder { log, peer: id, label: label.to_owned(), foreign: false };
        let tree = self.scene(id).tree_mut();
        if path == "." {
            return tree.set_root_with_table(node, table).id();
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        let parent = mp_scene::tree::NodeTree::find(tree, parent).expect("the parent exists");
        tree.add_with_table(parent, name, node, table).expect("the name is free").id()
    }

    /// Adds a node of another branch to the tree of `id`. The recordings list a call of
    /// `/root/P1/A` as one of peer 1, without a sender, and omit nodes that belong to no peer.
    pub fn add_foreign(&mut self, id: i32, parent: &str, name: &str, table: RpcTable<Recorder>) {
        let (peer, log) = match parent.strip_prefix("../P") {
            Some(peer) => (peer.parse().expect("the branch of a peer"), self.log.clone()),
            None => (0, Log::default()),
        };
        let node = Recorder { log, peer, label: name.to_owned(), foreign: true };
        let scene = self.scene(id);
        let parent = scene.find(parent).expect("the parent exists");
        scene.tree_mut().add_with_table(parent, name, node, table).expect("the name is free");
    }

    /// Sets a peer to the state without a transport.
    pub fn go_offline(&mut self, id: i32) {
        let branch = branch(id, &self.log);
        self.side(id).branch = branch;
    }

    /// Connects two peers at both transports, and polls both.
    pub fn link(&mut self, a: i32, b: i32) {
        self.link_at(a, b);
        self.link_at(b, a);
    }

    /// Connects `other` at the transport of `side`.
    pub fn link_at(&mut self, side: i32, other: i32) {
        let connection = self.connection(other);
        let (claimed_id, origin) = (Some(peer_id(other)), ConnectionOrigin::Process);
        self.handle_event(side, PeerEvent::Connected { connection, claimed_id, origin });
    }

    /// Disconnects `other` at the transport of `side`.
    pub fn unlink(&mut self, side: i32, other: i32) {
        let connection = self.connection(other);
        let reason = mp_core::DisconnectReason::Timeout;
        self.handle_event(side, PeerEvent::Disconnected { connection, reason });
    }

    /// Delivers the packets queued for a peer.
    pub fn poll(&mut self, id: i32) {
        while let Some((from, mode, channel, payload)) = self.side(id).inbox.pop_front() {
            self.receive(id, from, mode, channel, payload);
        }
        if self.closing.contains(&id) {
            self.closing.retain(|&closing| closing != id);
            self.report_closed(id);
        }
        self.flush(id);
    }

    /// Ends the turn of a peer: runs its hooks and collects its packets.
    pub fn flush(&mut self, id: i32) {
        // Each poll of the recordings runs a step of replication.
        self.now += TICK;
        let now = self.now;
        self.side(id).branch.end_turn(now);
        self.collect(id);
    }

    /// Disconnects a peer's transport, which takes effect at the next poll.
    pub fn close_at_next_poll(&mut self, id: i32) {
        self.closing.push(id);
    }

    /// Returns whether a transport was set to refuse new connections since the last call.
    pub fn take_refusing(&mut self) -> bool {
        std::mem::take(&mut self.refusing)
    }

    fn report_closed(&mut self, id: i32) {
        let closed = ToBranch::Closed(ENDPOINT, mp_core::DisconnectReason::Closed);
        let now = self.now;
        self.side(id).branch.handle_input(now, closed);
    }

    /// Advances the time. All peers are run at least once per second.
    pub fn pass(&mut self, mut time: Duration) {
        let interval = mp_scene::limits::TIMER_INTERVAL;
        while time > interval {
            self.now += interval;
            time -= interval;
            self.ids().into_iter().for_each(|id| self.flush(id));
        }
        self.now += time;
    }

    /// Delivers a packet to `to` as if `from` had sent it.
    pub fn receive(
        &mut self,
        to: i32,
        from: i32,
        mode: TransferMode,
        channel: Channel,
        payload: Bytes,
    ) {
        let from = self.connection(from);
        self.handle_event(to, PeerEvent::Packet(Packet { from, mode, channel, payload }));
    }

    /// Records the packets that a peer sends, and queues them for their targets.
    pub fn collect(&mut self, id: i32) {
        let mut batches = Vec::new();
        self.side(id).branch.deliver(&mut |_, message| {
            batches.push(message);
            Ok(())
        });
        for batch in batches {
            let packets = match batch {
                ToEndpoint::Send(packets) => packets,
                ToEndpoint::Disconnect { connection, .. } => {
                    self.disconnected.push((id, connection.slot as i32));
                    continue;
                }
                ToEndpoint::RefuseNewConnections(refuse) => {
                    self.refusing = refuse;
                    continue;
                }
                _ => continue,
            };
            for packet in packets {
                let payload = packet.joined();
                for connection in packet.to.as_slice() {
                    let to = connection.slot as i32;
                    let (mode, channel) = (packet.mode, packet.channel);
                    let hex = hex(&payload);
                    self.sent.push(Sent { from: id, to, mode, channel: channel.0, hex });
                    if let Some(target) = self.sides.get_mut(&to) {
                        target.inbox.push_back((id, mode, channel, payload.clone()));
                    }
                }
            }
        }
    }

    /// Returns the packets sent since the last call.
    pub fn take_sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// Returns the disconnects requested since the last call.
    pub fn take_disconnected(&mut self) -> Vec<(i32, i32)> {
        std::mem::take(&mut self.disconnected)
    }

    /// Undoes `take_sent`.
    pub fn put_sent(&mut self, sent: Vec<Sent>) {
        self.sent.splice(0..0, sent);
    }

    /// Returns the events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut *self.log.borrow_mut())
    }

    fn handle_event(&mut self, id: i32, event: PeerEvent) {
        let now = self.now;
        self.side(id).branch.handle_input(now, ToBranch::Events(ENDPOINT, vec![event]));
        self.collect(id);
    }

    fn side(&mut self, id: i32) -> &mut Side {
        self.sides.get_mut(&id).expect("a peer of the scenario")
    }

    fn connection(&self, other: i32) -> ConnectionId {
        ConnectionId { slot: other as u32, generation: 0 }
    }
}

fn branch(id: i32, log: &Log) -> Branch {
    let log = log.clone();
    let hook = move |scene: &mut Scene, signal: &Signal| {
        let (name, args) = match signal {
            Signal::ConnectedToServer => ("connected_to_server", vec![]),
            Signal::ConnectionFailed => ("connection_failed", vec![]),
            Signal::ServerDisconnected => ("server_disconnected", vec![]),
            Signal::PeerConnected(peer) => ("peer_connected", vec![peer.get()]),
            Signal::PeerDisconnected(peer) => ("peer_disconnected", vec![peer.get()]),
            Signal::PeerPacket { from, data } => {
                let (from, hex) = (from.get(), hex(data));
                log.borrow_mut().push(Event::Bytes { peer: id, what: "peer_packet", from, hex });
                return;
            }
            Signal::PeerAuth { from, data } => {
                let (from, hex) = (from.get(), hex(data));
                log.borrow_mut().push(Event::Bytes { peer: id, what: "auth_callback", from, hex });
                return;
            }
            Signal::PeerAuthenticating(peer) => ("peer_authenticating", vec![peer.get()]),
            Signal::PeerAuthenticationFailed(peer) => {
                ("peer_authentication_failed", vec![peer.get()])
            }
            other => {
                if let Some(event) = entities::replication_event(id, scene, other) {
                    log.borrow_mut().push(event);
                }
                return;
            }
        };
        log.borrow_mut().push(Event::Signal { peer: id, name: name.to_owned(), args });
    };
    let branch = Branch::builder(&format!("/root/P{id}")).tick_rate(1_000_000);
    branch.on_signal(hook).build().expect("the root path is valid")
}

pub fn peer_id(id: i32) -> PeerId {
    PeerId::new(id).expect("a positive id")
}

pub fn mode(name: &str) -> TransferMode {
    match name {
        "unreliable" => TransferMode::Unreliable,
        "unreliable_ordered" => TransferMode::UnreliableOrdered,
        "reliable" => TransferMode::Reliable,
        unknown => panic!("unknown transfer mode {unknown:?}"),
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(text: &str) -> Bytes {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex digits");
    (0..text.len()).step_by(2).map(digit).collect()
}
