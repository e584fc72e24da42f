//! Players in virtual time.

use super::*;
use crate::client::ReceivedCall;
use crate::stats::Counter;
use mp_core::{PeerId, Variant};

/// A player and its statistics.
struct World {
    player: Player,
    stats: Stats,
    /// Time of the last event in milliseconds.
    now: u64,
}

const VIEW: ClientView = ClientView { id: 7 };

fn at(millis: u64) -> Instant {
    Instant::from_millis(1_000 + millis)
}

impl World {
    /// Returns a player that joins at time 0 of a run of 10 s.
    fn new(steps: &str) -> Self {
        let text =
            format!("phase = [{{ players = 1, joins_per_second = 1, for = '10s' }}]\n{steps}");
        let scenario = Scenario::parse("test", &text).unwrap_or_else(|errors| panic!("{errors}"));
        let rng = Rng::seed_from_u64(1);
        let player = Player::new(Arc::new(scenario), 3, at(0), at(10_000), rng);
        Self { player, stats: Stats::default(), now: 0 }
    }

    /// Returns a player that was admitted at time 0.
    fn admitted(steps: &str) -> Self {
        let mut world = Self::new(steps);
        assert_eq!(world.poll(0), [Action::Connect]);
        world.observe(0, Observation::Admitted);
        world
    }

    /// Returns the actions that are due at a time.
    fn poll(&mut self, millis: u64) -> Vec<Action> {
        self.now = millis;
        let next = || self.player.poll(at(millis), VIEW, &mut self.stats);
        let actions: Vec<_> = std::iter::from_fn(next).collect();
        if self.player.ended().is_none() {
            let due = self.player.poll_timeout().expect("a player has a next time");
            assert!(due > at(millis), "nothing is left at {millis} ms: {due:?}");
        }
        actions
    }

    /// Polls whenever something is due, up to a time. Returns the actions with their times.
    fn run_to(&mut self, millis: u64) -> Vec<(u64, Action)> {
        let mut actions = Vec::new();
        while let Some(due) = self.player.poll_timeout().filter(|&due| due <= at(millis)) {
            let due = due.as_millis().saturating_sub(1_000).max(self.now);
            // As a timer does: at the next whole millisecond.
            let due = due + u64::from(self.player.poll_timeout() > Some(at(due)));
            actions.extend(self.poll(due).into_iter().map(|action| (due, action)));
        }
        actions
    }

    fn observe(&mut self, millis: u64, observation: Observation) {
        self.now = millis;
        self.player.observe(at(millis), observation, &mut self.stats);
    }

    fn receive(&mut self, millis: u64, method: &str, args: Vec<Variant>) {
        let from = PeerId::SERVER;
        let (path, method) = (Some("Main".into()), Some(method.into()));
        self.observe(millis, Observation::Call(ReceivedCall { from, path, method, args }));
    }

    /// Confirms a call that [`poll`](Self::poll) has returned.
    fn sent(&mut self, millis: u64, action: &Action) {
        let Action::Call { step, sequence, due, .. } = action else { panic!("{action:?}") };
        let mode = Some(TransferMode::Reliable);
        self.player.sent(at(millis), *step, *sequence, *due, mode, &mut self.stats);
    }

    fn count(&self, counter: Counter) -> u64 {
        self.stats.get(counter)
    }

    fn longest(&self, timing: Timing) -> Option<u128> {
        self.stats.longest(&timing).map(|time| time.as_millis())
    }
}

/// Returns the times for which calls were scheduled, in milliseconds.
fn dues(actions: &[Action]) -> Vec<u64> {
    let due = |action: &Action| match action {
        Action::Call { due, .. } => due.as_millis() - 1_000,
        other => panic!("{other:?}"),
    };
    actions.iter().map(due).collect()
}

const PINGS: &str = "[[do]]\nrpc = 'ping'\npath = 'Main'\nargs = [{ value = 'sequence' }]\nevery = '100ms'\nreply = 'pong'\nwithin = '1s'\n";

#[test]
fn late_turn_sends_all_calls_that_are_due_and_measures_from_their_scheduled_times() {
    let mut world = World::admitted(PINGS);
    assert_eq!(world.poll(0), []);
    // The bot's thread is busy for half a second.
    let late = world.poll(500);
    let scheduled = dues(&late);
    assert_eq!(late.len(), 5);
    assert!(scheduled.windows(2).all(|pair| pair[1] - pair[0] == 100), "{scheduled:?}");
    late.iter().for_each(|action| world.sent(500, action));
    world.receive(510, "pong", vec![1.into()]);
    let first = u128::from(510 - scheduled[0]);
    assert!(world.longest(Timing::RoundTrip).unwrap().abs_diff(first) <= 1);
    let late_by = u128::from(500 - scheduled[0]);
    assert!(world.longest(Timing::Lateness).unwrap().abs_diff(late_by) <= 1);
    // The schedule does not shift.
    let next = world.run_to(700);
    assert!(
        next.iter()
            .all(|(_, call)| dues(std::slice::from_ref(call))[0] % 100 == scheduled[0] % 100)
    );
    assert_eq!(next.len(), 2);
}

