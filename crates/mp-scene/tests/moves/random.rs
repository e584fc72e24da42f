//! Random moves, changes and calls, with turns in random order. A seed reproduces a world.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use mp_core::{BranchId, PeerId, Rng};
use mp_scene::prelude::*;

use crate::world::*;

const CLIENTS: usize = 4;
const STEPS: usize = 300;
const SEEDS: u64 = 100;

/// Sessions of a client with each other client so far, and packets that belong to another one.
#[derive(Default)]
struct Sessions {
    begun: BTreeMap<PeerId, u8>,
    wrong: Vec<String>,
}

/// Returns a client that counts its sessions with others. A packet contains its sender's count.
fn client(sessions: &Rc<RefCell<Sessions>>) -> BranchBuilder {
    let (counting, checking) = (Rc::clone(sessions), Rc::clone(sessions));
    game()
        .on_peer_connected(move |_, peer| {
            let mut sessions = counting.borrow_mut();
            let begun = sessions.begun.entry(peer).or_default();
            *begun = begun.wrapping_add(1);
        })
        .on_peer_packet(move |_, from, data| {
            let mut sessions = checking.borrow_mut();
            let own = sessions.begun.get(&from).copied();
            if own != Some(data[0]) {
                sessions.wrong.push(format!("from {from}: {data:?}, own count {own:?}"));
            }
        })
}

struct Game {
    world: World,
    rng: Rng,
    clients: Vec<(PeerId, Rc<RefCell<Sessions>>)>,
    units: usize,
}

impl Game {
    fn new(seed: u64) -> Self {
        let mut world = World::new();
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let sessions = Rc::default();
            clients.push((world.join_with(client(&sessions)), sessions));
        }
        world.add_unit(LOBBY, "Lobby", 0);
        world.add_unit(ARENA, "Arena", 0);
        world.settle();
        Self { world, rng: Rng::seed_from_u64(seed), clients, units: 0 }
    }

    fn below(&mut self, end: usize) -> usize {
        self.rng.below(end as u64) as usize
    }

    fn any_branch(&mut self) -> BranchId {
        [LOBBY, ARENA][self.below(2)]
    }

    fn step(&mut self) {
        let index = self.below(CLIENTS);
        let (client, sessions) = (self.clients[index].0, Rc::clone(&self.clients[index].1));
        match self.below(12) {
            0 => {
                let (from, to) = match self.any_branch() {
                    LOBBY => (LOBBY, ARENA),
                    _ => (ARENA, LOBBY),
                };
                // Fails if the peer is elsewhere, or is moving.
                if self.world.branch(to).expect_peer(client).is_ok()
                    && self.world.branch(from).move_peer(client, to).is_err()
                {
                    self.world.branch(to).cancel_expected(client);
                }
            }
            1 => {
                let (branch, name) = (self.any_branch(), format!("Unit{}", self.units));
                self.units += 1;
                self.world.add_unit(branch, &name, self.units as i64);
            }
            2 => {
                let branch = self.any_branch();
                let scene = self.world.scene(branch);
                let units = scene.find("Units").unwrap();
                let last = scene.tree().children(units).nth(1);
                last.map(|unit| scene.tree_mut().remove(unit).unwrap());
            }
            3 => {
                let (branch, hp) = (self.any_branch(), self.below(100) as i64);
                unit_in(self.world.scene(branch), "Shared").hp = hp;
            }
            4 => self.call(client),
            5 => {
                let other = self.below(CLIENTS);
                let other = self.clients[other].0;
                let scene = self.world.client(client);
                if other != client && scene.peers().contains(&other) {
                    let count = sessions.borrow().begun[&other];
                    let (mode, channel) = (TransferMode::Reliable, Channel(0));
                    scene.send_bytes(&[count], other, mode, channel).unwrap();
                }
            }
            6..=8 => self.world.server_turn(),
            _ => self.world.client_turn(client),
        }
    }

    /// Calls the server with the number of the branch whose nodes the client has.
    fn call(&mut self, client: PeerId) {
        let scene = self.world.client(client);
        let has = |name: &str| scene.find(&format!("Units/{name}")).is_ok();
        let number = match (has("Lobby"), has("Arena")) {
            (true, true) => panic!("client {client} has nodes of both branches"),
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => return,
        };
        let node = scene.find("Shared").unwrap();
        scene.rpc_id(SERVER, node, "poke", (number,)).unwrap();
    }

    /// Checks that each client has exactly what its branch has.
    fn check(&mut self) {
        self.world.settle();
        self.world.settle();
        for (branch, number) in [(LOBBY, 1), (ARENA, 2)] {
            let scene = self.world.scene(branch);
            let called = std::mem::take(&mut unit_in(scene, "Shared").called);
            assert!(called.iter().all(|it| *it == number), "{branch:?} received {called:?}");
            let hp = unit_in(scene, "Shared").hp;
            let (units, peers) = (units_in(scene), scene.peers());
            for &peer in &peers {
                assert_eq!(self.world.units_at(peer), units, "{peer} in {branch:?}");
                assert_eq!(unit_in(self.world.client(peer), "Shared").hp, hp, "{peer}");
                let mut known = self.world.client(peer).peers();
                let mut expected = peers.clone();
                expected.retain(|other| *other != peer);
                expected.push(SERVER);
                known.sort();
                expected.sort();
                assert_eq!(known, expected, "peers of {peer}");
            }
            let stats = self.world.scene(branch).stats();
            let refused = (stats.malformed_packets, stats.refused_announcements);
            assert_eq!(refused, (0, 0), "{stats:?}");
        }
        let peers = [LOBBY, ARENA].map(|branch| self.world.scene(branch).peers().len());
        assert_eq!(peers.iter().sum::<usize>(), CLIENTS);
        for (peer, sessions) in &self.clients {
            let wrong = &sessions.borrow().wrong;
            assert!(wrong.is_empty(), "{peer} received packets of other sessions: {wrong:?}");
        }
    }
}

#[test]
fn random_moves_leave_each_client_with_what_its_branch_has() {
    let mut moved = 0;
    for seed in 0..SEEDS {
        println!("seed {seed}"); // shown if it fails
        let mut game = Game::new(seed);
        for _ in 0..STEPS {
            game.step();
        }
        game.check();
        moved += game.world.scene(LOBBY).stats().moved_packets;
    }
    assert!(moved > SEEDS, "packets in flight are rare: {moved}");
}
