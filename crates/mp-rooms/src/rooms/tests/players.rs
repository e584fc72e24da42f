//! Players with identities.

use mp_identity::{Identity, Subject};

use super::*;
use crate::matchmaking::MatchVerb;
use crate::notice::NoticeText;
use crate::refusal::Removal;

fn kay() -> Identity {
    player("kay")
}

pub(super) fn player(subject: &str) -> Identity {
    Identity::new(Subject::new(subject).unwrap()).with_create(true)
}

pub(super) fn with(same_player: SamePlayer) -> Registry {
    let mut registry = Registry::new([arena()]);
    registry.rooms.settings.same_player = same_player;
    registry
}

fn request(number: u32, selection: Result<Selection, JoinRefusal>) -> Join {
    Join::new(connection(number), PeerId::new(number as i32 + 2), selection)
}

impl Registry {
    fn join_request(&mut self, join: Join, identity: Identity) -> Vec<RoomOutput> {
        self.rooms.join_as(self.now, join, Arc::new(identity));
        self.outputs()
    }

    pub(super) fn join_room_as(
        &mut self,
        number: u32,
        room: &str,
        identity: Identity,
    ) -> Vec<RoomOutput> {
        self.join_request(request(number, Ok(Selection::new(name(room)))), identity)
    }
}

pub(super) fn disconnected(number: u32, room: Option<RoomId>, removal: Removal) -> RoomOutput {
    RoomOutput::Disconnect { connection: connection(number), room, removal, text: None }
}

#[test]
fn identity_restricts_the_room_and_selects_it_for_clients_that_select_none() {
    let mut registry = Registry::new([arena(), Template::new(name("duel"))]);
    let (a, b) = (registry.open("a"), registry.open("b"));
    let of_a = || kay().with_room("a").unwrap();
    assert_eq!(registry.join_room_as(0, "a", of_a()), [admitted(0, a)]);
    registry.left(0);
    assert_eq!(registry.join_room_as(1, "b", of_a()), [refused(1, JoinRefusal::WrongRoom)]);
    let none = || request(2, Err(JoinRefusal::NoRoomSelected));
    assert_eq!(registry.join_request(none(), of_a()), [admitted(2, a)]);
    registry.left(2);
    let no_room = refused(2, JoinRefusal::NoRoomSelected);
    assert_eq!(registry.join_request(none(), kay()), [no_room]);

    // A listener's own room gives way if the client could have selected another one.
    let by_listener = |is_default| Join { is_default, ..request(3, Ok(Selection::new(name("b")))) };
    let wrong = refused(3, JoinRefusal::WrongRoom);
    assert_eq!(registry.join_request(by_listener(false), of_a()), [wrong]);
    assert_eq!(registry.join_request(by_listener(true), of_a()), [admitted(3, a)]);
    registry.left(3);
    assert_eq!(registry.join_request(by_listener(true), kay()), [admitted(3, b)]);
    registry.left(3);

    // The listener's template creates the room of an identity.
    let join = Join { template: Some(name("duel")), ..none() };
    let duel = created(&registry.join_request(join, kay().with_room("c").unwrap()));
    assert_eq!(registry.rooms.get(duel).unwrap().template, name("duel"));
    registry.left(2);
    let unnameable = kay().with_room("no room").unwrap();
    assert_eq!(registry.join_room_as(4, "a", unnameable), [refused(4, JoinRefusal::WrongRoom)]);
}

#[test]
fn player_creates_rooms_only_with_the_right_and_within_its_limits() {
    let mut registry = Registry::new([arena()]);
    registry.rooms.reserve(name("lobby"), arena().into());
    let may_not = || kay().with_create(false);
    let may_not_create = refused(0, JoinRefusal::MayNotCreate);
    assert_eq!(registry.join_room_as(0, "a", may_not()), [may_not_create]);
    let a = registry.open("a");
    assert_eq!(registry.join_room_as(0, "a", may_not()), [admitted(0, a)]);
    registry.left(0);
    created(&registry.join_room_as(0, "lobby", may_not()));
    registry.left(0);

    for (claim, max_players) in [(3, 3), (0, 1), (60_000, crate::limits::MAX_PLAYERS_DEFAULT)] {
        let identity = kay().with_max_players(Some(claim));
        let room = created(&registry.join_room_as(1, "b", identity));
        assert_eq!(registry.rooms.get(room).unwrap().max_players, max_players, "{claim}");
        registry.rooms.close(room);
        registry.outputs();
    }
}

