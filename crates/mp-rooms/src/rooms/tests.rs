//! The registry under virtual time. Its outputs are handled by the tests.

mod identities;
mod kept;
mod lobby;
mod matchmaking;
mod moves;
mod players;
mod queues;
mod restored;
mod seats;
mod tunnels;

use std::time::Duration;

use mp_core::{ConnectionId, PeerId};
use mp_identity::Token;

use super::*;
use crate::join::{Join, ListenerId};
use crate::limits::{DEPARTURE_TIMEOUT, EMPTY_TIMEOUT, WAITING_MAX, WAITING_PER_ROOM_MAX};
use crate::name::Code;
use crate::selection::Selection;
use crate::template::{Metadata, RoomHost};

struct Registry {
    rooms: Rooms,
    now: Instant,
}

fn name(text: &str) -> RoomName {
    RoomName::new(text).unwrap()
}

fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

fn connection(number: u32) -> ListenerConnection {
    let connection = ConnectionId { slot: number, generation: 0 };
    ListenerConnection { listener: ListenerId(0), connection }
}

/// Returns the template `arena`, from which rooms are created by default.
fn arena() -> Template {
    Template::new(name("arena"))
}

impl Registry {
    fn new(templates: impl IntoIterator<Item = Template>) -> Self {
        let default_template = Some(name("arena"));
        let settings =
            RoomsSettings { default_template, max_rooms: 10, ..RoomsSettings::default() };
        Self { rooms: Rooms::new(settings, templates), now: Instant::from_millis(1_000) }
    }

    fn join(&mut self, number: u32, selection: Selection) -> Vec<RoomOutput> {
        self.join_as(number, number + 2, selection)
    }

    fn join_as(&mut self, number: u32, id: u32, selection: Selection) -> Vec<RoomOutput> {
        let claimed_id = PeerId::new(id as i32);
        let connection = connection(number);
        self.rooms.join(self.now, Join::new(connection, claimed_id, Ok(selection)));
        self.outputs()
    }

    /// Joins a room that must exist or be creatable.
    fn join_room(&mut self, number: u32, room: &str) -> Vec<RoomOutput> {
        self.join(number, Selection::new(name(room)))
    }

    /// Creates and opens a room.
    fn open(&mut self, room: &str) -> RoomId {
        let id = self.rooms.create(name(room), &name("arena")).unwrap();
        self.rooms.opened(self.now, id);
        self.outputs();
        id
    }

    fn left(&mut self, number: u32) {
        self.rooms.left(self.now, connection(number));
    }

    fn pass(&mut self, time: Duration) -> Vec<RoomOutput> {
        self.now += time;
        self.rooms.handle_timeout(self.now);
        self.outputs()
    }

    fn outputs(&mut self) -> Vec<RoomOutput> {
        std::iter::from_fn(|| self.rooms.next_output()).collect()
    }
}

fn admitted(number: u32, room: RoomId) -> RoomOutput {
    let decision = JoinDecision::Admit(room);
    RoomOutput::Decide { connection: connection(number), decision }
}

fn refused(number: u32, refusal: JoinRefusal) -> RoomOutput {
    let decision = JoinDecision::Refuse(refusal);
    RoomOutput::Decide { connection: connection(number), decision }
}

fn created(outputs: &[RoomOutput]) -> RoomId {
    match outputs {
        [RoomOutput::Create { room, .. }] => *room,
        other => panic!("not one creation: {other:?}"),
    }
}

#[test]
fn room_is_created_once_for_many_joins_and_admits_them_in_order() {
    let mut registry = Registry::new([arena()]);
    let room = created(&registry.join_room(0, "a"));
    for number in 1..100 {
        assert_eq!(registry.join_room(number, "a"), [], "the room is being created");
    }
    assert_eq!(registry.rooms.stats().waiting, 100);
    registry.left(7);
    registry.rooms.opened(registry.now, room);
    let expected: Vec<_> = (0..100).filter(|it| *it != 7).map(|it| admitted(it, room)).collect();
    assert_eq!(registry.outputs(), expected);
    assert_eq!(registry.join_room(100, "a"), [admitted(100, room)]);
    let stats = registry.rooms.stats();
    assert_eq!((stats.created_rooms, stats.players, stats.waiting, stats.joined), (1, 100, 0, 100));
}

