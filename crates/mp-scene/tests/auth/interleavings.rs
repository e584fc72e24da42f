//! All orders of both peers' calls, losses, timeouts and packets: a peer and its model must agree
//! after every step.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::Rng;
use mp_scene::Signal;

use super::model::{Did, Input, Model, State, TIMEOUT_MS};
use super::sides::{Side, at};
use super::wires::Wires;

/// Less than the timeout, so that a packet may be received before it; twice this is more.
const WAIT_MS: u64 = 2_000;

/// An action of the scheduler: the acting peer, and the other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// The transport reports the other peer; a client's transport starts.
    Connect(i32, i32),
    /// The next packet is received.
    Deliver(i32, i32),
    /// The transport reports the loss of the other peer.
    Lose(i32, i32),
    /// The transport closes.
    Close(i32),
    /// Time passes, and the peer ends a turn.
    Wait(i32),
    SendAuth(i32, i32),
    Complete(i32, i32),
    Kick(i32, i32),
    Say(i32, i32),
    Clear(i32),
}

/// Models that are connected by links.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct World {
    models: Vec<Model>,
    wires: Wires,
    open: BTreeSet<i32>,
}

/// The expected results of one input: the peer, the time, what it did and its state.
#[derive(Clone, Debug)]
struct Step {
    side: i32,
    now_ms: u64,
    input: Input,
    did: Did,
    state: State,
}

/// An action and its steps.
#[derive(Clone, Debug)]
struct Move(Action, Vec<Step>);

impl World {
    /// Returns a server and clients, of which those in `authenticating` authenticate.
    fn new(clients: i32, authenticating: &[i32]) -> (Self, Vec<Step>) {
        let ids = 1..=clients + 1;
        let models = ids.map(|id| Model::new(id, authenticating.contains(&id))).collect();
        let mut world = Self { models, wires: Wires::default(), open: BTreeSet::new() };
        let opened = world.open(1, 0);
        (world, vec![opened])
    }

    /// Returns the possible actions.
    fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for side in self.models.iter().map(|model| model.id) {
            actions.push(Action::Wait(side));
            if self.open.contains(&side) {
                actions.extend([Action::Clear(side), Action::Close(side)]);
            }
            for other in self.neighbours(side) {
                let calls = [Action::SendAuth, Action::Complete, Action::Kick, Action::Say];
                actions.extend(calls.map(|call| call(side, other)));
                let fresh = side == 1 || !self.open.contains(&side);
                let possible = [
                    (Action::Connect(side, other), fresh && self.wires.can_connect(side, other)),
                    (Action::Deliver(side, other), self.wires.can_deliver(side, other)),
                    (Action::Lose(side, other), self.wires.can_lose(side, other)),
                ];
                actions.extend(possible.into_iter().filter(|(_, can)| *can).map(|(it, _)| it));
            }
        }
        actions
    }

    fn neighbours(&self, side: i32) -> Vec<i32> {
        if side == 1 { (2..=self.models.len() as i32).collect() } else { vec![1] }
    }

    fn act(&mut self, now_ms: &mut u64, action: Action) -> Vec<Step> {
        let mut steps = Vec::new();
        let (side, input) = match action {
            Action::Connect(side, other) => {
                if !self.open.contains(&side) {
                    steps.push(self.open(side, *now_ms));
                }
                (side, Input::Connected(other, self.wires.connect(side, other)))
            }
            Action::Deliver(side, other) => {
                let (link, packet) = self.wires.deliver(side, other);
                (side, Input::Packet(other, link, packet))
            }
            Action::Lose(side, other) => {
                (side, Input::Disconnected(other, self.wires.lose(side, other)))
            }
            Action::Close(side) => {
                self.wires.close(side);
                self.open.remove(&side);
                (side, Input::Closed)
            }
            Action::Wait(side) => {
                *now_ms += WAIT_MS;
                for model in &mut self.models {
                    model.pass(WAIT_MS);
                }
                (side, Input::Turn)
            }
            Action::SendAuth(side, other) => (side, Input::SendAuth(other)),
            Action::Complete(side, other) => (side, Input::Complete(other)),
            Action::Kick(side, other) => (side, Input::Kick(other)),
            Action::Say(side, other) => (side, Input::Say(other)),
            Action::Clear(side) => (side, Input::Clear),
        };
        steps.push(self.step(side, *now_ms, input));
        steps
    }

    fn open(&mut self, side: i32, now_ms: u64) -> Step {
        self.open.insert(side);
        self.step(side, now_ms, Input::Opened)
    }

    fn step(&mut self, side: i32, now_ms: u64, input: Input) -> Step {
        let model = &mut self.models[side as usize - 1];
        let did = model.take(&input);
        let state = model.state();
        self.wires.take(side, &did);
        Step { side, now_ms, input, did, state }
    }

    /// Loses every link and closes every transport.
    fn end(&mut self, now_ms: &mut u64) -> Vec<Move> {
        let breaks = |action: &Action| matches!(action, Action::Lose(..) | Action::Close(_));
        let mut moves = Vec::new();
        while let Some(action) = self.actions().into_iter().find(breaks) {
            moves.push(Move(action, self.act(now_ms, action)));
        }
        for model in &self.models {
            let State { authenticating, peers, timeout_ms, .. } = model.state();
            assert_eq!((authenticating, peers, timeout_ms), (vec![], vec![], None));
        }
        moves
    }
}