#[test]
fn number_of_rooms_that_a_player_has_created_is_limited_until_one_ends() {
    let mut registry = with(SamePlayer::Allow);
    registry.rooms.settings.max_rooms_per_player = Some(2);
    let a = created(&registry.join_room_as(0, "a", kay()));
    created(&registry.join_room_as(1, "b", kay()));
    let too_many = refused(2, JoinRefusal::TooManyRoomsOfPlayer);
    assert_eq!(registry.join_room_as(2, "c", kay()), [too_many]);
    created(&registry.join_room_as(3, "d", player("bob")));
    created(&registry.join_room(4, "e"));
    assert_eq!(registry.join_room_as(5, "d", kay()), [], "it waits for an existing room");
    registry.rooms.close(a);
    registry.outputs();
    created(&registry.join_room_as(2, "c", kay()));
}

#[test]
fn number_of_players_and_seats_of_all_rooms_is_limited() {
    let mut registry = with(SamePlayer::Replace);
    registry.rooms.settings.max_players = Some(3);
    let (a, b) = (registry.open("a"), registry.open("b"));
    registry.join_room(0, "a");
    registry.seat(1, MatchVerb::JoinById(a)).unwrap();
    registry.join_room_as(1, "a", kay());
    let full = || [refused(2, JoinRefusal::ServerFull)];
    assert_eq!(registry.join_room(2, "b"), full());
    assert_eq!(registry.seat(2, MatchVerb::JoinById(b)), Err(MatchRefusal::ServerFull));

    assert!(!registry.rooms.is_full(), "the owner of the seat may join");
    assert_eq!(registry.take(3, 1), [admitted(3, a)], "a seat is a place");
    assert!(registry.rooms.is_full());
    assert_eq!(registry.join_room(2, "c"), full());
    assert_eq!(registry.rooms.list().count(), 2, "no room is created");
    let replaced = disconnected(1, Some(a), Removal::Replaced);
    assert_eq!(registry.join_room_as(4, "b", kay()), [replaced, admitted(4, b)]);
    registry.left(0);
    assert_eq!(registry.join_room(2, "b"), [admitted(2, b)]);
}

#[test]
fn new_connection_of_a_player_replaces_the_others_in_all_rooms() {
    let mut registry = with(SamePlayer::Replace);
    let (a, b) = (registry.open("a"), registry.open("b"));
    registry.join_room_as(0, "a", kay());
    registry.join_room_as(1, "a", player("bob"));
    let replaced = disconnected(0, Some(a), Removal::Replaced);
    assert_eq!(registry.join_room_as(2, "b", kay()), [replaced, admitted(2, b)]);
    assert_eq!((registry.rooms.player_count(a), registry.rooms.player_count(b)), (1, 1));
    registry.left(0);
    assert_eq!(registry.rooms.players(), 2, "its end is ignored");

    // Also while it waits for a room that is being created.
    let outputs = registry.join_room_as(3, "c", player("bob"));
    created(&outputs[..1]);
    assert_eq!(outputs[1..], [disconnected(1, Some(a), Removal::Replaced)]);
    let replaced = disconnected(3, None, Removal::Replaced);
    assert_eq!(registry.join_room_as(4, "b", player("bob")), [replaced, admitted(4, b)]);
    assert_eq!(registry.rooms.stats().waiting, 0);
}

#[test]
fn player_keeps_its_connection_if_the_new_one_is_refused() {
    let mut registry = with(SamePlayer::Replace);
    let (a, b) = (registry.open("a"), registry.open("b"));
    registry.join_room_as(0, "a", kay());
    registry.rooms.set_locked(b, true);
    assert_eq!(registry.join_room_as(1, "b", kay()), [refused(1, JoinRefusal::RoomLocked)]);
    assert_eq!(registry.rooms.player_count(a), 1);
}

#[test]
fn player_takes_over_its_own_place_in_a_full_locked_and_private_room() {
    let mut registry = with(SamePlayer::Replace);
    let a = registry.open("a");
    registry.join_room_as(0, "a", kay());
    registry.rooms.set_max_players(a, 1);
    registry.rooms.set_locked(a, true);
    registry.rooms.set_code(a, Some(code("1")));
    let other = registry.join_room_as(1, "a", player("bob"));
    assert_eq!(other, [refused(1, JoinRefusal::RoomLocked)]);
    let again = Join::new(connection(2), PeerId::new(2), Ok(Selection::new(name("a"))));
    let replaced = disconnected(0, Some(a), Removal::Replaced);
    assert_eq!(registry.join_request(again, kay()), [replaced, admitted(2, a)], "with the same id");
    assert_eq!(registry.rooms.peer_ids(a), [PeerId::new(2).unwrap()]);
}

