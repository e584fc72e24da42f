//! Moves of players between rooms.

use mp_identity::{Identity, Subject};

use super::seats::ticket;
use super::*;
use crate::limits::SEAT_TIMEOUT;
use crate::matchmaking::{MatchRequest, MatchVerb};
use crate::refusal::MoveRefusal;

fn moving() -> Template {
    Template { moves: true, ..arena() }
}

fn peer(id: i32) -> PeerId {
    PeerId::new(id).unwrap()
}

/// A registry with the rooms `lobby` and `arena`, and the player 2 on connection 0 in the lobby.
fn two_rooms() -> (Registry, RoomId, RoomId) {
    let mut registry = Registry::new([moving()]);
    let (lobby, arena) = (registry.open("lobby"), registry.open("arena"));
    registry.join_room(0, "lobby");
    (registry, lobby, arena)
}

impl Registry {
    fn start_move(
        &mut self,
        from: RoomId,
        to: impl Into<MoveTarget>,
    ) -> Result<ListenerConnection, MoveRefusal> {
        self.rooms.start_move(self.now, from, peer(2), to)
    }

    fn end_move(&mut self, has_moved: bool) -> bool {
        self.rooms.end_move(self.now, connection(0), has_moved)
    }

    /// Returns the numbers of players of two rooms, and of the server.
    fn players(&self, rooms: [RoomId; 2]) -> ([usize; 2], usize) {
        (rooms.map(|room| self.rooms.player_count(room)), self.rooms.players())
    }
}

#[test]
fn moving_player_has_a_place_in_both_rooms_and_then_in_the_new_one() {
    let (mut registry, lobby, arena) = two_rooms();
    registry.rooms.set_max_players(arena, 1);
    assert_eq!(registry.start_move(lobby, arena), Ok(connection(0)));
    assert_eq!(registry.players([lobby, arena]), ([1, 1], 1));
    assert_eq!(registry.join_room(1, "arena"), [refused(1, JoinRefusal::RoomFull)]);
    assert_eq!(registry.start_move(lobby, arena), Err(MoveRefusal::AlreadyMoving));
    assert_eq!(registry.start_move(arena, lobby), Err(MoveRefusal::AlreadyMoving));
    assert!(registry.end_move(true));
    assert_eq!(registry.players([lobby, arena]), ([0, 1], 1));
    assert_eq!(registry.rooms.peer_ids(arena), [peer(2)]);
    assert_eq!(registry.rooms.left(registry.now, connection(0)), Some(arena));
    assert_eq!(registry.players([lobby, arena]), ([0, 0], 0));
    let stats = registry.rooms.stats();
    assert_eq!((stats.moved, stats.refused_moves, stats.failed_moves), (1, 2, 0));
}

#[test]
fn failed_move_frees_the_place_in_the_new_room() {
    let (mut registry, lobby, arena) = two_rooms();
    registry.start_move(lobby, arena).unwrap();
    assert!(registry.end_move(false));
    assert_eq!(registry.players([lobby, arena]), ([1, 0], 1));
    assert_eq!(registry.rooms.stats().failed_moves, 1);
    assert_eq!(registry.rooms.left(registry.now, connection(0)), Some(lobby));
}

#[test]
fn connection_that_leaves_during_its_move_leaves_both_rooms() {
    for has_moved in [true, false] {
        let (mut registry, lobby, arena) = two_rooms();
        registry.start_move(lobby, arena).unwrap();
        assert_eq!(registry.rooms.left(registry.now, connection(0)), Some(lobby));
        assert_eq!(registry.players([lobby, arena]), ([0, 0], 0));
        assert!(!registry.end_move(has_moved));
        assert_eq!(registry.players([lobby, arena]), ([0, 0], 0));
    }
}

#[test]
fn room_closes_after_its_last_player_has_moved_and_not_while_one_moves_to_it() {
    let (mut registry, lobby, arena) = two_rooms();
    registry.start_move(lobby, arena).unwrap();
    assert_eq!(registry.pass(EMPTY_TIMEOUT + DEPARTURE_TIMEOUT), []);
    registry.end_move(true);
    assert_eq!(registry.pass(DEPARTURE_TIMEOUT), [RoomOutput::Close { room: lobby }]);
    assert_eq!(registry.players([lobby, arena]), ([0, 1], 1));

    let (mut registry, lobby, arena) = two_rooms();
    registry.start_move(lobby, arena).unwrap();
    registry.end_move(false);
    assert_eq!(registry.pass(DEPARTURE_TIMEOUT), [RoomOutput::Close { room: arena }]);
    assert_eq!(registry.players([lobby, arena]), ([1, 0], 1));
}

#[test]
fn rooms_that_close_during_a_move_leave_no_place_behind() {
    for (closes_source, has_moved) in [(true, true), (true, false), (false, true), (false, false)] {
        let (mut registry, lobby, arena) = two_rooms();
        registry.start_move(lobby, arena).unwrap();
        registry.rooms.close(if closes_source { lobby } else { arena });
        assert!(registry.end_move(has_moved));
        let open = [lobby, arena].into_iter().find(|&room| registry.rooms.get(room).is_some());
        let is_in_open = closes_source == has_moved;
        let open = open.unwrap();
        assert_eq!(registry.rooms.player_count(open), usize::from(is_in_open));
        let left = registry.rooms.left(registry.now, connection(0));
        assert_eq!(left, is_in_open.then_some(open));
        assert_eq!(registry.players([lobby, arena]), ([0, 0], 0));
    }
}