/// Real peers that run the same steps.
struct Play {
    sides: Vec<Side>,
    authenticating: Vec<i32>,
}

impl Play {
    fn new(clients: i32, authenticating: &[i32], first: &[Step]) -> Self {
        let side = |id| Side::new(id, authenticating.contains(&id));
        let sides = (1..=clients + 1).map(side).collect();
        let mut play = Self { sides, authenticating: authenticating.to_owned() };
        for step in first {
            play.take(step, || String::from("at the start"));
        }
        play
    }

    fn run<'a>(&mut self, moves: impl Iterator<Item = &'a Move> + Clone, note: &str) {
        for (count, Move(_, steps)) in moves.clone().enumerate() {
            for step in steps {
                self.take(step, || {
                    let path: Vec<_> = moves.clone().take(count + 1).map(|it| it.0).collect();
                    format!("{note}: {path:?}")
                });
            }
        }
    }

    fn take(&mut self, step: &Step, path: impl Fn() -> String) {
        let side = &mut self.sides[step.side as usize - 1];
        let now = at(step.now_ms);
        let did = side.take(now, &step.input);
        let state = side.state(now);
        let at = || format!("{:?} authenticate; {}\n{step:?}", self.authenticating, path());
        assert!(did == step.did, "{}\ndid {did:?}", at());
        assert!(state == step.state, "{}\nis {state:?}", at());
    }
}

/// Runs all sequences of `depth` actions, each from the start; returns their number.
fn every_sequence(authenticating: &[i32], depth: usize) -> usize {
    let (world, first, mut path) = linked(authenticating);
    let mut play = |path: &[Move]| {
        Play::new(1, authenticating, &first).run(path.iter(), "every sequence");
    };
    branch_out(&world, 0, &mut path, depth, &mut play)
}

/// Returns a connected server and client, their first steps, and the moves.
fn linked(authenticating: &[i32]) -> (World, Vec<Step>, Vec<Move>) {
    let (mut world, first) = World::new(1, authenticating);
    let moves = [Action::Connect(1, 2), Action::Connect(2, 1)];
    let moves = moves.map(|action| Move(action, world.act(&mut 0, action))).into();
    (world, first, moves)
}

fn branch_out(
    world: &World,
    now_ms: u64,
    path: &mut Vec<Move>,
    depth: usize,
    play: &mut impl FnMut(&[Move]),
) -> usize {
    if depth == 0 {
        play(path);
        return 1;
    }
    let mut sequences = 0;
    for action in world.actions() {
        let (mut world, mut now_ms) = (world.clone(), now_ms);
        let steps = world.act(&mut now_ms, action);
        path.push(Move(action, steps));
        sequences += branch_out(&world, now_ms, path, depth - 1, play);
        path.pop();
    }
    sequences
}