#[test]
fn replies_belong_to_the_call_with_their_number() {
    let mut world = World::admitted(PINGS);
    let calls: Vec<_> = world.run_to(250).into_iter().map(|(_, call)| call).collect();
    calls.iter().for_each(|call| world.sent(250, call));
    let second = dues(&calls)[1];
    world.receive(300, "pong", vec![2.into()]);
    assert_eq!(world.count(Counter::Replies), 1);
    assert!(world.longest(Timing::RoundTrip).unwrap().abs_diff(u128::from(300 - second)) <= 1);
    world.receive(300, "pong", vec![99.into()]);
    world.receive(300, "ping", vec![1.into()]);
    assert_eq!(world.count(Counter::Replies), 1);
}

#[test]
fn reply_that_is_not_received_in_time_is_lost() {
    let mut world =
        World::admitted("[[do]]\nrpc = 'ping'\npath = 'Main'\nreply = 'pong'\nwithin = '1s'");
    let calls = world.poll(0);
    world.sent(0, &calls[0]);
    assert_eq!(world.run_to(1_500), []);
    assert_eq!(world.count(Counter::LostReliable), 1);
    world.receive(1_600, "pong", vec![]);
    assert_eq!(world.count(Counter::Replies), 0);
}

#[test]
fn player_waits_for_replies_before_it_leaves() {
    let steps = "[[do]]\nrpc = 'ping'\npath = 'Main'\nreply = 'pong'\nwithin = '1s'\n[[do]]\nleave = 'disconnect'";
    let mut world = World::admitted(steps);
    let calls = world.player.poll(at(0), VIEW, &mut world.stats).into_iter().collect::<Vec<_>>();
    world.sent(0, &calls[0]);
    assert_eq!(world.run_to(700), []);
    world.receive(800, "pong", vec![]);
    assert_eq!(world.poll(800), [Action::Leave { vanish: false }]);
    world.observe(810, Observation::Disconnected(DisconnectReason::Closed));
    assert_eq!(world.player.ended(), Some(&PlayerEnd::Left));
    assert_eq!(world.count(Counter::LostReliable) + world.count(Counter::Disconnects), 0);
    assert_eq!(world.count(Counter::Left), 1);
}

#[test]
fn background_calls_go_on_while_later_steps_run() {
    let steps = format!("{PINGS}[[do]]\nwait = '1s'\n[[do]]\nleave = 'disconnect'");
    let mut world = World::admitted(&steps);
    let actions = world.run_to(3_000);
    let calls = actions.iter().filter(|(_, action)| matches!(action, Action::Call { .. })).count();
    assert_eq!(calls, 10);
    assert_eq!(actions.last(), Some(&(1_000, Action::Leave { vanish: false })));
}

#[test]
fn step_with_a_duration_ends_before_the_next_one() {
    let steps = "[[do]]\nraw = 8\nper_second = 10\nfor = '500ms'\n[[do]]\nleave = 'vanish'";
    let mut world = World::admitted(steps);
    let actions = world.run_to(2_000);
    assert_eq!(actions.len(), 6, "{actions:?}");
    assert_eq!(actions[5], (500, Action::Leave { vanish: true }));
}

#[test]
fn expectations_are_met_by_what_was_received_since_the_last_other_step() {
    let steps = "[[do]]\nwait = '1s'\n[[do]]\nexpect = 'spawn'\nname = 'Coin'\nwithin = '2s'\n[[do]]\nexpect = 'sync'\nwithin = '2s'";
    let spawn = |name: &str| Observation::Spawn { name: name.to_owned() };
    let mut world = World::admitted(steps);
    assert_eq!(world.run_to(500), []);
    world.observe(600, Observation::Sync);
    world.observe(600, spawn("Player"));
    assert_eq!(world.run_to(1_500), []);
    assert_eq!(world.count(Counter::MetExpectations), 0);
    world.observe(1_600, spawn("Coin"));
    assert_eq!(world.poll(1_600), []);
    assert_eq!(world.count(Counter::MetExpectations), 2);
    // The wait began at 0.
    assert!(world.longest(Timing::Expectation).unwrap().abs_diff(1_600) <= 2);
    assert_eq!(world.count(Counter::UnmetExpectations), 0);
}

