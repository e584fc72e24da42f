//! Requests for seats.

use mp_identity::Identity;

use super::seats::ticket;
use super::*;
use crate::matchmaking::{Filter, MatchRequest, MatchVerb, Reservation};

fn filter(pairs: &[(&str, &str)]) -> Filter {
    let text = |&(key, text): &(&str, &str)| (key.to_owned(), text.to_owned());
    Filter::new(pairs.iter().map(text).collect()).unwrap()
}

fn request() -> MatchRequest {
    MatchRequest::new(name("arena"))
}

impl Registry {
    fn request(
        &mut self,
        number: u64,
        verb: MatchVerb,
        request: MatchRequest,
    ) -> Result<Reservation, MatchRefusal> {
        self.rooms.request_seat(self.now, verb, &request, ticket(number))
    }
}

/// Returns the room of a seat.
fn room_of(seat: Result<Reservation, MatchRefusal>) -> Result<RoomId, MatchRefusal> {
    seat.map(|seat| seat.room)
}

#[test]
fn join_or_create_fills_the_oldest_room_and_then_creates_one() {
    let mut registry = Registry::new([Template { max_players: 2, ..arena() }]);
    let room = registry.open("a");
    for number in 0..2 {
        assert_eq!(room_of(registry.seat(number, MatchVerb::JoinOrCreate)), Ok(room));
    }
    let new = registry.seat(2, MatchVerb::JoinOrCreate).unwrap();
    assert_eq!(created(&registry.outputs()), new.room);
    assert_eq!(room_of(registry.seat(3, MatchVerb::JoinOrCreate)), Ok(new.room));
}

#[test]
fn join_skips_full_locked_and_private_rooms_and_those_of_other_templates() {
    let duel = Template { auto_create: false, ..Template::new(name("duel")) };
    let mut registry = Registry::new([Template { max_players: 1, ..arena() }, duel]);
    let (full, locked, private) = (registry.open("a"), registry.open("b"), registry.open("c"));
    registry.rooms.create(name("d"), &name("duel")).unwrap();
    registry.seat(1, MatchVerb::JoinById(full)).unwrap();
    registry.rooms.set_locked(locked, true);
    registry.rooms.set_code(private, Some(code("1")));
    assert_eq!(registry.seat(2, MatchVerb::Join), Err(MatchRefusal::NoRoom));
    let fits = registry.open("e");
    assert_eq!(room_of(registry.seat(2, MatchVerb::Join)), Ok(fits));
    let with_code = registry.request(3, MatchVerb::Join, request().code(code("1")));
    assert_eq!(room_of(with_code), Ok(private), "a code selects private rooms alone");
}

#[test]
fn join_by_id_gives_the_reason_of_a_refusal() {
    let mut registry =
        Registry::new([Template { max_players: 1, ..arena() }, Template::new(name("duel"))]);
    let (full, locked, private) = (registry.open("a"), registry.open("b"), registry.open("c"));
    let overloaded = registry.open("e");
    registry.rooms.set_overloaded(overloaded, true);
    let other = registry.rooms.create(name("d"), &name("duel")).unwrap();
    registry.seat(1, MatchVerb::JoinById(full)).unwrap();
    registry.rooms.set_locked(locked, true);
    registry.rooms.set_code(private, Some(code("1")));
    for (room, refusal) in [
        (full, MatchRefusal::RoomFull),
        (locked, MatchRefusal::RoomLocked),
        (private, MatchRefusal::WrongCode),
        (overloaded, MatchRefusal::Overloaded),
        (other, MatchRefusal::UnknownRoom),
        (RoomId(99), MatchRefusal::UnknownRoom),
    ] {
        assert_eq!(registry.seat(2, MatchVerb::JoinById(room)), Err(refusal), "{room}");
    }
    registry.rooms.set_locked(locked, false);
    let request = request().filter(filter(&[("mode", "duel")]));
    let of_other_mode = registry.request(2, MatchVerb::JoinById(locked), request);
    assert_eq!(of_other_mode, Err(MatchRefusal::NoRoom));
    assert_eq!(room_of(registry.seat(2, MatchVerb::JoinById(locked))), Ok(locked));
}

#[test]
fn filter_selects_rooms_by_metadata_and_new_rooms_have_it() {
    let mut template = arena();
    template.metadata.insert("region".to_owned(), "eu".to_owned());
    template.player_metadata.insert("mode".to_owned());
    let mut registry = Registry::new([template]);
    let plain = registry.open("a");
    let duel = || request().filter(filter(&[("mode", "duel"), ("region", "eu")]));
    assert_eq!(registry.request(1, MatchVerb::Join, duel()), Err(MatchRefusal::NoRoom));
    let new = registry.request(1, MatchVerb::JoinOrCreate, duel()).unwrap();
    assert_ne!(new.room, plain);
    assert_eq!(registry.rooms.get(new.room).unwrap().metadata["mode"], "duel");
    assert_eq!(room_of(registry.request(2, MatchVerb::JoinOrCreate, duel())), Ok(new.room));
    for forbidden in [("region", "us"), ("admin", "yes")] {
        let request = request().filter(filter(&[forbidden]));
        let created = registry.request(3, MatchVerb::JoinOrCreate, request);
        assert_eq!(created, Err(MatchRefusal::FilterNotAllowed), "{forbidden:?}");
    }
}

