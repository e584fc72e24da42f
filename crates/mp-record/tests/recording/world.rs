//! A recorded room with clients in one thread, under virtual time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mp_core::memory::{MemoryAddress, MemoryMultiplayerPeer};
use mp_core::{BranchId, Endpoint, EndpointId, Instant, Rng, ToBranch, ToEndpoint};
use mp_host::{BranchHost, BranchRecorder, EndpointHost, LocalMailbox, Recorded};
use mp_record::{
    BlockSink, BlockWriter, Facts, RecordedBlock, Recording, RecordingEnd, RecordingError,
    RecordingHeader, RecordingReader, Replay, end_block,
};
use mp_relay::{HostSeat, Migration};
use mp_scene::prelude::*;
use mp_scene::{BuildError, SetupError};

const BRANCH: BranchId = BranchId(0);

/// The kind of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// The room is peer 1 and relays.
    Relay,
    /// A client is peer 1 for the others, if the program allows it.
    Hosted,
    /// Same as [`Hosted`](Self::Hosted), and another client takes the place of one that leaves.
    Migrating,
}

/// Question about a peer: may it be the host?
const MAY_HOST: u64 = 1 << 32;

/// Builds a room. `allows` is the program's answer for peers.
pub fn room(kind: Room, seed: [u8; 32], facts: &Facts, allows: fn(PeerId) -> bool) -> Branch {
    let builder = Branch::builder("/root").seed(seed);
    let facts = facts.clone();
    let may_host = move |peer: PeerId| {
        facts.ask(MAY_HOST | peer.get() as u64, || u64::from(allows(peer))) == 1
    };
    match kind {
        Room::Relay => builder.build().unwrap(),
        Room::Hosted => builder.relay_policy(HostSeat::with_rule(may_host)).build().unwrap(),
        Room::Migrating => {
            let migration = Migration::with_packet("host").grace(Duration::from_millis(40));
            let seat = HostSeat::with_rule(may_host).migration(migration);
            builder.relay_policy(seat).build().unwrap()
        }
    }
}

/// A file in memory. Clones are the same file.
#[derive(Clone, Default)]
pub struct File {
    pub bytes: Arc<Mutex<Vec<u8>>>,
    /// Number of blocks after which the writer is slow.
    pub accepts: Option<usize>,
    /// Positions of the blocks with which a replay can start.
    pub starts: Arc<Mutex<Vec<usize>>>,
    /// Time between two of them.
    pub interval: Option<Duration>,
    /// True if the recording is started later.
    pub is_idle: bool,
}

impl BlockSink for File {
    fn accept(&mut self, block: RecordedBlock) -> bool {
        if self.accepts == Some(0) {
            return false;
        }
        self.accepts = self.accepts.map(|left| left - 1);
        let bytes = BlockWriter::new().unwrap().encode(&block.bytes).unwrap();
        let mut file = self.bytes.lock().unwrap();
        if block.is_start {
            self.starts.lock().unwrap().push(file.len());
        }
        file.extend(bytes);
        true
    }
}

pub struct World {
    pub now: Instant,
    recording: Recording,
    file: File,
    branch: Recorded<Branch>,
    endpoint: Endpoint<MemoryMultiplayerPeer>,
    address: MemoryAddress,
    branch_host: BranchHost<LocalMailbox<ToEndpoint>>,
    endpoint_host: EndpointHost<LocalMailbox<ToBranch>>,
    to_branch: LocalMailbox<ToBranch>,
    to_endpoint: LocalMailbox<ToEndpoint>,
    pub clients: Vec<(PeerId, Branch, MemoryMultiplayerPeer)>,
    next_id: i32,
}

pub const SEED: [u8; 32] = [7; 32];

impl World {
    pub fn new(kind: Room, file: File) -> Self {
        let header =
            RecordingHeader { seed: SEED, kind: format!("{kind:?}"), ..RecordingHeader::default() };
        file.bytes.lock().unwrap().extend(header.encode().unwrap());
        let sink = Box::new(file.clone());
        let recording = match file.interval {
            interval if file.is_idle => Recording::idle(interval),
            None => Recording::new(sink),
            Some(interval) => Recording::ring(sink, interval),
        };
        // Peer 2 does not host, so that a replay depends on the answer.
        let facts = Facts::recorded(recording.clone());
        let branch = room(kind, SEED, &facts, |peer| peer.get() != 2);
        let recorder: Box<dyn BranchRecorder> = Box::new(recording.clone());
        let peer = MemoryMultiplayerPeer::server();
        let address = peer.address();
        let to_branch = LocalMailbox::unbounded();
        let to_endpoint = LocalMailbox::unbounded();
        let mut endpoint = Endpoint::new(EndpointId(0), peer, BRANCH);
        let (mut endpoint_host, mut branch_host) = (EndpointHost::new(), BranchHost::new());
        endpoint_host.serve(&mut endpoint, BRANCH, to_branch.clone());
        branch_host.attach(EndpointId(0), to_endpoint.clone());
        let branch = Recorded::new(branch, Some(recorder));
        let (now, clients, next_id) = (Instant::from_millis(90_000), Vec::new(), 2);
        Self {
            now,
            recording,
            file,
            branch,
            endpoint,
            address,
            branch_host,
            endpoint_host,
            to_branch,
            to_endpoint,
            clients,
            next_id,
        }
    }

    pub fn join(&mut self) -> PeerId {
        let id = PeerId::new(self.next_id).unwrap();
        self.next_id += 1;
        let branch = game().seed([id.get() as u8; 32]).build().unwrap();
        self.clients.push((id, branch, self.address.connect(id)));
        id
    }

    pub fn leave(&mut self, index: usize) {
        let (_, _, mut peer) = self.clients.swap_remove(index);
        mp_core::MultiplayerPeer::close(&mut peer);
    }

