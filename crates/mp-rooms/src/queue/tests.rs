//! The queue under virtual time.

use proptest::prelude::*;

use super::*;
use crate::matchmaking::Ticket;

const CONFIRM: Duration = Duration::from_secs(10);

struct World {
    queue: Queue,
    now: Instant,
}

fn ticket(number: usize) -> TicketHash {
    Ticket::random(&mut mp_core::Rng::seed_from_u64(number as u64)).hash()
}

fn settings(group_size: u16) -> QueueSettings {
    QueueSettings { rank_window: 100, rank_window_growth: 10, ..QueueSettings::new(group_size) }
}

fn with_confirmation(group_size: u16) -> QueueSettings {
    QueueSettings { confirm_timeout: Some(CONFIRM), ..settings(group_size) }
}

impl World {
    fn new(settings: QueueSettings) -> Self {
        Self { queue: Queue::new(settings), now: Instant::from_millis(1_000) }
    }

    fn enter(&mut self, number: usize, rank: i32) {
        self.enter_as(number, rank, PartyRequest::Alone).unwrap();
    }

    fn enter_as(
        &mut self,
        number: usize,
        rank: i32,
        party: PartyRequest,
    ) -> Result<(), QueueRefusal> {
        self.queue.enter(self.now, ticket(number), rank, party)
    }

    /// Opens a party whose first member is `number`, and lets the rest enter.
    fn enter_party(&mut self, numbers: std::ops::Range<usize>, rank: i32) {
        let code = ticket(1_000_000 + numbers.start);
        let size = numbers.len() as u16;
        for number in numbers.clone() {
            let party = match number == numbers.start {
                true => PartyRequest::Open { code, size },
                false => PartyRequest::Join { code },
            };
            self.enter_as(number, rank, party).unwrap();
        }
    }

    fn status(&self, number: usize) -> Option<QueueStatus> {
        self.queue.status(ticket(number))
    }

    /// Lets time pass, with all timers, and returns the groups that were formed, which have rooms.
    fn pass(&mut self, time: Duration) -> Vec<Vec<usize>> {
        let end = self.now + time;
        let mut groups = Vec::new();
        loop {
            while let Some((group, members)) = self.queue.next_group() {
                self.queue.resolve(self.now, group, true);
                groups.push(members.iter().map(number_of).collect::<Vec<_>>());
            }
            match self.queue.poll_timeout() {
                Some(due) if due <= end => self.now = self.now.max(due),
                _ => break,
            }
            self.queue.handle_timeout(self.now, true);
        }
        self.now = end;
        for group in &mut groups {
            group.sort_unstable();
        }
        groups
    }

    fn search(&mut self) -> Vec<Vec<usize>> {
        self.pass(QUEUE_INTERVAL)
    }
}

fn number_of(hash: &TicketHash) -> usize {
    (0..2_000).find(|&number| ticket(number) == *hash).unwrap()
}

#[test]
fn players_of_similar_ranks_are_a_group() {
    let mut world = World::new(settings(2));
    for (number, rank) in [1_000, 5_000, 1_080, 5_200].into_iter().enumerate() {
        world.enter(number, rank);
    }
    assert_eq!(world.search(), [[0, 2]]);
    assert_eq!(world.status(0), None, "it has left the queue");
    assert!(matches!(world.status(1), Some(QueueStatus::Waiting { .. })));
}

#[test]
fn nearest_ranks_are_preferred() {
    for sign in [1, -1] {
        let mut world = World::new(settings(2));
        for (number, rank) in [0, -50, 10, -20].into_iter().enumerate() {
            world.enter(number, sign * rank);
        }
        assert_eq!(world.search(), [[0, 2], [1, 3]]);
    }
}

#[test]
fn rank_window_grows_while_a_party_waits() {
    let mut world = World::new(settings(2));
    world.enter(0, 0);
    world.enter(1, 150);
    assert_eq!(world.pass(Duration::from_millis(4_999)), [[0; 0]; 0]);
    assert_eq!(world.pass(Duration::from_millis(1)), [[0, 1]]);
}

#[test]
fn ranks_of_a_group_differ_by_no_more_than_the_window_of_each_party() {
    let mut world = World::new(settings(3));
    world.enter(0, 0);
    world.pass(Duration::from_secs(20));
    // The window of the first player is 300, that of the others 100.
    world.enter(1, -120);
    world.enter(2, 80);
    assert_eq!(world.search(), [[0; 0]; 0]);
    world.enter(3, 10);
    assert_eq!(world.search(), [[0, 2, 3]]);
}