#[test]
fn code_makes_a_new_room_private() {
    let mut registry = Registry::new([arena()]);
    let public = registry.open("a");
    let with = |text| request().code(code(text));
    let first = registry.request(1, MatchVerb::JoinOrCreate, with("1")).unwrap();
    let second = registry.request(2, MatchVerb::JoinOrCreate, with("2")).unwrap();
    assert_ne!(first.room, second.room);
    let friend = registry.request(3, MatchVerb::JoinOrCreate, with("1"));
    assert_eq!(room_of(friend), Ok(first.room));
    assert!(registry.rooms.get(first.room).unwrap().is_private);
    assert_eq!(room_of(registry.seat(4, MatchVerb::Join)), Ok(public));
    registry.rooms.close(public);
    assert_eq!(registry.seat(5, MatchVerb::Join), Err(MatchRefusal::NoRoom));
}

#[test]
fn rooms_are_created_only_if_their_template_allows_it() {
    let off = Template { matchmaking: false, ..Template::new(name("off")) };
    let locked = Template { locked: true, ..Template::new(name("locked")) };
    let private = Template { code: Some(code("1")), ..Template::new(name("private")) };
    let invited = Template { auto_create: false, ..Template::new(name("invited")) };
    let mut registry = Registry::new([off, locked, private, invited]);
    for (template, refusal) in [
        ("off", MatchRefusal::MatchmakingOff),
        ("locked", MatchRefusal::RoomLocked),
        ("private", MatchRefusal::WrongCode),
        ("none", MatchRefusal::UnknownTemplate),
    ] {
        let request = MatchRequest::new(name(template));
        let seat = registry.request(1, MatchVerb::JoinOrCreate, request);
        assert_eq!(seat, Err(refusal), "{template}");
        assert_eq!(registry.rooms.stats().match_refused.get(refusal), 1);
    }
    let private = MatchRequest::new(name("private")).code(code("1"));
    assert!(registry.request(1, MatchVerb::Create, private).is_ok());
    let invited = MatchRequest::new(name("invited"));
    assert!(registry.request(2, MatchVerb::Create, invited).is_ok(), "not created by joins alone");
}

#[test]
fn names_of_new_rooms_are_free() {
    let mut registry = Registry::new([arena()]);
    registry.open("arena-2");
    registry.rooms.reserve(name("arena-3"), arena().into());
    let seat = registry.seat(1, MatchVerb::Create).unwrap();
    assert_eq!(seat.name, name("arena-4"));
}

#[test]
fn shortage_and_the_limit_of_rooms_refuse_seats() {
    let mut registry = Registry::new([arena()]);
    for (shortage, refusal) in
        [(Shortage::Load, MatchRefusal::Overloaded), (Shortage::Memory, MatchRefusal::OutOfMemory)]
    {
        registry.rooms.set_shortage(Some(shortage));
        assert_eq!(registry.seat(1, MatchVerb::JoinOrCreate), Err(refusal));
    }
    registry.rooms.set_shortage(None);
    for number in 0..10 {
        registry.seat(number, MatchVerb::Create).unwrap();
    }
    assert_eq!(registry.seat(10, MatchVerb::Create), Err(MatchRefusal::TooManyRooms));
}

#[test]
fn lost_answer_is_repeated_until_the_seat_is_taken() {
    let mut registry = Registry::new([arena()]);
    let seat = registry.seat(1, MatchVerb::Create).unwrap();
    registry.outputs();
    assert_eq!(registry.rooms.reconnect(registry.now, ticket(1)), Ok(seat));
    registry.take(0, 1);
    let later = registry.rooms.reconnect(registry.now, ticket(1));
    assert_eq!(later, Err(MatchRefusal::NotResumable));
    assert_eq!(registry.rooms.stats().match_refused.get(MatchRefusal::NotResumable), 1);
}

#[test]
fn fitting_room_is_recognized_without_a_seat() {
    let mut registry = Registry::new([Template { max_players: 1, ..arena() }]);
    let fits = |registry: &Registry, request: &MatchRequest| {
        registry.rooms.has_fitting_room(request, &Identity::anonymous())
    };
    assert!(!fits(&registry, &request()));
    registry.open("a");
    assert!(fits(&registry, &request()));
    assert!(!fits(&registry, &request().filter(filter(&[("mode", "duel")]))));
    registry.seat(1, MatchVerb::Join).unwrap();
    assert!(!fits(&registry, &request()), "the room is full");
    registry.open("b");
    registry.rooms.set_shortage(Some(Shortage::Memory));
    assert!(!fits(&registry, &request()), "the server refuses all");
}

#[test]
fn numbers_of_rooms_begin_at_the_first_one_and_never_go_back() {
    let mut registry = Registry::new([arena()]);
    registry.rooms.set_first_id(7 << 32);
    let room = registry.seat(1, MatchVerb::Create).unwrap();
    assert_eq!((room.room.get(), room.name.as_str()), (7 << 32, "arena-30064771072"));
    registry.rooms.set_first_id(1);
    assert_eq!(registry.seat(2, MatchVerb::Create).unwrap().room.get(), (7 << 32) + 1);
}