/// A change after which the registry refuses a move to a room. Returns false if it had no effect.
type Change = fn(&mut Registry, RoomId) -> bool;

#[test]
fn refused_move_changes_nothing() {
    let change: [(Change, MoveRefusal); 7] = [
        (|it, arena| it.rooms.set_locked(arena, true), MoveRefusal::RoomLocked),
        (|it, arena| it.rooms.set_code(arena, Some(code("1"))), MoveRefusal::RoomPrivate),
        (|it, arena| it.rooms.set_max_players(arena, 0), MoveRefusal::RoomFull),
        (|it, arena| it.rooms.set_overloaded(arena, true), MoveRefusal::Overloaded),
        (
            |it, _| !it.join_as(9, 2, Selection::new(name("arena"))).is_empty(),
            MoveRefusal::DuplicateId,
        ),
        (|it, arena| it.rooms.close(arena), MoveRefusal::UnknownRoom),
        (
            |it, _| {
                it.rooms.drain();
                true
            },
            MoveRefusal::Draining,
        ),
    ];
    for (change, refusal) in change {
        let (mut registry, lobby, arena) = two_rooms();
        assert!(change(&mut registry, arena));
        let before = registry.players([lobby, arena]);
        assert_eq!(registry.start_move(lobby, arena), Err(refusal));
        assert_eq!(registry.players([lobby, arena]), before);
        assert_eq!(registry.rooms.left(registry.now, connection(0)), Some(lobby));
    }
    let (mut registry, lobby, arena) = two_rooms();
    assert_eq!(registry.start_move(lobby, lobby), Err(MoveRefusal::SameRoom));
    assert_eq!(registry.start_move(arena, lobby), Err(MoveRefusal::UnknownPeer));
    let creating = registry.rooms.create(name("new"), &name("arena")).unwrap();
    assert_eq!(registry.start_move(lobby, creating), Err(MoveRefusal::RoomNotOpen));
    registry.join_room(1, "new");
    let of_waiting = registry.rooms.start_move(registry.now, creating, peer(3), arena);
    assert_eq!(of_waiting, Err(MoveRefusal::UnknownPeer));
}

#[test]
fn players_move_only_between_rooms_whose_templates_allow_it() {
    let fixed = Template::new(name("fixed"));
    for (from, to, refusal) in [
        (moving(), fixed.clone(), MoveRefusal::NoMovesToRoom),
        (fixed, moving(), MoveRefusal::NoMovesFromRoom),
    ] {
        let mut registry = Registry::new([]);
        let [lobby, arena] = [("lobby", from), ("arena", to)].map(|(room, template)| {
            let room = registry.rooms.create_with(name(room), template.into()).unwrap();
            registry.rooms.opened(registry.now, room);
            room
        });
        registry.join_room(0, "lobby");
        assert_eq!(registry.start_move(lobby, arena), Err(refusal));
    }
}

#[test]
fn identity_and_ownership_survive_a_move() {
    let mut registry = Registry::new([moving()]);
    registry.rooms.settings.max_rooms_per_player = Some(1);
    let arena = registry.open("arena");
    let kay = || Identity::new(Subject::new("kay").unwrap()).with_create(true);
    let kay = || kay().with_room("lobby").unwrap();
    let join = Join::new(connection(0), PeerId::new(2), Ok(Selection::new(name("lobby"))));
    registry.rooms.join_as(registry.now, join, kay().into());
    let lobby = created(&registry.outputs());
    registry.rooms.opened(registry.now, lobby);
    registry.start_move(lobby, arena).unwrap();
    assert_eq!(**registry.rooms.identity(arena, peer(2)).unwrap(), kay());
    registry.end_move(true);
    assert_eq!(**registry.rooms.identity(arena, peer(2)).unwrap(), kay());
    assert_eq!(registry.rooms.identity(lobby, peer(2)), None);
    assert_eq!(registry.rooms.players.owned(kay().subject().unwrap()), 1);
    registry.rooms.close(lobby);
    assert_eq!(registry.rooms.players.owned(kay().subject().unwrap()), 0);
}

#[test]
fn private_room_accepts_a_move_with_its_code() {
    let (mut registry, lobby, arena) = two_rooms();
    registry.rooms.set_code(arena, Some(code("1")));
    assert_eq!(registry.start_move(lobby, arena), Err(MoveRefusal::RoomPrivate));
    let wrong = MoveTarget::new(arena).code(code("2"));
    assert_eq!(registry.start_move(lobby, wrong), Err(MoveRefusal::WrongCode));
    let right = MoveTarget::new(arena).code(code("1"));
    registry.rooms.set_locked(arena, true);
    assert_eq!(registry.start_move(lobby, right.clone()), Err(MoveRefusal::RoomLocked));
    registry.rooms.set_locked(arena, false);
    assert_eq!(registry.start_move(lobby, right), Ok(connection(0)));
    assert!(registry.end_move(true));
    assert_eq!(registry.players([lobby, arena]), ([0, 1], 1));
}