#[test]
fn joins_of_different_rooms_create_different_rooms() {
    let mut registry = Registry::new([arena(), Template::new(name("duel"))]);
    let a = created(&registry.join_room(0, "a"));
    let outputs = registry.join(1, Selection::new(name("b")).template(name("duel")));
    let b = created(&outputs);
    assert_ne!(a, b);
    let RoomOutput::Create { template, .. } = &outputs[0] else { unreachable!() };
    assert_eq!(template.name, name("duel"));
    let wrong = registry.join(2, Selection::new(name("a")).template(name("duel")));
    assert_eq!(wrong, [refused(2, JoinRefusal::UnknownRoom)]);
}

#[test]
fn room_is_not_created_if_its_template_does_not_allow_it() {
    let invited = Template { auto_create: false, ..Template::new(name("invited")) };
    let locked = Template { locked: true, ..Template::new(name("locked")) };
    let private = Template { code: Some(code("1")), ..Template::new(name("private")) };
    let mut registry = Registry::new([invited, locked, private]);
    for (template, refusal) in [
        ("invited", JoinRefusal::UnknownRoom),
        ("locked", JoinRefusal::RoomLocked),
        ("private", JoinRefusal::WrongCode),
        ("none", JoinRefusal::UnknownTemplate),
        ("arena", JoinRefusal::UnknownTemplate),
    ] {
        let outputs = registry.join(0, Selection::new(name("a")).template(name(template)));
        assert_eq!(outputs, [refused(0, refusal)], "{template}");
    }
    let selection = Selection::new(name("a")).template(name("private")).code(code("1"));
    created(&registry.join(0, selection));
    assert_eq!(registry.rooms.stats().refused.total(), 5);
}

#[test]
fn reserved_room_is_created_with_its_own_settings() {
    let mut registry = Registry::new([arena()]);
    let mut own = Template::new(name("duel"));
    (own.code, own.auto_create) = (Some(code("1")), false);
    registry.rooms.reserve(name("a"), own.clone().into());
    assert_eq!(registry.join_room(0, "a"), [refused(0, JoinRefusal::WrongCode)]);
    let other = Selection::new(name("a")).template(name("arena")).code(code("1"));
    assert_eq!(registry.join(0, other), [refused(0, JoinRefusal::UnknownRoom)]);
    let outputs = registry.join(0, Selection::new(name("a")).code(code("1")));
    let RoomOutput::Create { template, .. } = &outputs[0] else { panic!("{outputs:?}") };
    assert_eq!(**template, own);
}

#[test]
fn full_locked_and_private_rooms_refuse_joins() {
    let mut registry = Registry::new([Template { max_players: 2, ..arena() }]);
    let room = registry.open("a");
    registry.rooms.set_locked(room, true);
    assert!(registry.rooms.is_refusing(room));
    assert_eq!(registry.join_room(0, "a"), [refused(0, JoinRefusal::RoomLocked)]);
    registry.rooms.set_locked(room, false);
    assert!(!registry.rooms.is_refusing(room));

    registry.rooms.set_code(room, Some(code("12")));
    assert_eq!(registry.join_room(0, "a"), [refused(0, JoinRefusal::WrongCode)]);
    let wrong = registry.join(0, Selection::new(name("a")).code(code("13")));
    assert_eq!(wrong, [refused(0, JoinRefusal::WrongCode)]);
    let right = registry.join(0, Selection::new(name("a")).code(code("12")));
    assert_eq!(right, [admitted(0, room)]);
    registry.rooms.set_code(room, None);

    assert_eq!(registry.join_room(1, "a"), [admitted(1, room)]);
    assert!(registry.rooms.is_refusing(room));
    assert_eq!(registry.join_room(2, "a"), [refused(2, JoinRefusal::RoomFull)]);
    registry.left(0);
    assert_eq!(registry.join_room(2, "a"), [admitted(2, room)]);
}