#[test]
fn those_who_wait_longest_are_grouped_first() {
    let mut world = World::new(settings(2));
    for number in 0..5 {
        world.enter(number, number as i32);
    }
    assert_eq!(world.search(), [[0, 1], [2, 3]]);
    world.enter(5, 1);
    world.enter(6, 0);
    assert_eq!(world.search(), [[4, 5]], "the oldest chooses first, though 5 and 6 are nearer");
}

#[test]
fn parties_stay_together() {
    let mut world = World::new(settings(4));
    world.enter_party(0..3, 0);
    world.enter_party(3..5, 0);
    assert_eq!(world.search(), [[0; 0]; 0], "3 and 2 are not 4");
    world.enter_party(5..7, 50);
    assert_eq!(world.search(), [[3, 4, 5, 6]], "not with the party that waits longest");
    world.enter(7, 90);
    assert_eq!(world.search(), [[0, 1, 2, 7]]);
}

#[test]
fn group_is_found_if_the_nearest_parties_do_not_add_up() {
    let mut world = World::new(settings(4));
    world.enter_party(0..2, 0);
    world.enter(2, 1);
    world.enter_party(3..5, 50);
    assert_eq!(world.search(), [[0, 1, 3, 4]]);
}

#[test]
fn party_waits_until_all_its_players_have_entered() {
    let mut world = World::new(settings(2));
    let code = ticket(100);
    world.enter_as(0, 0, PartyRequest::Open { code, size: 2 }).unwrap();
    world.enter(1, 0);
    assert_eq!(world.search(), [[0; 0]; 0]);
    assert_eq!(world.status(0), Some(QueueStatus::Gathering { present: 1, size: 2 }));
    world.enter_as(2, 0, PartyRequest::Join { code }).unwrap();
    assert_eq!(world.search(), [[0, 2]]);
}

#[test]
fn invalid_parties_are_refused() {
    let mut world = World::new(settings(2));
    let code = ticket(100);
    for size in [0, 3] {
        let refused = world.enter_as(0, 0, PartyRequest::Open { code, size });
        assert_eq!(refused, Err(QueueRefusal::InvalidPartySize));
    }
    let join = PartyRequest::Join { code };
    assert_eq!(world.enter_as(0, 0, join), Err(QueueRefusal::UnknownParty));
    world.enter_party(0..2, 0);
    let join = PartyRequest::Join { code: ticket(1_000_000) };
    assert_eq!(world.enter_as(2, 0, join), Err(QueueRefusal::PartyFull));
    world.queue.leave(world.now, ticket(0));
    assert_eq!(world.enter_as(2, 0, join), Err(QueueRefusal::UnknownParty));
}

#[test]
fn queue_is_bounded() {
    let mut world = World::new(QueueSettings { max_players: 2, ..settings(4) });
    world.enter(0, 0);
    world.enter(1, 0);
    assert_eq!(world.enter_as(2, 0, PartyRequest::Alone), Err(QueueRefusal::QueueFull));
    world.queue.leave(world.now, ticket(1));
    world.pass(QUEUE_END_KEPT);
    assert_eq!(world.enter_as(2, 0, PartyRequest::Alone), Ok(()));
}

#[test]
fn party_without_a_group_times_out_and_can_read_the_reason() {
    let mut world = World::new(settings(2));
    world.enter(0, 0);
    world.pass(world.queue.settings.timeout);
    assert_eq!(world.status(0), Some(QueueStatus::Ended(QueueEnd::TimedOut)));
    world.enter(1, 0);
    world.search();
    assert!(matches!(world.status(1), Some(QueueStatus::Waiting { .. })), "0 is not grouped");
    world.pass(QUEUE_END_KEPT);
    assert_eq!(world.status(0), None);
}

#[test]
fn idle_queue_has_no_timer() {
    let mut world = World::new(settings(1));
    assert_eq!(world.queue.poll_timeout(), None);
    world.enter(0, 0);
    assert_eq!(world.search(), [[0]]);
    assert_eq!(world.queue.poll_timeout(), None);
    assert!(world.queue.is_empty());
}

#[test]
fn group_is_formed_when_all_have_confirmed() {
    let mut world = World::new(with_confirmation(2));
    world.enter(0, 0);
    let early = world.queue.confirm(ticket(0));
    assert_eq!(early, Err(QueueRefusal::NothingToConfirm));
    world.enter(1, 0);
    assert_eq!(world.search(), [[0; 0]; 0]);
    let deadline = world.now + CONFIRM;
    world.queue.confirm(ticket(0)).unwrap();
    world.queue.confirm(ticket(0)).unwrap();
    let confirming =
        |is_confirmed| Some(QueueStatus::Confirming { deadline, is_confirmed, missing: 1 });
    assert_eq!((world.status(0), world.status(1)), (confirming(true), confirming(false)));
    world.queue.confirm(ticket(1)).unwrap();
    assert_eq!(world.status(0), Some(QueueStatus::Formed));
    assert_eq!(world.pass(Duration::ZERO), [[0, 1]]);
    assert_eq!(world.queue.confirm(ticket(0)), Err(QueueRefusal::UnknownTicket));
}

