//! Seats: reserved places of rooms.

use std::collections::BTreeMap;

use mp_core::Rng;
use proptest::prelude::*;

use super::*;
use crate::limits::{SEAT_TIMEOUT, SEATS_MAX};
use crate::matchmaking::{MatchRequest, MatchVerb, Reservation, Ticket, TicketHash};

pub(super) fn ticket(number: u64) -> TicketHash {
    Ticket::random(&mut Rng::seed_from_u64(number)).hash()
}

impl Registry {
    /// Requests a seat in a room of the template `arena`, for ticket `number`.
    pub(super) fn seat(
        &mut self,
        number: u64,
        verb: MatchVerb,
    ) -> Result<Reservation, MatchRefusal> {
        self.rooms.request_seat(self.now, verb, &MatchRequest::new(name("arena")), ticket(number))
    }

    /// Joins with ticket `of`.
    pub(super) fn take(&mut self, number: u32, of: u64) -> Vec<RoomOutput> {
        let id = PeerId::new(number as i32 + 2);
        self.rooms.join_by_ticket(self.now, connection(number), id, Ok(ticket(of)));
        self.outputs()
    }
}

#[test]
fn seat_occupies_a_place_until_its_owner_takes_it() {
    let mut registry = Registry::new([Template { max_players: 2, ..arena() }]);
    let room = registry.open("a");
    let seat = registry.seat(1, MatchVerb::JoinById(room)).unwrap();
    assert_eq!((seat.room, seat.name, seat.template), (room, name("a"), name("arena")));
    assert_eq!(seat.expires, registry.now + SEAT_TIMEOUT);
    assert_eq!(registry.join_room(0, "a"), [admitted(0, room)]);
    assert_eq!(registry.join_room(1, "a"), [refused(1, JoinRefusal::RoomFull)]);
    assert!(!registry.rooms.is_refusing(room), "the owner of the seat may come");
    let info = registry.rooms.get(room).unwrap();
    assert_eq!((info.players, info.seats), (1, 1));

    assert_eq!(registry.take(2, 1), [admitted(2, room)]);
    assert!(registry.rooms.is_refusing(room));
    let stats = registry.rooms.stats();
    assert_eq!((stats.players, stats.seats, stats.taken_seats), (2, 0, 1));
}

#[test]
fn token_that_begins_like_a_ticket_is_one_or_is_refused() {
    let ticket_of = |token: &str| {
        let mut join = Join::new(connection(0), None, Err(JoinRefusal::NoRoomSelected));
        join.credentials.token = Some(Token::new(token).unwrap());
        join.ticket().map(|ticket| ticket.map(|ticket| ticket.hash()))
    };
    let valid = Ticket::random(&mut Rng::seed_from_u64(1));
    assert_eq!(ticket_of(&valid.reveal()), Some(Ok(ticket(1))));
    let invalid = Some(Err(JoinRefusal::InvalidTicket));
    assert_eq!((ticket_of("mpt_1"), ticket_of("eyJ")), (invalid, None));
    let mut registry = Registry::new([arena()]);
    let invalid = Err(JoinRefusal::InvalidTicket);
    registry.rooms.join_by_ticket(registry.now, connection(0), None, invalid);
    assert_eq!(registry.outputs(), [refused(0, JoinRefusal::InvalidTicket)]);
}

#[test]
fn ticket_is_valid_once() {
    let mut registry = Registry::new([arena()]);
    let room = registry.open("a");
    registry.seat(1, MatchVerb::Join).unwrap();
    assert_eq!(registry.take(0, 2), [refused(0, JoinRefusal::InvalidTicket)]);
    assert_eq!(registry.take(0, 1), [admitted(0, room)]);
    assert_eq!(registry.take(1, 1), [refused(1, JoinRefusal::InvalidTicket)]);
    registry.left(0);
    assert_eq!(registry.take(1, 1), [refused(1, JoinRefusal::InvalidTicket)]);
}

#[test]
fn refused_connection_does_not_use_up_the_ticket() {
    let mut registry = Registry::new([arena()]);
    let room = registry.open("a");
    registry.seat(1, MatchVerb::Join).unwrap();
    registry.join_room(0, "a");
    let id = PeerId::new(2);
    registry.rooms.join_by_ticket(registry.now, connection(1), id, Ok(ticket(1)));
    assert_eq!(registry.outputs(), [refused(1, JoinRefusal::DuplicateId)]);
    assert_eq!(registry.take(1, 1), [admitted(1, room)]);
}

