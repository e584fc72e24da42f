//! The room, the game, and the program between them.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::{
    Channel, CloseMode, ConnectionId, DisconnectReason, Instant, MemoryMultiplayerPeer,
    MultiplayerPeer, OutgoingPacket, PeerEvent, Prefix, TransferMode,
};
use mp_scene::prelude::*;
use mp_scene::testing::Lan;
use mp_tunnel::{HostOutput, LinkEvent, TunnelHost, TunnelSeat, TunnelStats};

pub(crate) const SERVER: PeerId = PeerId::SERVER;

/// The id of the host's connection to the room.
pub(crate) const HOST: PeerId = peer(1_000);

/// Time in which the host can resume its session.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

pub(crate) const fn peer(id: i32) -> PeerId {
    PeerId::new(id).expect("a peer id")
}

#[derive(Default)]
pub(crate) struct Unit {
    pub(crate) hp: i64,
    /// Senders and numbers of the calls.
    pub(crate) calls: Vec<(i32, i64)>,
}

impl Node for Unit {
    fn rpc_table() -> RpcTable<Self> {
        fn ask(unit: &mut Unit, cx: &mut RpcContext<'_>, (number,): (i64,)) {
            unit.calls.push((cx.remote_sender().get(), number));
        }
        RpcTable::new().method("ask", RpcConfig::any_peer(), ask)
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("hp", |unit: &mut Self| &mut unit.hp)
    }
}

fn unit() -> PackedScene {
    let sync = || MultiplayerSynchronizer::new(ReplicationConfig::new().on_change(".:hp"));
    PackedScene::new("res://unit.tscn", move || {
        Instance::new("Unit", Unit::default()).child(Instance::new("Sync", sync()))
    })
}

/// The game, as its server and its clients run it.
pub(crate) fn game() -> BranchBuilder {
    Branch::builder("/root/Game").tick_rate(1_000).setup(|scene| {
        scene.add("Units", Group)?;
        scene.add("Spawner", MultiplayerSpawner::new("../Units").with_scene(&unit()))?;
        scene.add_instance(".", unit().instantiate().named("Flag"))?;
        Ok::<_, mp_scene::SetupError>(())
    })
}

/// Returns a room whose host has the id [`HOST`].
fn room() -> Lan {
    let seat = TunnelSeat::new([7; 32], GRACE, |peer| peer.get() >= HOST.get());
    Lan::new(Branch::builder("/root").relay_policy(seat)).unwrap()
}

/// A connection of the program, or of a client without a scene.
pub(crate) struct Raw {
    transport: MemoryMultiplayerPeer,
    pub(crate) connection: Option<ConnectionId>,
}

impl Raw {
    pub(crate) fn connect(lan: &mut Lan, id: PeerId) -> Self {
        Self { transport: lan.peer(SERVER).address().connect(id), connection: None }
    }

    pub(crate) fn events(&mut self) -> Vec<PeerEvent> {
        self.transport.poll(Instant::ZERO);
        let events: Vec<_> = std::iter::from_fn(|| self.transport.next_event()).collect();
        for event in &events {
            if let PeerEvent::Connected { connection, .. } = event {
                self.connection = Some(*connection);
            }
        }
        events
    }

    pub(crate) fn send(&mut self, mode: TransferMode, channel: Channel, payload: bytes::Bytes) {
        let (to, prefix) = (self.connection.unwrap().into(), Prefix::EMPTY);
        self.transport.send(OutgoingPacket { to, mode, channel, prefix, payload }).unwrap();
        self.transport.flush(Instant::ZERO);
    }

    /// Closes the connection at once, without a frame.
    pub(crate) fn cut(mut self) {
        self.transport.close();
        self.transport.flush(Instant::ZERO);
    }

    fn drain(&mut self) {
        if let Some(connection) = self.connection {
            self.transport.disconnect(connection, DisconnectReason::Closed, CloseMode::Drain);
        }
        self.transport.flush(Instant::ZERO);
    }
}

/// The room with its guests, the game with its players, and the program between.
pub(crate) struct World {
    pub(crate) room: Lan,
    pub(crate) game: Lan,
    pub(crate) host: TunnelHost,
    pub(crate) link: Option<Raw>,
    games: BTreeMap<u32, Raw>,
    pub(crate) events: Vec<LinkEvent>,
    pub(crate) now: Instant,
}

impl World {
    /// Returns a world without guests whose room is hosted.
    pub(crate) fn new() -> Self {
        let mut world = Self {
            room: room(),
            game: Lan::new(game()).unwrap(),
            host: TunnelHost::new(),
            link: None,
            games: BTreeMap::new(),
            events: Vec::new(),
            now: Instant::from_millis(1_000),
        };
        world.dial();
        world.settle();
        assert!(world.host.is_hosting());
        world
    }