#[test]
fn unconfirmed_parties_end_and_the_others_keep_their_places() {
    let mut world = World::new(with_confirmation(3));
    world.enter(0, 0);
    world.enter_party(1..3, 0);
    world.search();
    world.queue.confirm(ticket(0)).unwrap();
    world.queue.confirm(ticket(1)).unwrap();
    let since = Instant::from_millis(1_000);
    world.pass(CONFIRM);
    assert_eq!(world.status(0), Some(QueueStatus::Waiting { since }));
    for number in [1, 2] {
        let ended = Some(QueueStatus::Ended(QueueEnd::NotConfirmed));
        assert_eq!(world.status(number), ended, "the party stays together");
    }
    world.enter_party(3..5, 0);
    world.search();
    let missing = world.status(0);
    assert!(matches!(missing, Some(QueueStatus::Confirming { missing: 3, .. })), "{missing:?}");
}

#[test]
fn party_that_leaves_its_group_lets_the_others_wait_again() {
    let mut world = World::new(with_confirmation(2));
    world.enter(0, 0);
    world.enter(1, 0);
    world.search();
    world.queue.confirm(ticket(0)).unwrap();
    assert!(world.queue.leave(world.now, ticket(1)));
    assert!(!world.queue.leave(world.now, ticket(1)));
    assert!(matches!(world.status(0), Some(QueueStatus::Waiting { .. })));
    assert_eq!(world.status(1), Some(QueueStatus::Ended(QueueEnd::Left)));
    world.enter(2, 0);
    world.search();
    world.queue.confirm(ticket(2)).unwrap();
    assert_eq!(world.pass(Duration::ZERO), [[0; 0]; 0], "0 must confirm the new group");
    world.queue.confirm(ticket(0)).unwrap();
    assert_eq!(world.pass(Duration::ZERO), [[0, 2]]);
}

#[test]
fn party_that_waits_again_times_out_as_if_it_had_no_group() {
    let mut world = World::new(with_confirmation(2));
    let timeout = world.queue.settings.timeout;
    world.enter(0, 0);
    world.pass(timeout - CONFIRM / 2);
    world.enter(1, 0);
    world.search();
    world.queue.confirm(ticket(0)).unwrap();
    world.pass(CONFIRM - Duration::from_millis(1));
    let status = world.status(0);
    assert!(matches!(status, Some(QueueStatus::Confirming { .. })), "no timeout meanwhile");
    world.pass(Duration::from_millis(1));
    assert_eq!(world.status(0), Some(QueueStatus::Ended(QueueEnd::TimedOut)));
}

#[test]
fn party_leaves_a_complete_group_that_has_no_room_yet() {
    let mut world = World::new(settings(2));
    for number in 0..4 {
        world.enter(number, 0);
    }
    world.now += QUEUE_INTERVAL;
    world.queue.handle_timeout(world.now, true);
    world.queue.leave(world.now, ticket(0));
    let (_, members) = world.queue.next_group().expect("the other group");
    assert!(members.contains(&ticket(2)) && members.len() == 2);
    assert!(world.queue.next_group().is_none());
}

#[test]
fn group_without_a_room_waits_again() {
    let mut world = World::new(settings(2));
    world.enter(0, 0);
    world.enter(1, 0);
    world.now += QUEUE_INTERVAL;
    world.queue.handle_timeout(world.now, false);
    assert!(world.queue.next_group().is_none(), "no group may be formed");
    world.now += QUEUE_INTERVAL;
    world.queue.handle_timeout(world.now, true);
    let (group, _) = world.queue.next_group().unwrap();
    world.queue.resolve(world.now, group, false);
    assert_eq!(world.search(), [[0, 1]]);
}

#[test]
fn queue_that_ends_gives_the_reason() {
    let mut world = World::new(with_confirmation(2));
    for number in 0..3 {
        world.enter(number, 0);
    }
    world.search();
    world.queue.end_all(world.now, QueueEnd::Draining);
    for number in 0..3 {
        assert_eq!(world.status(number), Some(QueueStatus::Ended(QueueEnd::Draining)));
    }
    world.pass(QUEUE_END_KEPT);
    assert!(world.queue.is_empty() && world.queue.poll_timeout().is_none());
}