    pub fn step(&mut self) {
        self.now += Duration::from_millis(5);
        let now = self.now;
        let mut has_more = true;
        while has_more {
            has_more = self.endpoint.receive(now);
            self.deliver();
        }
        let _ = self.branch_host.turn(&mut self.branch, now);
        while let Some(message) = self.to_endpoint.pop() {
            self.endpoint_host.handle_input(&mut self.endpoint, now, BRANCH, message);
        }
        self.endpoint.finish_turn(now);
        self.deliver();
        for (_, branch, peer) in &mut self.clients {
            branch.poll(peer, now);
        }
    }

    fn deliver(&mut self) {
        self.endpoint_host.deliver(&mut self.endpoint, self.now);
        while let Some(message) = self.to_branch.pop() {
            self.branch_host.handle_input(&mut self.branch, self.now, message);
        }
    }

    pub fn settle(&mut self) {
        (0..16).for_each(|_| self.step());
    }

    /// Calls the room outside its turn.
    pub fn call(&mut self, call: impl FnOnce(&mut Scene)) {
        let now = self.now;
        call(self.branch.call(now).scene());
    }

    /// Starts a recording to `file`, which has a header.
    pub fn start(&mut self, file: &File) {
        let header = self.file.bytes.lock().unwrap().clone();
        file.bytes.lock().unwrap().extend(header);
        assert!(self.recording.start(Box::new(file.clone())));
    }

    pub fn stop(&mut self) -> bool {
        self.recording.stop()
    }

    pub fn is_recording(&self) -> bool {
        self.recording.is_active()
    }

    /// Ends the room, and returns its file.
    pub fn finish(self, end: RecordingEnd) -> Vec<u8> {
        let Self { file, branch, recording, now, .. } = self;
        drop((branch, recording));
        let end = BlockWriter::new().unwrap().encode(&end_block(now, end)).unwrap();
        let mut bytes = file.bytes.lock().unwrap().clone();
        bytes.extend(end);
        bytes
    }
}

/// A node with a method and two properties.
#[derive(Default)]
pub struct Unit {
    pub hp: i64,
    pub steps: i64,
}

impl Node for Unit {
    fn rpc_table() -> RpcTable<Self> {
        fn hit(unit: &mut Unit, _: &mut RpcContext<'_>, (hp,): (i64,)) {
            unit.hp = hp;
        }
        RpcTable::new().method("hit", RpcConfig::any_peer(), hit)
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("hp", |unit: &mut Self| &mut unit.hp)
            .property("steps", |unit: &mut Self| &mut unit.steps)
    }
}

pub fn unit() -> PackedScene {
    PackedScene::new("res://unit.tscn", || {
        let config = ReplicationConfig::new().on_change(".:hp").always(".:steps");
        let sync = Instance::new("Sync", MultiplayerSynchronizer::new(config));
        Instance::new("Unit", Unit::default()).child(sync)
    })
}

pub fn game() -> BranchBuilder {
    Branch::builder("/root").tick_rate(100).setup(|scene| {
        scene.add("Units", Group)?;
        scene.add("Spawner", MultiplayerSpawner::new("../Units").with_scene(&unit()))?;
        scene.add_instance(".", unit().instantiate().named("Flag"))?;
        Ok::<_, SetupError>(())
    })
}

/// Plays a random session: clients join, call, chat, spawn and leave.
pub fn play(world: &mut World, seed: u64, steps: u64) {
    let mut rng = Rng::seed_from_u64(seed);
    let mut spawned = 0;
    for number in 0..steps {
        let index = rng.below(world.clients.len().max(1) as u64) as usize;
        match rng.below(7) {
            0 if world.clients.len() < 6 => drop(world.join()),
            1 if world.clients.len() > 3 => world.leave(index),
            2 => chat(world, index, format!("message {number}").as_bytes()),
            3 | 4 => {
                if let Some((id, branch, _)) = world.clients.get_mut(index) {
                    let id = *id;
                    spawned += 1;
                    let scene = branch.scene();
                    let spawner = scene.find("Spawner").unwrap();
                    scene.tree_mut().set_multiplayer_authority(spawner, id, true).unwrap();
                    let name = format!("Unit{seed}x{spawned}");
                    let node =
                        scene.add_instance("Units", unit().instantiate().named(&name)).unwrap();
                    scene.tree_mut().set_multiplayer_authority(node, id, true).unwrap();
                }
            }
            _ => {
                if let Some((_, branch, _)) = world.clients.get_mut(index) {
                    let flag = branch.scene().find("Flag").unwrap();
                    let _ = branch.scene().rpc(flag, "hit", (number as i64,));
                }
            }
        }
        (0..rng.below(4)).for_each(|_| world.step());
    }
    world.settle();
}

/// Sends a raw packet of a client to all others.
pub fn chat(world: &mut World, index: usize, text: &[u8]) {
    if let Some((_, branch, _)) = world.clients.get_mut(index) {
        let _ = branch.scene().send_bytes(text, Target::All, TransferMode::Reliable, Channel(0));
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// Starts the replay of a file, for a program whose answers are not those of the recorded one.
pub fn replay(file: &[u8]) -> Result<Replay<&[u8], Branch>, ReplayError> {
    open(file)
}

/// Same as [`replay`], from any source.
pub fn open<R: std::io::Read>(source: R) -> Result<Replay<R, Branch>, ReplayError> {
    Replay::new(RecordingReader::new(source)?, |header, facts| {
        let kind = match &*header.kind {
            "Hosted" => Room::Hosted,
            "Migrating" => Room::Migrating,
            _ => Room::Relay,
        };
        Ok(room(kind, header.seed, &facts, |_| unreachable!("the recording has the answer")))
    })
}