#[test]
fn peer_id_is_unique_in_its_room() {
    let mut registry = Registry::new([arena()]);
    let (a, b) = (registry.open("a"), registry.open("b"));
    let select = |room| Selection::new(name(room));
    assert_eq!(registry.join_as(0, 7, select("a")), [admitted(0, a)]);
    assert_eq!(registry.join_as(1, 7, select("a")), [refused(1, JoinRefusal::DuplicateId)]);
    assert_eq!(registry.join_as(2, 7, select("b")), [admitted(2, b)]);
    registry.left(0);
    assert_eq!(registry.join_as(1, 7, select("a")), [admitted(1, a)]);
    assert_eq!(registry.rooms.peer_ids(a), [PeerId::new(7).unwrap()]);
}

#[test]
fn number_of_rooms_is_bounded() {
    let mut registry = Registry::new([arena()]);
    let rooms: Vec<_> = (0..10).map(|number| registry.open(&format!("room-{number}"))).collect();
    assert_eq!(registry.join_room(0, "one-more"), [refused(0, JoinRefusal::TooManyRooms)]);
    let one_more = || (name("one-more"), name("arena"));
    let create = |registry: &mut Registry| registry.rooms.create(one_more().0, &one_more().1);
    assert_eq!(create(&mut registry), Err(CreateRefusal::TooManyRooms));
    registry.rooms.close(rooms[0]);
    assert_eq!(create(&mut registry), Err(CreateRefusal::TooManyRooms), "it is still closing");
    registry.rooms.ended(rooms[0]);
    assert!(create(&mut registry).is_ok());
}

#[test]
fn waiting_joins_are_bounded_per_room_and_in_sum() {
    let mut registry = Registry::new([Template { max_players: u16::MAX, ..arena() }]);
    let mut number = 0;
    let mut fill = |registry: &mut Registry, room: &str, count: usize| {
        (0..count).map(|_| (number += 1, registry.join_room(number, room)).1).last().unwrap()
    };
    fill(&mut registry, "a", WAITING_PER_ROOM_MAX);
    let beyond = fill(&mut registry, "a", 1);
    assert!(matches!(&beyond[..], [RoomOutput::Decide { decision, .. }]
        if *decision == JoinDecision::Refuse(JoinRefusal::TooManyWaiting)));
    fill(&mut registry, "b", WAITING_MAX - WAITING_PER_ROOM_MAX);
    fill(&mut registry, "b", 1);
    fill(&mut registry, "c", 1);
    let stats = registry.rooms.stats();
    assert_eq!((stats.waiting, stats.creating), (WAITING_MAX, 2));
    assert_eq!(stats.refused.get(JoinRefusal::TooManyWaiting), 3);
}

#[test]
fn failed_and_closed_rooms_refuse_the_joins_that_wait() {
    let mut registry = Registry::new([arena()]);
    let failed = created(&registry.join_room(0, "a"));
    registry.rooms.failed(failed);
    assert_eq!(registry.outputs(), [refused(0, JoinRefusal::RoomFailed)]);

    let closed = created(&registry.join_room(1, "a"));
    registry.rooms.close(closed);
    assert_eq!(registry.outputs(), [refused(1, JoinRefusal::RoomClosed)]);
    registry.rooms.opened(registry.now, closed);
    assert_eq!(registry.outputs(), [RoomOutput::Close { room: closed }]);
    registry.rooms.ended(closed);
    let stats = registry.rooms.stats();
    assert_eq!((stats.open, stats.creating, stats.closing), (0, 0, 0));
    assert_eq!((stats.waiting, stats.players), (0, 0));
    created(&registry.join_room(2, "a"));
}

