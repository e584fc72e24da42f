//! Tests of games: a server and its clients over ENet, on a simulated network in virtual time.
//!
//! A [`TestSession`] runs the branches of the program as they are. Seconds of a game take
//! milliseconds, the network can be [slow and lossy](Link), and a seed reproduces each run.
//!
//! ```
//! use mp::prelude::*;
//! use mp::testing::{Link, TestSession};
//! use std::time::Duration;
//!
//! #[derive(Default)]
//! struct Score { points: i64 }
//!
//! impl Node for Score {
//!     fn rpc_table() -> RpcTable<Self> {
//!         RpcTable::new().method(
//!             "add",
//!             RpcConfig::any_peer(),
//!             |score: &mut Self, _cx, (points,): (i64,)| score.points += points,
//!         )
//!     }
//! }
//!
//! fn game() -> BranchBuilder {
//!     Branch::builder("/root").setup(|scene| scene.add("Score", Score::default()))
//! }
//!
//! let mut session = TestSession::new(game())?;
//! let latency = Duration::from_millis(80);
//! session.set_link(Link { latency, loss_permille: 100, ..Link::default() });
//! let client = session.join(game())?;
//! let scene = session.client(client);
//! let score = scene.find("Score")?;
//! scene.rpc_id(PeerId::SERVER, score, "add", (3,))?;
//! session.until("the points are counted", |session| {
//!     let scene = session.server();
//!     let score = scene.node::<Score>("Score").unwrap();
//!     scene.get(score).unwrap().points == 3
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use mp_core::{Instant, MultiplayerPeer, PeerId, Rng, StateMachine};
use mp_scene::{Branch, BranchBuilder, BuildError, Scene};
use mp_transport_enet::testing::{Network, Socket};
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer, ServerOptions};

pub use mp_scene::testing::{Lan, TreeSnapshot};
pub use mp_transport_enet::testing::Link;

/// A server and its clients, connected by ENet over a simulated network in virtual time.
pub struct TestSession {
    network: Network,
    rng: Rng,
    now: Instant,
    /// The server first, then the clients in the order in which they joined.
    members: Vec<Member>,
    /// Number of addresses that members have had.
    addresses: usize,
}

struct Member {
    branch: Branch,
    peer: EnetMultiplayerPeer<Socket>,
}

impl TestSession {
    /// Virtual time for which [`join`](Self::join) and [`until`](Self::until) wait.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// Maximum virtual time between two turns of a branch, as in a game at 60 frames per second.
    pub const FRAME: Duration = Duration::from_millis(16);

    /// Creates a server without clients, with the seed 1. The network is lossless and has a latency
    /// of 5 ms.
    ///
    /// # Errors
    ///
    /// If the branch cannot be built.
    pub fn new(server: BranchBuilder) -> Result<Self, BuildError> {
        Self::with_seed(1, server)
    }

    /// Creates a server without clients. The seed determines which datagrams are lost or delayed,
    /// the ids of the clients, and the [seeds](BranchBuilder::seed) of all branches.
    ///
    /// # Errors
    ///
    /// If the branch cannot be built.
    pub fn with_seed(seed: u64, server: BranchBuilder) -> Result<Self, BuildError> {
        let mut rng = Rng::seed_from_u64(seed);
        let link = Link { latency: Duration::from_millis(5), ..Link::default() };
        let network = Network::new(Rng::seed_from_u64(rng.next_u64()), link);
        let now = Instant::from_millis(1_000);
        network.advance(now);
        let options = ServerOptions::default().seed(rng.next_seed());
        let peer = EnetMultiplayerPeer::server(network.socket(address(0)), options)
            .expect("the default options are valid");
        let branch = server.seed(rng.next_seed()).build()?;
        let members = vec![Member { branch, peer }];
        Ok(Self { network, rng, now, members, addresses: 1 })
    }

    /// Sets the latency, jitter and losses of the network, for datagrams sent from now on.
    pub fn set_link(&mut self, link: Link) {
        self.network.set_link(link);
    }

    /// Adds a client and waits until it is connected.
    ///
    /// # Errors
    ///
    /// If the branch cannot be built.
    ///
    /// # Panics
    ///
    /// If the client is not connected within [`TIMEOUT`](Self::TIMEOUT).
    #[track_caller]
    pub fn join(&mut self, client: BranchBuilder) -> Result<PeerId, BuildError> {
        let id = self.connect(client)?;
        self.until("a client is connected to the server", |session| {
            let is_known = session.server().multiplayer().has_peer(id);
            is_known && session.client(id).multiplayer().has_peer(PeerId::SERVER)
        });
        Ok(id)
    }

