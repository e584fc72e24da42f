//! A server and its clients in one thread under virtual time, for tests of games and of mp.

mod snapshot;

pub use snapshot::TreeSnapshot;

use std::time::Duration;

use mp_core::memory::MemoryMultiplayerPeer;
use mp_core::{Instant, PeerId, Rng};

use crate::{Branch, BranchBuilder, BuildError, Scene};

/// A server with clients, connected within the process. No packet is lost; packets sent in one
/// [`step`](Self::step) are received in the next. The [seeds](BranchBuilder::seed) of the branches
/// are constant.
///
/// ```
/// use mp_scene::prelude::*;
/// use mp_scene::testing::Lan;
///
/// let game = || Branch::builder("/root/Game");
/// let mut lan = Lan::new(game())?;
/// let alice = lan.join(game())?;
/// let bob = lan.join(game())?;
/// lan.settle();
/// assert_eq!(lan.scene(alice).peers(), [PeerId::SERVER, bob]);
/// # Ok::<(), mp_scene::BuildError>(())
/// ```
#[derive(Debug)]
pub struct Lan {
    now: Instant,
    /// The server first, then the clients by id.
    peers: Vec<(Branch, MemoryMultiplayerPeer)>,
}

impl Lan {
    /// Virtual time between two steps.
    pub const STEP: Duration = Duration::from_millis(5);

    /// Creates a server without clients.
    ///
    /// # Errors
    ///
    /// If the branch cannot be built.
    pub fn new(server: BranchBuilder) -> Result<Self, BuildError> {
        let server = (server.seed(seed_of(1)).build()?, MemoryMultiplayerPeer::server());
        Ok(Self { now: Instant::from_millis(1_000), peers: vec![server] })
    }

    /// Adds a client, which connects at the next step. Ids count up from 2.
    ///
    /// # Errors
    ///
    /// If the branch cannot be built.
    ///
    /// # Panics
    ///
    /// With more than 2³¹ − 2 clients, since there are no more ids.
    pub fn join(&mut self, client: BranchBuilder) -> Result<PeerId, BuildError> {
        let number = self.peers.len() + 1;
        let branch = client.seed(seed_of(number)).build()?;
        let raw = i32::try_from(number).ok();
        let id = raw.and_then(PeerId::new).expect("there are 2³¹ − 2 ids of clients");
        let peer = self.peers[0].1.address().connect(id);
        self.peers.push((branch, peer));
        Ok(id)
    }

    /// Runs one turn of all peers, in the order of their ids.
    pub fn step(&mut self) {
        self.now += Self::STEP;
        for (branch, peer) in &mut self.peers {
            branch.poll(peer, self.now);
        }
    }

    /// Runs one turn of one peer.
    ///
    /// # Panics
    ///
    /// As [`branch`](Self::branch).
    pub fn step_peer(&mut self, id: PeerId) {
        self.now += Self::STEP;
        let now = self.now;
        let (branch, peer) = self.entry(id);
        branch.poll(peer, now);
    }

    /// Runs 16 steps: enough for all packets sent so far and a few replies to them.
    pub fn settle(&mut self) {
        for _ in 0..16 {
            self.step();
        }
    }

    /// Returns the branch of peer `id`.
    ///
    /// # Panics
    ///
    /// If there is no such peer.
    pub fn branch(&mut self, id: PeerId) -> &mut Branch {
        &mut self.entry(id).0
    }

    /// Returns the scene of peer `id`.
    ///
    /// # Panics
    ///
    /// As [`branch`](Self::branch).
    pub fn scene(&mut self, id: PeerId) -> &mut Scene {
        self.branch(id).scene()
    }

    /// Returns the transport of peer `id`.
    ///
    /// # Panics
    ///
    /// As [`branch`](Self::branch).
    pub fn peer(&mut self, id: PeerId) -> &mut MemoryMultiplayerPeer {
        &mut self.entry(id).1
    }

    fn entry(&mut self, id: PeerId) -> &mut (Branch, MemoryMultiplayerPeer) {
        &mut self.peers[id.get() as usize - 1]
    }
}

/// Returns the seed of the branch with a peer id.
fn seed_of(id: usize) -> [u8; 32] {
    Rng::seed_from_u64(id as u64).next_seed()
}