#[test]
fn room_that_ends_by_itself_frees_its_name_and_forgets_its_players() {
    let mut registry = Registry::new([arena()]);
    let first = registry.open("a");
    registry.join_room(0, "a");
    registry.rooms.ended(first);
    assert_eq!(registry.rooms.find_by_name(&name("a")), None);
    let second = created(&registry.join_room(1, "a"));
    assert_ne!(first, second);
    registry.left(0);
    assert_eq!(registry.rooms.player_count(second), 1);
}

#[test]
fn empty_rooms_close_after_their_timeouts() {
    let mut registry = Registry::new([arena()]);
    let never_joined = registry.open("a");
    let joined = registry.open("b");
    registry.join_room(0, "b");
    registry.pass(Duration::from_secs(1));
    registry.left(0);
    assert_eq!(registry.rooms.poll_timeout(), Some(registry.now + DEPARTURE_TIMEOUT));
    assert_eq!(registry.pass(DEPARTURE_TIMEOUT), [RoomOutput::Close { room: joined }]);
    let rest = EMPTY_TIMEOUT - DEPARTURE_TIMEOUT - Duration::from_secs(1);
    assert_eq!(registry.pass(rest - Duration::from_millis(1)), []);
    let close = [RoomOutput::Close { room: never_joined }];
    assert_eq!(registry.pass(Duration::from_millis(1)), close);
    assert_eq!(registry.rooms.poll_timeout(), None);
}

#[test]
fn join_stops_the_timeout_of_a_room() {
    let mut registry = Registry::new([arena()]);
    let room = registry.open("a");
    registry.join_room(0, "a");
    assert_eq!(registry.rooms.poll_timeout(), None);
    registry.left(0);
    registry.pass(DEPARTURE_TIMEOUT / 2);
    assert_eq!(registry.join_room(1, "a"), [admitted(1, room)]);
    assert_eq!(registry.pass(EMPTY_TIMEOUT), []);
}

#[test]
fn room_whose_only_joins_left_before_it_opened_closes_after_the_departure_timeout() {
    let mut registry = Registry::new([arena()]);
    let room = created(&registry.join_room(0, "a"));
    registry.left(0);
    assert_eq!(registry.rooms.poll_timeout(), None, "it is not open");
    registry.rooms.opened(registry.now, room);
    assert_eq!(registry.rooms.poll_timeout(), Some(registry.now + DEPARTURE_TIMEOUT));
}

#[test]
fn room_without_timeouts_stays() {
    let stays = Template { empty_timeout: None, departure_timeout: None, ..arena() };
    let mut registry = Registry::new([stays]);
    registry.open("a");
    registry.join_room(0, "a");
    registry.left(0);
    assert_eq!(registry.rooms.poll_timeout(), None);
}

#[test]
fn draining_registry_refuses_joins_and_creations() {
    let mut registry = Registry::new([arena()]);
    let open = registry.open("a");
    registry.join_room(0, "a");
    registry.join_room(1, "b");
    registry.rooms.drain();
    assert_eq!(registry.outputs(), [refused(1, JoinRefusal::Draining)]);
    assert_eq!(registry.join_room(2, "a"), [refused(2, JoinRefusal::Draining)]);
    let refused = registry.rooms.create(name("c"), &name("arena"));
    assert_eq!(refused, Err(CreateRefusal::Draining));
    assert_eq!(registry.rooms.player_count(open), 1, "players stay");
}