#[test]
fn second_connection_of_a_player_is_refused_or_stays() {
    let mut registry = with(SamePlayer::Reject);
    let a = registry.open("a");
    registry.join_room_as(0, "a", kay());
    let refusal = JoinRefusal::AlreadyConnected;
    assert_eq!(registry.join_room_as(1, "a", kay()), [refused(1, refusal)]);
    assert_eq!(registry.rooms.stats().refused.get(refusal), 1);
    registry.left(0);
    assert_eq!(registry.join_room_as(1, "a", kay()), [admitted(1, a)]);

    let mut registry = with(SamePlayer::Allow);
    let a = registry.open("a");
    registry.join_room_as(0, "a", kay());
    assert_eq!(registry.join_room_as(1, "a", kay()), [admitted(1, a)]);
}

#[test]
fn limits_of_a_join_are_those_that_other_servers_have_to_check() {
    let mut registry = with(SamePlayer::Reject);
    registry.rooms.settings.max_rooms_per_player = Some(2);
    registry.rooms.reserve(name("lobby"), arena().into());
    registry.open("a");
    let limits = |registry: &Registry, room: &str, identity: Identity| {
        let join = request(9, Ok(Selection::new(name(room))));
        let limits = registry.rooms.limits_of_join(&join, &identity)?;
        Some((limits.is_single, limits.max_rooms))
    };
    assert_eq!(limits(&registry, "a", kay()), Some((true, None)));
    assert_eq!(limits(&registry, "lobby", kay()), Some((true, None)), "it has no owner");
    assert_eq!(limits(&registry, "b", kay()), Some((true, Some(2))));
    assert_eq!(limits(&registry, "b", kay().with_create(false)), None, "it is refused here");
    assert_eq!(limits(&registry, "b", Identity::anonymous()), None);

    created(&registry.join_room_as(0, "b", kay()));
    assert_eq!(limits(&registry, "a", kay()), None, "it is refused here");
    let usage = registry.rooms.usage_of(kay().subject().unwrap());
    assert_eq!((usage.is_connected, usage.rooms), (true, 1));
    registry.rooms.settings.same_player = SamePlayer::Replace;
    assert_eq!(limits(&registry, "a", kay()), None);
    assert_eq!(limits(&registry, "c", kay()), Some((false, Some(2))));
}

#[test]
fn players_without_a_subject_are_not_the_same() {
    let mut registry = with(SamePlayer::Reject);
    let a = registry.open("a");
    for number in 0..2 {
        let admitted = [admitted(number, a)];
        assert_eq!(registry.join_room_as(number, "a", Identity::anonymous()), admitted);
    }
    assert_eq!(registry.rooms.identity(a, PeerId::new(2).unwrap()), None);
}

#[test]
fn player_is_known_while_it_is_connected_and_can_be_disconnected() {
    let mut registry = with(SamePlayer::Allow);
    let a = registry.open("a");
    registry.join_room_as(0, "a", kay());
    registry.join_room_as(1, "a", kay());
    let peer = PeerId::new(3).unwrap();
    assert_eq!(registry.rooms.identity(a, peer).map(|it| (**it).clone()), Some(kay()));
    assert_eq!(registry.rooms.connection_of(a, peer), Some(connection(1)));
    let subject = Subject::new("kay").unwrap();
    let now = registry.now;
    assert!(registry.rooms.disconnect(now, connection(1), Removal::Kicked));
    assert!(!registry.rooms.disconnect(now, connection(1), Removal::Kicked));
    assert_eq!(registry.rooms.identity(a, peer), None);
    assert_eq!(registry.rooms.disconnect_player(now, &subject, Removal::Banned, None), 1);
    assert_eq!(registry.rooms.disconnect_player(now, &subject, Removal::Banned, None), 0);
    let outputs =
        [disconnected(1, Some(a), Removal::Kicked), disconnected(0, Some(a), Removal::Banned)];
    assert_eq!((registry.outputs(), registry.rooms.players()), (outputs.to_vec(), 0));
}

#[test]
fn kicked_player_is_disconnected_with_the_text_of_the_operator() {
    let mut registry = with(SamePlayer::Allow);
    let a = registry.open("a");
    registry.join_room_as(0, "a", kay());
    let (now, peer) = (registry.now, PeerId::new(2).unwrap());
    let text = Some(NoticeText::new("be nice").unwrap());
    assert!(!registry.rooms.kick(now, a, PeerId::new(3).unwrap(), None));
    assert!(registry.rooms.kick(now, a, peer, text.clone()));
    assert!(!registry.rooms.kick(now, a, peer, text.clone()));
    let (connection, room, removal) = (connection(0), Some(a), Removal::Kicked);
    let output = RoomOutput::Disconnect { connection, room, removal, text };
    assert_eq!((registry.outputs(), registry.rooms.players()), (vec![output], 0));
}