#[test]
fn seat_is_free_again_when_it_expires() {
    let mut registry = Registry::new([Template { max_players: 1, ..arena() }]);
    let room = registry.open("a");
    registry.seat(1, MatchVerb::Join).unwrap();
    assert_eq!(registry.seat(2, MatchVerb::Join), Err(MatchRefusal::NoRoom));
    registry.pass(SEAT_TIMEOUT - Duration::from_millis(1));
    assert_eq!(registry.rooms.stats().expired_seats, 0);
    // The timer of the host may be late.
    registry.now += Duration::from_millis(1);
    assert_eq!(registry.take(0, 1), [refused(0, JoinRefusal::InvalidTicket)]);
    registry.pass(Duration::ZERO);
    assert_eq!(registry.rooms.stats().expired_seats, 1);
    assert_eq!(registry.seat(2, MatchVerb::Join).map(|seat| seat.room), Ok(room));
}

#[test]
fn owner_of_a_seat_waits_for_a_room_that_is_being_created() {
    let mut registry = Registry::new([arena()]);
    let seat = registry.seat(1, MatchVerb::Create).unwrap();
    let room = created(&registry.outputs());
    assert_eq!((seat.room, seat.name), (room, name("arena-1")));
    assert_eq!(registry.take(0, 1), []);
    registry.rooms.opened(registry.now, room);
    assert_eq!(registry.outputs(), [admitted(0, room)]);
}

#[test]
fn locked_private_rooms_admit_the_owners_of_seats() {
    let mut registry = Registry::new([arena()]);
    let room = registry.open("a");
    registry.seat(1, MatchVerb::Join).unwrap();
    registry.rooms.set_locked(room, true);
    registry.rooms.set_code(room, Some(code("1")));
    assert_eq!(registry.take(0, 1), [admitted(0, room)]);
}

#[test]
fn room_stays_while_it_has_seats_and_then_has_its_departure_timeout() {
    let long = SEAT_TIMEOUT * 2 + EMPTY_TIMEOUT;
    let mut registry = Registry::new([Template { seat_timeout: long, ..arena() }]);
    let room = registry.open("a");
    registry.pass(EMPTY_TIMEOUT / 2);
    registry.seat(1, MatchVerb::Join).unwrap();
    assert_eq!(registry.pass(long - Duration::from_millis(1)), []);
    registry.pass(Duration::from_millis(1));
    assert_eq!(registry.rooms.poll_timeout(), Some(registry.now + DEPARTURE_TIMEOUT));
    assert_eq!(registry.pass(DEPARTURE_TIMEOUT), [RoomOutput::Close { room }]);
}

#[test]
fn seats_end_with_their_room() {
    let mut registry = Registry::new([arena()]);
    let room = registry.open("a");
    registry.seat(1, MatchVerb::Join).unwrap();
    registry.rooms.close(room);
    registry.outputs();
    assert_eq!((registry.rooms.stats().seats, registry.rooms.poll_timeout()), (0, None));
    assert_eq!(registry.take(0, 1), [refused(0, JoinRefusal::InvalidTicket)]);
}

#[test]
fn canceled_seat_is_free_at_once() {
    let mut registry = Registry::new([Template { max_players: 1, ..arena() }]);
    registry.open("a");
    registry.seat(1, MatchVerb::Join).unwrap();
    assert!(registry.rooms.cancel_seat(registry.now, ticket(1)));
    assert!(!registry.rooms.cancel_seat(registry.now, ticket(1)));
    registry.seat(2, MatchVerb::Join).unwrap();
}

#[test]
fn draining_registry_refuses_seats_and_their_owners() {
    let mut registry = Registry::new([arena()]);
    registry.open("a");
    registry.seat(1, MatchVerb::Join).unwrap();
    registry.rooms.drain();
    assert_eq!(registry.seat(2, MatchVerb::Join), Err(MatchRefusal::Draining));
    assert_eq!(registry.take(0, 1), [refused(0, JoinRefusal::Draining)]);
}