#[test]
fn registry_refuses_newcomers_during_a_shortage_and_keeps_its_players() {
    for (shortage, refusal, create_refusal) in [
        (Shortage::Load, JoinRefusal::Overloaded, CreateRefusal::Overloaded),
        (Shortage::Memory, JoinRefusal::OutOfMemory, CreateRefusal::OutOfMemory),
    ] {
        let mut registry = Registry::new([arena()]);
        let open = registry.open("a");
        registry.join_room(0, "a");
        registry.rooms.set_shortage(Some(shortage));
        assert_eq!(registry.join_room(1, "a"), [refused(1, refusal)]);
        assert_eq!(registry.join_room(1, "b"), [refused(1, refusal)]);
        let created = registry.rooms.create(name("c"), &name("arena"));
        assert_eq!(created, Err(create_refusal));
        assert_eq!(registry.rooms.player_count(open), 1);
        assert_eq!(registry.rooms.stats().refused.get(refusal), 2);
        registry.rooms.set_shortage(None);
        registry.join_room(1, "a");
        assert_eq!(registry.rooms.player_count(open), 2);
    }
}

#[test]
fn overloaded_room_refuses_joins_and_keeps_its_players_and_other_rooms_do_not_refuse() {
    let mut registry = Registry::new([arena()]);
    let (a, b) = (registry.open("a"), registry.open("b"));
    registry.join_room(0, "a");
    assert!(registry.rooms.set_overloaded(a, true));
    assert!(registry.rooms.is_refusing(a) && !registry.rooms.is_refusing(b));
    assert_eq!(registry.join_room(1, "a"), [refused(1, JoinRefusal::Overloaded)]);
    assert_eq!(registry.join_room(2, "b"), [admitted(2, b)]);
    created(&registry.join_room(3, "c"));
    assert_eq!(registry.rooms.player_count(a), 1);
    let info = registry.rooms.get(a).unwrap();
    assert_eq!((info.is_overloaded, info.state), (true, RoomState::Open));
    assert_eq!(registry.rooms.stats().refused.get(JoinRefusal::Overloaded), 1);
    registry.rooms.set_overloaded(a, false);
    assert_eq!(registry.join_room(1, "a"), [admitted(1, a)]);
    registry.rooms.close(a);
    assert!(!registry.rooms.set_overloaded(a, true));
}

#[test]
fn closed_rooms_are_counted_by_reason() {
    let mut registry = Registry::new([arena()]);
    let rooms: Vec<_> = (0..5)
        .map(|number| created(&registry.join_room(number, &format!("room-{number}"))))
        .collect();
    let now = registry.now;
    rooms[1..].iter().for_each(|&room| registry.rooms.opened(now, room));
    registry.rooms.failed(rooms[0]);
    registry.rooms.ended(rooms[1]);
    assert!(registry.rooms.close(rooms[2]));
    registry.rooms.ended(rooms[2]);
    registry.rooms.left(now, connection(3));
    registry.now += DEPARTURE_TIMEOUT;
    registry.rooms.handle_timeout(registry.now);
    let stats = registry.rooms.stats();
    let ends = [RoomEnd::Closed, RoomEnd::Empty, RoomEnd::Ended, RoomEnd::Failed];
    assert_eq!(ends.map(|end| stats.closed_rooms.get(end)), [1; 4]);
    assert_eq!(stats.created_rooms, stats.closed_rooms.total() + stats.open as u64);
}

#[test]
fn rooms_are_described() {
    let mut registry = Registry::new([Template { code: Some(code("1")), ..arena() }]);
    let room = registry.open("a");
    let metadata = Metadata::from([("map".to_owned(), "hill".to_owned())]);
    registry.rooms.set_metadata(room, metadata.clone());
    registry.rooms.set_max_players(room, 3);
    let info = registry.rooms.get(room).unwrap();
    assert_eq!(registry.rooms.list().collect::<Vec<_>>(), std::slice::from_ref(&info));
    assert_eq!((info.name, info.template), (name("a"), name("arena")));
    assert_eq!((info.players, info.max_players, info.is_private), (0, 3, true));
    assert_eq!((info.state, info.metadata), (RoomState::Open, metadata));
    registry.rooms.close(room);
    assert!(!registry.rooms.set_locked(room, true));
}