    pub(crate) fn dial(&mut self) {
        self.link = Some(Raw::connect(&mut self.room, HOST));
    }

    /// Loses the link.
    pub(crate) fn cut(&mut self) {
        self.link.take().expect("a link").cut();
        self.host.link_lost(self.now);
    }

    /// Replaces the program by a new one, whose predecessor was killed.
    pub(crate) fn restart(&mut self) {
        self.link.take().expect("a link").cut();
        for (_, game) in std::mem::take(&mut self.games) {
            game.cut();
        }
        self.host = TunnelHost::new();
    }

    pub(crate) fn step(&mut self) {
        self.now += Lan::STEP;
        self.room.step();
        self.pump();
        self.game.step();
        self.pump();
    }

    pub(crate) fn settle(&mut self) {
        for _ in 0..24 {
            self.step();
        }
    }

    /// Lets a guest join.
    pub(crate) fn join(&mut self) -> PeerId {
        let id = self.room.join(game()).unwrap();
        self.settle();
        id
    }

    pub(crate) fn stats(&mut self) -> TunnelStats {
        let seat: &TunnelSeat = self.room.scene(SERVER).multiplayer().relay_policy().unwrap();
        seat.stats()
    }

    fn pump(&mut self) {
        let events = self.link.as_mut().map(Raw::events).unwrap_or_default();
        for event in events {
            match event {
                PeerEvent::Connected { .. } => self.host.link_connected(self.now),
                PeerEvent::Packet(packet) => self.host.link_packet(packet.payload),
                PeerEvent::Disconnected { .. } => {
                    self.link = None;
                    self.host.link_lost(self.now);
                }
                _ => {}
            }
            self.run_outputs();
        }
        for guest in self.games.keys().copied().collect::<Vec<_>>() {
            let Some(game) = self.games.get_mut(&guest) else { continue };
            for event in game.events() {
                match event {
                    PeerEvent::Connected { .. } => self.host.game_connected(guest),
                    PeerEvent::Packet(packet) => {
                        self.host.game_packet(guest, packet.mode, packet.channel, packet.payload);
                    }
                    PeerEvent::Disconnected { .. } => self.host.game_closed(guest, false),
                    _ => {}
                }
            }
        }
        self.host.handle_timeout(self.now);
        self.run_outputs();
    }

    fn run_outputs(&mut self) {
        while let Some(output) = self.host.next_output() {
            match output {
                HostOutput::ToLink { mode, frame } => {
                    if let Some(link) = &mut self.link {
                        link.send(mode, Channel(0), frame);
                    }
                }
                HostOutput::CloseLink => {
                    if let Some(link) = &mut self.link {
                        link.drain();
                    }
                }
                HostOutput::Connect { guest, id } => {
                    let raw = Raw::connect(&mut self.game, id);
                    assert!(self.games.insert(guest, raw).is_none());
                }
                HostOutput::ToGame { guest, mode, channel, payload } => {
                    self.games.get_mut(&guest).unwrap().send(mode, channel, payload);
                }
                HostOutput::Disconnect { guest } => {
                    if let Some(mut game) = self.games.remove(&guest) {
                        game.drain();
                    }
                }
                HostOutput::Pause { .. } => {}
                HostOutput::Event(event) => self.events.push(event),
            }
        }
    }
}

/// Calls `ask` of `path`.
pub(crate) fn call(lan: &mut Lan, from: PeerId, to: PeerId, path: &str, number: i64) {
    let scene = lan.scene(from);
    let node = scene.find(path).unwrap();
    scene.rpc_id(to, node, "ask", (number,)).unwrap();
}

pub(crate) fn unit_at<'l>(lan: &'l mut Lan, id: PeerId, path: &str) -> &'l mut Unit {
    let scene = lan.scene(id);
    let node = scene.find(path).unwrap();
    scene.get_mut(NodeRef::new(node)).unwrap()
}

/// Returns the calls that a peer's flag has received, and forgets them.
pub(crate) fn calls(lan: &mut Lan, id: PeerId) -> Vec<(i32, i64)> {
    std::mem::take(&mut unit_at(lan, id, "Flag").calls)
}

/// Adds a unit at the server of the game.
pub(crate) fn spawn(lan: &mut Lan, name: &str, hp: i64) {
    let scene = lan.scene(SERVER);
    let node = scene.add_instance("Units", unit().instantiate().named(name)).unwrap();
    scene.get_mut(NodeRef::<Unit>::new(node)).unwrap().hp = hp;
}

/// Returns the signals of a peer since the last call.
pub(crate) fn signals(lan: &mut Lan, id: PeerId) -> Vec<Signal> {
    std::iter::from_fn(|| lan.branch(id).next_signal()).collect()
}