#[test]
fn step_of_a_search_is_bounded_and_the_search_goes_on() {
    let count = 3 * QUEUE_PARTIES_PER_STEP - 1;
    let mut world = World::new(QueueSettings { rank_window: 0, ..settings(2) });
    // Only the last two fit.
    for number in 0..count {
        world.enter(number, (number.min(count - 2) * 1_000) as i32);
    }
    let mut steps = 0;
    world.now += QUEUE_INTERVAL;
    while world.queue.poll_timeout() == Some(world.now) || steps == 0 {
        steps += 1;
        world.queue.handle_timeout(world.now, true);
        assert_eq!(world.queue.next_group().is_some(), steps == 3);
    }
    assert_eq!(steps, 3);
    assert_eq!(world.search().len(), 0);
}

/// An event of the property test. Numbers select among the players who have entered.
#[derive(Clone, Debug)]
enum Event {
    Enter(i32),
    EnterParty(u16, i32),
    Leave(usize),
    Confirm(usize),
    ConfirmAll,
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => (-300..300).prop_map(Event::Enter),
        3 => (2..=4u16, -300..300).prop_map(|(size, rank)| Event::EnterParty(size, rank)),
        1 => any::<usize>().prop_map(Event::Leave),
        2 => any::<usize>().prop_map(Event::Confirm),
        2 => Just(Event::ConfirmAll),
        4 => (0..20_000u64).prop_map(Event::Pass),
    ]
}

/// A player of the property test.
#[derive(Clone, Copy)]
struct Player {
    rank: i32,
    since: Instant,
    party: usize,
}

/// Checks a group against the description of the queue.
fn check_group(players: &[Player], group: &[usize], settings: &QueueSettings, now: Instant) {
    assert_eq!(group.len(), usize::from(settings.group_size));
    for &number in group {
        let Player { rank, since, party } = players[number];
        let members = players.iter().filter(|other| other.party == party).count();
        let together = group.iter().filter(|&&other| players[other].party == party).count();
        assert_eq!(together, members, "a party was separated");
        let window = 100 + 10 * (now - since).as_secs();
        for &other in group {
            assert!(u64::from(rank.abs_diff(players[other].rank)) <= window, "{number} {other}");
        }
    }
}

proptest! {
    #[test]
    fn groups_are_as_described_and_no_player_is_in_two(
        events in prop::collection::vec(event(), 0..80),
        confirm in any::<bool>(),
    ) {
        let settings = if confirm { with_confirmation(4) } else { settings(4) };
        let mut world = World::new(settings.clone());
        let mut players: Vec<Player> = Vec::new();
        let mut grouped = BTreeSet::new();
        for event in events {
            let (count, since) = (players.len(), world.now);
            let mut groups = Vec::new();
            match event {
                Event::Enter(rank) => {
                    world.enter(count, rank);
                    players.push(Player { rank, since, party: count });
                }
                Event::EnterParty(size, rank) => {
                    world.enter_party(count..count + usize::from(size), rank);
                    players.extend((0..size).map(|_| Player { rank, since, party: count }));
                }
                Event::Leave(number) if count > 0 => {
                    world.queue.leave(world.now, ticket(number % count));
                }
                Event::Confirm(number) if count > 0 => {
                    let _ = world.queue.confirm(ticket(number % count));
                }
                Event::Leave(_) | Event::Confirm(_) => {}
                Event::ConfirmAll => {
                    for number in 0..count {
                        let _ = world.queue.confirm(ticket(number));
                    }
                }
                Event::Pass(millis) => groups = world.pass(Duration::from_millis(millis)),
            }
            groups.extend(world.pass(Duration::ZERO));
            for group in groups {
                check_group(&players, &group, &settings, world.now);
                for number in group {
                    prop_assert!(grouped.insert(number), "{number} is in two groups");
                    prop_assert_eq!(world.status(number), None);
                }
            }
        }
        // Whatever happened, all end, and nothing is kept.
        world.pass(settings.timeout + CONFIRM + QUEUE_END_KEPT + Duration::from_secs(2));
        world.pass(settings.timeout + CONFIRM + QUEUE_END_KEPT + Duration::from_secs(2));
        prop_assert!(world.queue.is_empty(), "{:?}", world.queue);
        prop_assert!(world.queue.parties.is_empty() && world.queue.codes.is_empty());
        prop_assert!(world.queue.groups.is_empty() && world.queue.poll_timeout().is_none());
    }
}
