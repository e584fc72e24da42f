//! Moves of players between rooms.

use mp_identity::{Identity, Subject};

use super::*;
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
    fn start_move(&mut self, from: RoomId, to: RoomId) -> Result<ListenerConnection, MoveRefusal> {
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