    /// Adds a client, which connects while the session runs.
    ///
    /// # Errors
    ///
    /// If the branch cannot be built.
    pub fn connect(&mut self, client: BranchBuilder) -> Result<PeerId, BuildError> {
        let socket = self.network.socket(address(self.addresses));
        self.addresses += 1;
        let options = ClientOptions::default().seed(self.rng.next_seed());
        let peer = EnetMultiplayerPeer::client(socket, address(0), options)
            .expect("the default options are valid");
        let id = peer.unique_id();
        let branch = client.seed(self.rng.next_seed()).build()?;
        self.members.push(Member { branch, peer });
        Ok(id)
    }

    /// Runs the session for `duration` of virtual time.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.step(end);
        }
    }

    /// Runs the session until `condition` holds, which is evaluated after each turn.
    ///
    /// # Panics
    ///
    /// If it does not hold within [`TIMEOUT`](Self::TIMEOUT), with `what` and the trees of the
    /// server and the clients.
    #[track_caller]
    pub fn until(&mut self, what: &str, condition: impl FnMut(&mut Self) -> bool) {
        if !self.until_timeout(Self::TIMEOUT, condition) {
            let mut trees = String::new();
            for Member { branch, peer } in &mut self.members {
                let nodes = TreeSnapshot::of(branch.scene(), ".");
                trees += &format!("\npeer {}: {nodes:#?}", peer.unique_id());
            }
            panic!("did not happen within {:?}: {what}{trees}", Self::TIMEOUT);
        }
    }

    /// Runs the session until `condition` holds, for at most `timeout` of virtual time; returns
    /// whether it holds.
    pub fn until_timeout(
        &mut self,
        timeout: Duration,
        mut condition: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let end = self.now + timeout;
        while !condition(self) {
            if self.now >= end {
                return false;
            }
            self.step(end);
        }
        true
    }

    /// Checks that the nodes below `path` are the same on the server and on a client, with the same
    /// values of the properties that both list.
    ///
    /// # Panics
    ///
    /// If they differ, with one line per difference.
    #[track_caller]
    pub fn assert_same_nodes(&mut self, client: PeerId, path: &str) {
        let differences = self.differences(client, path);
        assert!(
            differences.is_empty(),
            "{path} differs between the server (left) and client {client} (right):\n{}",
            differences.join("\n")
        );
    }

    /// Returns the differences that [`assert_same_nodes`](Self::assert_same_nodes) prints.
    pub fn differences(&mut self, client: PeerId, path: &str) -> Vec<String> {
        match (TreeSnapshot::of(self.server(), path), TreeSnapshot::of(self.client(client), path)) {
            (Ok(server), Ok(client)) => server.differences(&client),
            (Err(error), _) => vec![format!("the server: {error}")],
            (_, Err(error)) => vec![format!("the client: {error}")],
        }
    }

    /// Returns the server's scene. Calls that the program makes are sent in the next turn.
    pub fn server(&mut self) -> &mut Scene {
        self.members[0].branch.scene()
    }

    /// Returns a client's scene.
    ///
    /// # Panics
    ///
    /// If there is no such client.
    #[track_caller]
    pub fn client(&mut self, id: PeerId) -> &mut Scene {
        let clients = self.members.iter_mut().skip(1);
        let member = clients.into_iter().find(|member| member.peer.unique_id() == id);
        member.unwrap_or_else(|| panic!("there is no client {id}")).branch.scene()
    }

    /// Returns the ids of the clients in the order in which they joined.
    pub fn clients(&self) -> Vec<PeerId> {
        self.members.iter().skip(1).map(|member| member.peer.unique_id()).collect()
    }

    /// Removes a client without notice, as if its computer was switched off. The server notices
    /// after its timeout.
    ///
    /// # Panics
    ///
    /// If there is no such client.
    #[track_caller]
    pub fn drop_client(&mut self, id: PeerId) {
        self.client(id);
        self.members.retain(|member| member.peer.unique_id() != id);
    }

    /// Returns the virtual time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Advances to the next time at which something is due, at most to `end`, and runs one turn of
    /// all branches.
    fn step(&mut self, end: Instant) {
        let due = self.members.iter().flat_map(|Member { branch, peer }| {
            branch.poll_timeout().into_iter().chain(peer.poll_timeout())
        });
        let next = due.chain(self.network.next_arrival()).min();
        let earliest = self.now + Duration::from_millis(1);
        let latest = end.min(self.now + Self::FRAME).max(earliest);
        self.now = next.unwrap_or(latest).clamp(earliest, latest);
        self.network.advance(self.now);
        for Member { branch, peer } in &mut self.members {
            branch.poll(peer, self.now);
        }
    }
}

impl fmt::Debug for TestSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSession")
            .field("now", &self.now)
            .field("clients", &self.clients())
            .finish_non_exhaustive()
    }
}

/// Returns the address of a member.
fn address(index: usize) -> SocketAddr {
    let [a, b] = u16::try_from(index).unwrap_or(u16::MAX).to_be_bytes();
    SocketAddr::from(([10, 0, a, b], 7777))
}