/// Runs every action in every state that `depth` actions can reach, equal states once; returns the
/// number of actions.
fn every_state(authenticating: &[i32], depth: usize) -> usize {
    let (world, first, path) = linked(authenticating);
    let mut seen = BTreeSet::from([world.clone()]);
    let mut reached = vec![(world, 0, path)];
    let mut actions = 0;
    for _ in 0..depth {
        let mut next = Vec::new();
        for (world, now_ms, path) in reached {
            for action in world.actions() {
                let (mut world, mut now_ms) = (world.clone(), now_ms);
                let mut path: Vec<Move> = path.clone();
                let steps = world.act(&mut now_ms, action);
                path.push(Move(action, steps));
                actions += 1;
                Play::new(1, authenticating, &first).run(path.iter(), "every state");
                if seen.insert(world.clone()) {
                    next.push((world, now_ms, path));
                }
            }
        }
        reached = next;
    }
    actions
}

/// Runs a random sequence of `len` actions, an eighth of them failures; returns its signals.
fn a_long_sequence(seed: u64, clients: i32, authenticating: &[i32], len: usize) -> Vec<Signal> {
    let mut rng = Rng::seed_from_u64(seed);
    let (mut world, first) = World::new(clients, authenticating);
    let (mut now_ms, mut moves) = (0, Vec::new());
    for _ in 0..len {
        let rare = rng.below(8) == 0;
        let breaks = |action: &Action| {
            use Action::{Clear, Close, Kick, Lose, Wait};
            matches!(action, Clear(_) | Close(_) | Kick(..) | Lose(..) | Wait(_))
        };
        let mut actions = world.actions();
        actions.retain(|action| breaks(action) == rare);
        let action = actions[rng.below(actions.len() as u64) as usize];
        moves.push(Move(action, world.act(&mut now_ms, action)));
    }
    moves.extend(world.end(&mut now_ms));
    let note = format!("seed {seed}");
    Play::new(clients, authenticating, &first).run(moves.iter(), &note);
    moves.into_iter().flat_map(|it| it.1).flat_map(|step| step.did.signals).collect()
}

const BOTH: &[i32] = &[1, 2];

#[test]
fn all_short_interleavings_of_two_peers_match_the_model() {
    let sequences = every_sequence(BOTH, 4);
    assert!(sequences > 60_000, "{sequences}");
}

#[test]
fn all_short_interleavings_match_the_model_when_one_peer_or_none_authenticates() {
    for authenticating in [&[1][..], &[2], &[]] {
        let sequences = every_sequence(authenticating, 3);
        assert!(sequences > 2_000, "{sequences}");
    }
}

#[test]
fn every_action_in_every_reachable_state_matches_the_model() {
    for authenticating in [BOTH, &[1], &[2]] {
        let actions = every_state(authenticating, 5);
        assert!(actions > 9_000, "{actions}");
    }
}

#[test]
fn long_random_sequences_match_the_model_and_leave_no_peers() {
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..200 {
        let authenticating: &[&[i32]] = &[&[1, 2, 3, 4], &[1, 2, 3], &[1, 4], &[]];
        let authenticating = authenticating[seed as usize % authenticating.len()];
        for signal in a_long_sequence(seed, 3, authenticating, 150) {
            let signal = format!("{signal:?}");
            let name = signal.split(['(', ' ']).next().unwrap_or_default().to_owned();
            *met.entry(name).or_default() += 1;
        }
    }
    // The test is meaningful only if peers are often admitted.
    let often = ["PeerAuth", "PeerAuthenticating", "PeerAuthenticationFailed", "PeerConnected"];
    let often = often.into_iter().chain(["PeerDisconnected", "PeerPacket", "ServerDisconnected"]);
    for name in often {
        assert!(met.get(name).is_some_and(|count| *count > 100), "{name}: {met:?}");
    }
    const { assert!(WAIT_MS < TIMEOUT_MS && TIMEOUT_MS < 2 * WAIT_MS) }
}