#[test]
fn number_of_seats_is_bounded() {
    let mut registry = Registry::new([Template { max_players: u16::MAX, ..arena() }]);
    registry.open("a");
    registry.open("b");
    for number in 0..SEATS_MAX as u64 {
        registry.seat(number, MatchVerb::Join).unwrap();
    }
    let beyond = registry.seat(SEATS_MAX as u64, MatchVerb::Join);
    assert_eq!(beyond, Err(MatchRefusal::TooManySeats));
    assert_eq!(registry.rooms.stats().match_refused.get(MatchRefusal::TooManySeats), 1);
    registry.rooms.cancel_seat(registry.now, ticket(0));
    assert!(registry.seat(SEATS_MAX as u64, MatchVerb::Join).is_ok());
}

/// An event of the model test. Numbers select among what exists.
#[derive(Clone, Debug)]
enum Event {
    Request(MatchVerb),
    RequestIn(usize),
    Take(usize),
    Join(usize),
    Leave(usize),
    Open,
    Fail,
    Close(usize),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Request(MatchVerb::JoinOrCreate)),
        1 => Just(Event::Request(MatchVerb::Create)),
        2 => Just(Event::Request(MatchVerb::Join)),
        2 => any::<usize>().prop_map(Event::RequestIn),
        4 => any::<usize>().prop_map(Event::Take),
        2 => any::<usize>().prop_map(Event::Join),
        3 => any::<usize>().prop_map(Event::Leave),
        2 => Just(Event::Open),
        1 => Just(Event::Fail),
        1 => any::<usize>().prop_map(Event::Close),
        3 => (0..20_000u64).prop_map(Event::Pass),
    ]
}

/// A room that exists, or is being created.
#[derive(Default)]
struct ModelRoom {
    players: usize,
    is_open: bool,
}

/// A plain description of rooms and seats, with which the registry must agree.
struct Model {
    registry: Registry,
    rooms: BTreeMap<RoomId, ModelRoom>,
    /// The seats that were reserved and not taken, by ticket.
    seats: BTreeMap<u64, (RoomId, Instant)>,
    players: BTreeMap<u32, RoomId>,
    next: u32,
}

impl Model {
    fn new() -> Self {
        let template = Template { max_players: 3, empty_timeout: None, ..arena() };
        let registry = Registry::new([template]);
        Self {
            registry,
            rooms: BTreeMap::new(),
            seats: BTreeMap::new(),
            players: BTreeMap::new(),
            next: 0,
        }
    }