#[test]
fn unmet_expectation_is_counted_and_the_next_step_follows() {
    let mut world = World::admitted("[[do]]\nexpect = 'rpc'\nwithin = '2s'\n[[do]]\nraw = 'x'");
    let actions = world.run_to(3_000);
    assert_eq!(actions.len(), 1);
    assert_eq!((actions[0].0, world.count(Counter::UnmetExpectations)), (2_000, 1));
}

#[test]
fn churn_joins_again_after_the_pause_until_the_run_ends() {
    let mut world = World::admitted("[[do]]\nwait = '2s'\n[[do]]\nchurn = '3s'");
    assert_eq!(world.run_to(2_500), [(2_000, Action::Leave { vanish: false })]);
    world.observe(2_500, Observation::Disconnected(DisconnectReason::Closed));
    assert_eq!(world.run_to(5_500), [(5_500, Action::Connect)]);
    world.observe(5_600, Observation::Admitted);
    assert!(world.longest(Timing::Join).unwrap().abs_diff(100) <= 1);
    assert_eq!(world.run_to(7_600), [(7_600, Action::Leave { vanish: false })]);
    world.observe(7_700, Observation::Disconnected(DisconnectReason::Closed));
    // The next join would be at 10.7 s, after the end of the run.
    assert_eq!(world.player.ended(), Some(&PlayerEnd::Left));
    assert_eq!(world.count(Counter::Left), 2);
}

#[test]
fn join_without_answer_fails_at_its_time_limit() {
    let mut world = World::new("[[do]]\nconnect = '2s'");
    let actions = world.run_to(5_000);
    assert_eq!(actions, [(0, Action::Connect), (2_000, Action::Leave { vanish: false })]);
    let end = PlayerEnd::Unreachable("no answer within 2.00 s".to_owned());
    assert_eq!(world.player.ended(), Some(&end));
    assert_eq!(world.count(Counter::FailedJoins), 1);
}

#[test]
fn end_of_a_connection_counts_as_a_failed_join_before_and_as_a_disconnect_after_the_admission() {
    let mut world = World::new("[[do]]\nauthenticate = 'x'");
    world.poll(0);
    world.observe(1, Observation::Authenticating);
    world.observe(2, Observation::Disconnected(DisconnectReason::Remote(0)));
    assert_eq!(world.player.ended(), Some(&PlayerEnd::Disconnected));
    assert_eq!((world.count(Counter::FailedJoins), world.count(Counter::Disconnects)), (1, 0));

    let mut world = World::admitted(PINGS);
    let call = &world.run_to(150)[0].1;
    world.sent(150, call);
    world.observe(200, Observation::Disconnected(DisconnectReason::Timeout));
    assert_eq!((world.count(Counter::FailedJoins), world.count(Counter::Disconnects)), (0, 1));
    assert_eq!(world.count(Counter::LostReliable), 1);
}

#[test]
fn players_leave_one_after_the_other_at_the_end_of_the_run() {
    // The third player leaves 100 ms after the first.
    let mut world = World::admitted("");
    assert_eq!(world.run_to(11_000), [(10_100, Action::Leave { vanish: false })]);
}

#[test]
fn players_that_answer_others_stay_for_a_while_after_the_run() {
    let mut world = World::admitted("[[answer]]\nrpc = 'ping'\nwith = 'pong'");
    assert_eq!(world.run_to(11_000), [(10_600, Action::Leave { vanish: false })]);
}

#[test]
fn texts_and_arguments_of_a_player_contain_its_numbers() {
    let steps = "[[do]]\nauthenticate = 'bot-{bot}'\n[[do]]\nrpc = 'f'\npath = 'Main/{peer}'\nargs = ['{peer}', { value = 'bot' }, { int = [5, 5] }, [1, { float = [2, 2] }], { vector2 = [0, [1, 1]] }]";
    let mut world = World::admitted(steps);
    assert_eq!(world.player.auth_packets(7), [Bytes::from("bot-3")]);
    let actions = world.poll(0);
    let Action::Call { args, .. } = &actions[0] else { panic!("{actions:?}") };
    let vector = mp_core::variant::Vector2 { x: 0.0, y: 1.0 };
    let array = mp_core::array![1, 2.0];
    assert_eq!(args, &["7".into(), 3.into(), 5.into(), array.into(), vector.into()]);
}

#[test]
fn seed_reproduces_the_actions_of_a_player() {
    let run = || {
        let steps = "[[do]]\nthink = ['100ms', '2s']\n[[do]]\nrpc = 'f'\npath = 'Main'\nargs = [{ int = [0, 1000000] }, { letters = 8 }, { choice = [1, 2, 3] }]\nper_second = 3.5";
        World::admitted(steps).run_to(8_000)
    };
    let actions = run();
    assert!(actions.len() > 15);
    assert_eq!(actions, run());
}
