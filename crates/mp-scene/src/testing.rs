//! A server and its clients in one thread, under virtual time: for tests of games and of mp itself.

use std::time::Duration;

use mp_core::memory::MemoryMultiplayerPeer;
use mp_core::{Instant, PeerId};

use crate::{Branch, BranchBuilder, BuildError, Scene};

/// A server with clients, joined by pipes within the process. Nothing is lost; what is sent in one
/// [`step`](Self::step) arrives in the next.
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
    sides: Vec<(Branch, MemoryMultiplayerPeer)>,
}

impl Lan {
    /// Time between two steps.
    pub const STEP: Duration = Duration::from_millis(5);

    /// A server alone.
    ///
    /// # Errors
    ///
    /// When the branch cannot be built.
    pub fn new(server: BranchBuilder) -> Result<Self, BuildError> {
        let server = (server.build()?, MemoryMultiplayerPeer::server());
        Ok(Self { now: Instant::from_millis(1_000), sides: vec![server] })
    }

    /// One more client, which asks to join at the next step. Ids count up from 2.
    ///
    /// # Errors
    ///
    /// When the branch cannot be built.
    ///
    /// # Panics
    ///
    /// With more than 2³¹ − 2 clients, which have no ids left.
    pub fn join(&mut self, client: BranchBuilder) -> Result<PeerId, BuildError> {
        let branch = client.build()?;
        let raw = i32::try_from(self.sides.len() + 1).ok();
        let id = raw.and_then(PeerId::new).expect("there are 2³¹ − 2 ids of clients");
        let peer = self.sides[0].1.address().connect(id);
        self.sides.push((branch, peer));
        Ok(id)
    }

    /// One turn of every side, in the order of their ids.
    pub fn step(&mut self) {
        self.now += Self::STEP;
        for (branch, peer) in &mut self.sides {
            branch.poll(peer, self.now);
        }
    }

    /// One turn of one side, without any time going by for the others.
    ///
    /// # Panics
    ///
    /// As [`branch`](Self::branch).
    pub fn step_side(&mut self, id: PeerId) {
        self.now += Self::STEP;
        let now = self.now;
        let (branch, peer) = self.side(id);
        branch.poll(peer, now);
    }

    /// As many steps as anything sent now, and a few answers to it, take.
    pub fn settle(&mut self) {
        for _ in 0..16 {
            self.step();
        }
    }

    /// The branch of peer `id`.
    ///
    /// # Panics
    ///
    /// When there is no such peer: this is for tests.
    pub fn branch(&mut self, id: PeerId) -> &mut Branch {
        &mut self.side(id).0
    }

    /// The scene of peer `id`.
    ///
    /// # Panics
    ///
    /// As [`branch`](Self::branch).
    pub fn scene(&mut self, id: PeerId) -> &mut Scene {
        self.branch(id).scene()
    }

    /// The transport of peer `id`.
    ///
    /// # Panics
    ///
    /// As [`branch`](Self::branch).
    pub fn peer(&mut self, id: PeerId) -> &mut MemoryMultiplayerPeer {
        &mut self.side(id).1
    }

    fn side(&mut self, id: PeerId) -> &mut (Branch, MemoryMultiplayerPeer) {
        &mut self.sides[id.get() as usize - 1]
    }
}