    fn next(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn room(&self, number: usize) -> Option<RoomId> {
        self.rooms.keys().nth(number % self.rooms.len().max(1)).copied()
    }

    fn reserve(&mut self, verb: MatchVerb) {
        let number = self.next().into();
        let seated = |seats: &BTreeMap<u64, (RoomId, Instant)>, room: RoomId| {
            seats.values().filter(|(of, _)| *of == room).count()
        };
        let is_free = |model: &Self, room: RoomId| {
            model.rooms[&room].players + seated(&model.seats, room) < 3
        };
        let expected = match verb {
            MatchVerb::JoinById(room) => is_free(self, room).then_some(room),
            MatchVerb::Create => None,
            _ => self.rooms.keys().copied().find(|&room| is_free(self, room)),
        };
        match (self.registry.seat(number, verb), expected) {
            (Ok(seat), Some(room)) => {
                assert_eq!(seat.room, room);
                self.seats.insert(number, (seat.room, seat.expires));
            }
            (Ok(seat), None) => {
                assert!(matches!(verb, MatchVerb::Create | MatchVerb::JoinOrCreate));
                self.rooms.insert(seat.room, ModelRoom::default());
                self.seats.insert(number, (seat.room, seat.expires));
            }
            (Err(MatchRefusal::NoRoom), None) => assert_eq!(verb, MatchVerb::Join),
            (Err(MatchRefusal::RoomFull), None) => {
                assert!(matches!(verb, MatchVerb::JoinById(_)));
            }
            (Err(MatchRefusal::TooManyRooms), None) => {}
            (result, _) => panic!("{verb:?}: {result:?}, expected {expected:?}"),
        }
        self.registry.outputs();
    }

    fn enter(&mut self, connection: u32, room: RoomId, outputs: &[RoomOutput]) {
        let state = self.rooms.get_mut(&room).unwrap();
        state.players += 1;
        self.players.insert(connection, room);
        let expected = state.is_open.then(|| admitted(connection, room));
        assert_eq!(outputs, expected.as_slice());
    }

    /// Forgets a room that has ended, whose players leave.
    fn forget(&mut self, room: RoomId) {
        self.rooms.remove(&room);
        let registry = &mut self.registry;
        self.players.retain(|&connection, of| {
            if *of == room {
                registry.left(connection);
            }
            *of != room
        });
        self.seats.retain(|_, (of, _)| *of != room);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Request(verb) => self.reserve(verb),
            Event::RequestIn(number) => {
                let Some(room) = self.room(number) else { return };
                self.reserve(MatchVerb::JoinById(room));
            }
            Event::Take(number) => {
                let Some(&of) = self.seats.keys().nth(number % self.seats.len().max(1)) else {
                    return;
                };
                let connection = self.next();
                let outputs = self.registry.take(connection, of);
                let (room, _) = self.seats.remove(&of).unwrap();
                self.enter(connection, room, &outputs);
            }
            Event::Join(number) => {
                let Some(room) = self.room(number) else { return };
                let Some(info) = self.registry.rooms.get(room) else { panic!("{room} is lost") };
                let connection = self.next();
                let outputs = self.registry.join_room(connection, info.name.as_str());
                if info.players + info.seats < 3 {
                    self.enter(connection, room, &outputs);
                } else {
                    assert_eq!(outputs, [refused(connection, JoinRefusal::RoomFull)]);
                }
            }
            Event::Leave(number) => {
                let Some((&connection, &room)) =
                    self.players.iter().nth(number % self.players.len().max(1))
                else {
                    return;
                };
                self.registry.left(connection);
                self.players.remove(&connection);
                self.rooms.get_mut(&room).unwrap().players -= 1;
            }
            Event::Open | Event::Fail => {
                let starting = self.rooms.iter_mut().find(|(_, room)| !room.is_open);
                let Some((&id, room)) = starting else { return };
                if let Event::Open = event {
                    room.is_open = true;
                    self.registry.rooms.opened(self.registry.now, id);
                } else {
                    self.registry.rooms.failed(id);
                    self.forget(id);
                }
                self.registry.outputs();
            }
            Event::Close(number) => {
                let Some(id) = self.room(number) else { return };
                let was_open = self.rooms[&id].is_open;
                self.registry.rooms.close(id);
                match was_open {
                    true => self.registry.rooms.ended(id),
                    false => self.registry.rooms.failed(id),
                }
                self.registry.outputs();
                self.forget(id);
            }
            Event::Pass(millis) => {
                let outputs = self.registry.pass(Duration::from_millis(millis));
                let now = self.registry.now;
                self.seats.retain(|_, (_, expires)| now < *expires);
                for output in outputs {
                    let RoomOutput::Close { room } = output else { panic!("{output:?}") };
                    let of_room = |(of, _): &(RoomId, Instant)| *of == room;
                    assert!(self.rooms[&room].players == 0 && !self.seats.values().any(of_room));
                    self.registry.rooms.ended(room);
                    self.forget(room);
                }
            }
        }
    }

    fn check(&self) {
        let stats = self.registry.rooms.stats();
        assert_eq!(stats.seats, self.seats.len());
        assert_eq!(stats.players + stats.waiting, self.players.len());
        let listed: Vec<_> = self.registry.rooms.list().collect();
        assert_eq!(listed.len(), self.rooms.len());
        for info in listed {
            let seats = self.seats.values().filter(|(room, _)| *room == info.id).count();
            assert_eq!((info.players, info.seats), (self.rooms[&info.id].players, seats));
            assert!(info.players + info.seats <= 3, "{info:?}");
        }
        for (&number, (room, expires)) in &self.seats {
            let seat = self.registry.rooms.seat(self.registry.now, ticket(number));
            assert_eq!(seat.map(|seat| (seat.room, seat.expires)), Some((*room, *expires)));
        }
    }
}

proptest! {
    #[test]
    fn rooms_are_never_above_their_maximum_and_no_seat_is_lost(
        events in prop::collection::vec(event(), 0..120)
    ) {
        let mut model = Model::new();
        for event in events {
            model.handle(event);
            model.check();
        }
    }
}