/// Reserves a seat of `arena` for ticket 1, and closes the room for all others.
fn reserve(registry: &mut Registry, arena: RoomId) -> MoveTarget {
    registry.seat(1, MatchVerb::JoinById(arena)).unwrap();
    registry.rooms.set_max_players(arena, 1);
    registry.rooms.set_code(arena, Some(code("1")));
    registry.rooms.set_overloaded(arena, true);
    registry.rooms.set_locked(arena, true);
    MoveTarget::new(arena).seat(ticket(1))
}

#[test]
fn player_moves_by_a_seat_to_a_room_that_refuses_all_others_and_the_ticket_is_used() {
    let (mut registry, lobby, arena) = two_rooms();
    let target = reserve(&mut registry, arena);
    assert_eq!(registry.start_move(lobby, target.clone()), Ok(connection(0)));
    assert_eq!(registry.take(1, 1), [refused(1, JoinRefusal::InvalidTicket)]);
    assert_eq!(registry.rooms.get(arena).map(|it| (it.players, it.seats)), Some((1, 0)));
    assert!(registry.end_move(true));
    let stats = registry.rooms.stats();
    assert_eq!((stats.players, stats.seats, stats.taken_seats), (1, 0, 1));
    assert_eq!(registry.start_move(arena, lobby), Ok(connection(0)));
    assert!(registry.end_move(true));
    assert_eq!(registry.start_move(lobby, target), Err(MoveRefusal::InvalidTicket));
}

#[test]
fn seat_of_a_player_who_does_not_arrive_is_reserved_again_for_the_same_time() {
    for leaves in [true, false] {
        let (mut registry, lobby, arena) = two_rooms();
        let target = reserve(&mut registry, arena);
        registry.start_move(lobby, target).unwrap();
        match leaves {
            true => drop(registry.rooms.left(registry.now, connection(0))),
            false => assert!(registry.end_move(false)),
        }
        assert_eq!(registry.rooms.get(arena).map(|it| (it.players, it.seats)), Some((0, 1)));
        assert_eq!(registry.rooms.stats().taken_seats, 0);
        registry.pass(SEAT_TIMEOUT / 2);
        assert_eq!(registry.take(1, 1), [admitted(1, arena)]);

        let (mut registry, lobby, arena) = two_rooms();
        let target = reserve(&mut registry, arena);
        registry.start_move(lobby, target).unwrap();
        registry.pass(SEAT_TIMEOUT);
        assert!(registry.end_move(false));
        registry.pass(Duration::ZERO);
        assert_eq!(registry.rooms.get(arena).map(|it| (it.players, it.seats)), Some((0, 0)));
    }
}

#[test]
fn seat_that_is_unknown_expired_or_of_another_room_or_player_admits_no_player() {
    let invalid = Err(MoveRefusal::InvalidTicket);
    let (mut registry, lobby, arena) = two_rooms();
    let target = MoveTarget::new(arena).seat(ticket(1));
    assert_eq!(registry.start_move(lobby, target.clone()), invalid);
    let other = registry.open("other");
    registry.seat(1, MatchVerb::JoinById(other)).unwrap();
    assert_eq!(registry.start_move(lobby, target.clone()), invalid);
    registry.seat(2, MatchVerb::JoinById(arena)).unwrap();
    registry.now += SEAT_TIMEOUT;
    assert_eq!(registry.start_move(lobby, MoveTarget::new(arena).seat(ticket(2))), invalid);

    for (owner, is_admitted) in [("kay", true), ("lou", false)] {
        let mut registry = Registry::new([moving()]);
        let (lobby, arena) = (registry.open("lobby"), registry.open("arena"));
        let join = Join::new(connection(0), PeerId::new(2), Ok(Selection::new(name("lobby"))));
        let player = |sub| Arc::new(Identity::new(Subject::new(sub).unwrap()));
        registry.rooms.join_as(registry.now, join, player("kay"));
        let (verb, request) = (MatchVerb::JoinById(arena), MatchRequest::new(name("arena")));
        let of = ticket(1);
        let owner = player(owner);
        registry.rooms.request_seat_as(registry.now, verb, &request, of, &owner).unwrap();
        let target = MoveTarget::new(arena).seat(of);
        assert_eq!(registry.start_move(lobby, target).is_ok(), is_admitted, "{owner:?}");
    }
}

#[test]
fn peer_id_is_unique_in_a_room_that_a_player_enters_by_a_seat() {
    let (mut registry, lobby, arena) = two_rooms();
    registry.seat(1, MatchVerb::JoinById(arena)).unwrap();
    registry.join_as(9, 2, Selection::new(name("arena")));
    let target = MoveTarget::new(arena).seat(ticket(1));
    assert_eq!(registry.start_move(lobby, target), Err(MoveRefusal::DuplicateId));
}
