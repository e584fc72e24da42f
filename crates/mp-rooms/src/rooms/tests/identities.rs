//! Seats and places in queues of players with identities.

use mp_identity::{Attributes, Identity, Role, Subject};
use proptest::prelude::*;
use serde_json::json;

use super::players::{disconnected, player, with};
use super::seats::ticket;
use super::*;
use crate::limits::QUEUE_INTERVAL;
use crate::matchmaking::{MatchRequest, MatchVerb, Reservation};
use crate::queue::{PartyRequest, QueueEnd, QueueRefusal, QueueSettings, QueueStatus};
use crate::refusal::Removal;

impl Registry {
    fn seat_as(
        &mut self,
        number: u64,
        verb: MatchVerb,
        identity: Identity,
    ) -> Result<Reservation, MatchRefusal> {
        let (request, identity) = (MatchRequest::new(name("arena")), Arc::new(identity));
        self.rooms.request_seat_as(self.now, verb, &request, ticket(number), &identity)
    }

    fn enter_as(
        &mut self,
        number: u64,
        identity: Identity,
        party: PartyRequest,
    ) -> Result<(), QueueRefusal> {
        let (template, identity) = (name("arena"), Arc::new(identity));
        self.rooms.enter_queue_as(self.now, &template, ticket(number), &identity, 0, party)
    }

    fn status(&mut self, number: u64) -> Option<QueueStatus> {
        match self.rooms.queue_state(self.now, &name("arena"), ticket(number)) {
            Ok(QueueState::Queued(status)) => Some(status),
            _ => None,
        }
    }

    /// Returns the subject of a connection.
    fn subject(&self, number: u32) -> Option<&str> {
        let identity = self.rooms.identity_of(connection(number))?;
        identity.subject().map(Subject::as_str)
    }
}

fn queued_arena() -> Template {
    Template { queue: Some(QueueSettings::new(2)), ..arena() }
}

const ALONE: PartyRequest = PartyRequest::Alone;

#[test]
fn owner_of_a_ticket_enters_as_the_identity_of_its_seat() {
    let mut registry = Registry::new([arena()]);
    let room = registry.open("a");
    registry.seat_as(1, MatchVerb::Join, player("kay").with_role(Role::Host)).unwrap();
    let of_seat = registry.rooms.identity_of_seat(ticket(1)).unwrap();
    assert_eq!(of_seat.subject().map(Subject::as_str), Some("kay"));
    assert_eq!(registry.take(0, 1), [admitted(0, room)]);
    let identity = registry.rooms.identity_of(connection(0)).unwrap();
    assert_eq!((identity.role(), registry.subject(0)), (Role::Host, Some("kay")));
    assert_eq!(registry.rooms.identity_of_seat(ticket(1)), None);
    assert_eq!(registry.rooms.disconnect_player(registry.now, &subject("kay"), BANNED, None), 1);
}

#[test]
fn identity_restricts_the_room_of_a_seat() {
    let mut registry = Registry::new([arena(), Template::new(name("duel"))]);
    let (a, b) = (registry.open("a"), registry.open("b"));
    let of = |room: &str| player("kay").with_room(room).unwrap();
    for verb in [MatchVerb::Join, MatchVerb::JoinOrCreate, MatchVerb::JoinById(b)] {
        assert_eq!(registry.seat_as(1, verb, of("b")).map(|seat| seat.room), Ok(b));
        registry.rooms.cancel_seat(registry.now, ticket(1));
    }
    let by_id = registry.seat_as(1, MatchVerb::JoinById(a), of("b"));
    assert_eq!(by_id, Err(MatchRefusal::WrongRoom));
    let create = registry.seat_as(1, MatchVerb::Create, of("b"));
    assert_eq!(create, Err(MatchRefusal::NameTaken));
    registry.rooms.set_locked(b, true);
    let locked = registry.seat_as(1, MatchVerb::JoinOrCreate, of("b"));
    assert_eq!(locked, Err(MatchRefusal::RoomLocked), "no other room fits");

    assert_eq!(registry.seat_as(1, MatchVerb::Join, of("c")), Err(MatchRefusal::NoRoom));
    let created = registry.seat_as(1, MatchVerb::JoinOrCreate, of("c")).unwrap();
    assert_eq!(created.name, name("c"));
    let unnameable = registry.seat_as(2, MatchVerb::Join, of("no room"));
    assert_eq!(unnameable, Err(MatchRefusal::WrongRoom));
    registry.rooms.reserve(name("lobby"), Arc::new(Template::new(name("duel"))));
    let reserved = registry.seat_as(2, MatchVerb::Create, of("lobby"));
    assert_eq!(reserved, Err(MatchRefusal::UnknownRoom));
}

#[test]
fn player_creates_and_owns_rooms_as_its_identity_allows() {
    let mut registry = Registry::new([Template { max_players: 4, ..arena() }]);
    registry.rooms.settings.max_rooms_per_player = Some(1);
    for verb in [MatchVerb::Create, MatchVerb::JoinOrCreate] {
        let refused = registry.seat_as(1, verb, player("kay").with_create(false));
        assert_eq!(refused, Err(MatchRefusal::MayNotCreate), "{verb:?}");
    }
    let of = |max| player("kay").with_max_players(Some(max));
    let seat = registry.seat_as(1, MatchVerb::Create, of(2)).unwrap();
    assert_eq!(registry.rooms.get(seat.room).unwrap().max_players, 2);
    let another = registry.seat_as(2, MatchVerb::Create, of(2));
    assert_eq!(another, Err(MatchRefusal::TooManyRoomsOfPlayer));
    let other = registry.seat_as(3, MatchVerb::Create, player("ann").with_max_players(Some(9)));
    assert_eq!(registry.rooms.get(other.unwrap().room).unwrap().max_players, 4);

    registry.rooms.close(seat.room);
    assert!(registry.seat_as(2, MatchVerb::Create, of(2)).is_ok(), "the room is no more");
    // A player who may not create rooms joins those of others.
    let joins = registry.seat_as(4, MatchVerb::JoinOrCreate, player("bo").with_create(false));
    assert!(joins.is_ok(), "{joins:?}");
}

#[test]
fn second_request_of_a_player_replaces_its_seat_is_refused_or_stays() {
    for (same_player, seats) in
        [(SamePlayer::Replace, 1), (SamePlayer::Reject, 1), (SamePlayer::Allow, 2)]
    {
        let mut registry = with(same_player);
        registry.open("a");
        registry.seat_as(1, MatchVerb::Join, player("kay")).unwrap();
        let second = registry.seat_as(2, MatchVerb::Join, player("kay"));
        let is_reject = same_player == SamePlayer::Reject;
        assert_eq!(second == Err(MatchRefusal::AlreadyMatching), is_reject, "{second:?}");
        let valid =
            [1, 2].map(|number| registry.rooms.seat(registry.now, ticket(number)).is_some());
        let first = same_player != SamePlayer::Replace;
        assert_eq!(valid, [first, !is_reject], "{same_player:?}");
        assert_eq!(registry.rooms.stats().seats, seats);
        assert!(registry.seat_as(3, MatchVerb::Join, player("ann")).is_ok());
    }
}

#[test]
fn request_that_is_repeated_finds_the_same_room_though_it_is_full() {
    let mut registry = Registry::new([Template { max_players: 2, ..arena() }]);
    registry.rooms.settings.max_players = Some(2);
    let room = registry.open("a");
    registry.seat_as(1, MatchVerb::Join, player("ann")).unwrap();
    registry.seat_as(2, MatchVerb::Join, player("kay")).unwrap();
    let again = registry.seat_as(3, MatchVerb::JoinOrCreate, player("kay")).unwrap();
    assert_eq!((again.room, registry.rooms.get(room).unwrap().seats), (room, 2));
    let other = registry.seat_as(4, MatchVerb::JoinOrCreate, player("bo"));
    assert_eq!(other, Err(MatchRefusal::ServerFull));
}

#[test]
fn refused_request_keeps_the_seat_of_the_player() {
    let mut registry = Registry::new([queued_arena(), Template::new(name("duel"))]);
    let room = registry.open("a");
    registry.seat_as(1, MatchVerb::Join, player("kay")).unwrap();
    let unknown = MatchVerb::JoinById(RoomId(99));
    assert_eq!(registry.seat_as(2, unknown, player("kay")), Err(MatchRefusal::UnknownRoom));
    let join = PartyRequest::Join { code: ticket(50) };
    assert_eq!(registry.enter_as(2, player("kay"), join), Err(QueueRefusal::UnknownParty));
    assert_eq!(registry.take(0, 1), [admitted(0, room)]);
}

#[test]
fn player_who_takes_a_seat_replaces_its_connection_or_is_refused() {
    let mut registry = with(SamePlayer::Replace);
    let (a, b) = (registry.open("a"), registry.open("b"));
    assert_eq!(registry.join_room_as(0, "a", player("kay")), [admitted(0, a)]);
    registry.seat_as(1, MatchVerb::JoinById(b), player("kay")).unwrap();
    assert_eq!(registry.subject(0), Some("kay"), "it plays until it takes the seat");
    let replaced = disconnected(0, Some(a), Removal::Replaced);
    assert_eq!(registry.take(1, 1), [replaced, admitted(1, b)]);

    let mut registry = with(SamePlayer::Reject);
    let a = registry.open("a");
    registry.join_room_as(0, "a", player("kay"));
    registry.seat_as(1, MatchVerb::Join, player("kay")).unwrap();
    assert_eq!(registry.take(1, 1), [refused(1, JoinRefusal::AlreadyConnected)]);
    registry.left(0);
    assert_eq!(registry.take(1, 1), [admitted(1, a)], "the ticket is still valid");

    let mut registry = with(SamePlayer::Allow);
    registry.open("a");
    registry.join_room_as(0, "a", player("kay"));
    registry.seat_as(1, MatchVerb::Join, player("kay")).unwrap();
    registry.take(1, 1);
    assert_eq!([0, 1].map(|number| registry.subject(number)), [Some("kay"); 2]);
}

#[test]
fn player_requests_its_own_place_in_a_full_locked_room_by_name() {
    let mut registry = Registry::new([Template { max_players: 1, ..arena() }]);
    let room = registry.open("a");
    registry.join_room_as(0, "a", player("kay"));
    registry.rooms.set_locked(room, true);
    let by_id = MatchVerb::JoinById(room);
    assert_eq!(registry.seat_as(1, by_id, player("ann")), Err(MatchRefusal::RoomLocked));
    assert_eq!(registry.seat_as(1, MatchVerb::Join, player("kay")), Err(MatchRefusal::NoRoom));
    registry.seat_as(1, by_id, player("kay")).unwrap();
    let replaced = disconnected(0, Some(room), Removal::Replaced);
    // The new connection claims the id of the old one, as a Godot client does that starts again.
    registry.rooms.join_by_ticket(registry.now, connection(1), PeerId::new(2), Ok(ticket(1)));
    assert_eq!(registry.outputs(), [replaced, admitted(1, room)]);
    assert_eq!(registry.rooms.get(room).unwrap().players, 1);
}

#[test]
fn player_has_one_place_in_matchmaking() {
    let mut registry = Registry::new([queued_arena()]);
    registry.open("a");
    registry.seat_as(1, MatchVerb::Join, player("kay")).unwrap();
    registry.enter_as(2, player("kay"), ALONE).unwrap();
    assert_eq!(registry.rooms.seat(registry.now, ticket(1)), None);
    registry.enter_as(3, player("kay"), ALONE).unwrap();
    assert_eq!(registry.status(2), Some(QueueStatus::Ended(QueueEnd::Replaced)));
    registry.seat_as(4, MatchVerb::Join, player("kay")).unwrap();
    assert_eq!(registry.status(3), Some(QueueStatus::Ended(QueueEnd::Replaced)));

    registry.rooms.settings.same_player = SamePlayer::Reject;
    let queued = registry.enter_as(5, player("kay"), ALONE);
    assert_eq!(queued, Err(QueueRefusal::AlreadyMatching));
    registry.rooms.cancel_seat(registry.now, ticket(4));
    registry.enter_as(5, player("kay"), ALONE).unwrap();
    let seat = registry.seat_as(6, MatchVerb::Join, player("kay"));
    assert_eq!(seat, Err(MatchRefusal::AlreadyMatching));
}

#[test]
fn player_is_not_twice_in_a_party() {
    let mut registry = Registry::new([queued_arena()]);
    let open = PartyRequest::Open { code: ticket(50), size: 2 };
    registry.enter_as(1, player("kay"), open).unwrap();
    let join = PartyRequest::Join { code: ticket(50) };
    assert_eq!(registry.enter_as(2, player("kay"), join), Err(QueueRefusal::AlreadyMatching));
    let gathering = QueueStatus::Gathering { present: 1, size: 2 };
    assert_eq!(registry.status(1), Some(gathering), "the party stays");
    registry.enter_as(3, player("ann"), join).unwrap();
}

#[test]
fn rank_is_an_attribute_that_the_player_cannot_choose() {
    let mut settings = QueueSettings::new(2);
    settings.rank_window = 10;
    settings.rank_attribute = Some("elo".to_owned());
    let mut registry = Registry::new([Template { queue: Some(settings), ..arena() }]);
    let ranked = |subject: &str, elo: serde_json::Value| {
        let attributes = [("elo".to_owned(), elo)].into_iter().collect();
        player(subject).with_attributes(Attributes::new(attributes).unwrap())
    };
    for elo in [json!("1500"), json!(null), json!(1e12), json!(-1e12)] {
        let entered = registry.enter_as(1, ranked("kay", elo.clone()), ALONE);
        assert_eq!(entered, Err(QueueRefusal::NoRank), "{elo}");
    }
    assert_eq!(registry.enter_as(1, player("kay"), ALONE), Err(QueueRefusal::NoRank));
    // All claim the rank 0.
    for (number, subject, elo) in
        [(1, "kay", json!(1500)), (2, "ann", json!(1400)), (3, "bo", json!(1508.6))]
    {
        registry.enter_as(number, ranked(subject, elo), ALONE).unwrap();
    }
    registry.pass(QUEUE_INTERVAL);
    let seated = [1, 2, 3].map(|number| registry.rooms.identity_of_seat(ticket(number)).is_some());
    assert_eq!(seated, [true, false, true]);
}

#[test]
fn group_has_seats_for_the_identities_of_its_players() {
    let mut registry = Registry::new([queued_arena()]);
    let restricted = registry.enter_as(1, player("kay").with_room("a").unwrap(), ALONE);
    assert_eq!(restricted, Err(QueueRefusal::WrongRoom));
    // The group's room is the server's: its players need no right to create one.
    registry.enter_as(1, player("kay").with_create(false), ALONE).unwrap();
    registry.enter_as(2, player("ann"), ALONE).unwrap();
    let room = created(&registry.pass(QUEUE_INTERVAL));
    registry.rooms.opened(registry.now, room);
    registry.take(0, 2);
    registry.take(1, 1);
    assert_eq!([0, 1].map(|number| registry.subject(number)), [Some("ann"), Some("kay")]);
}

#[test]
fn group_of_connected_players_needs_no_further_places_of_the_server() {
    let mut registry = Registry::new([queued_arena()]);
    registry.rooms.settings.max_players = Some(2);
    let lobby = registry.open("lobby");
    for (number, subject) in [(0, "kay"), (1, "ann")] {
        assert_eq!(
            registry.join_room_as(number, "lobby", player(subject)),
            [admitted(number, lobby)]
        );
        registry.enter_as(number.into(), player(subject), ALONE).unwrap();
    }
    let room = created(&registry.pass(QUEUE_INTERVAL));
    registry.rooms.opened(registry.now, room);
    let replaced = disconnected(0, Some(lobby), Removal::Replaced);
    assert_eq!(registry.take(2, 0), [replaced, admitted(2, room)]);
}

#[test]
fn player_who_is_removed_loses_its_places_in_matchmaking() {
    let mut registry = with(SamePlayer::Allow);
    registry.rooms.set_templates([queued_arena()]);
    registry.open("a");
    registry.seat_as(1, MatchVerb::Join, player("kay")).unwrap();
    registry.enter_as(2, player("kay"), ALONE).unwrap();
    registry.seat_as(3, MatchVerb::Join, player("ann")).unwrap();
    assert_eq!(registry.rooms.disconnect_player(registry.now, &subject("kay"), BANNED, None), 0);
    assert_eq!(registry.rooms.seat(registry.now, ticket(1)), None);
    assert_eq!(registry.status(2), Some(QueueStatus::Ended(QueueEnd::Removed)));
    assert!(registry.rooms.seat(registry.now, ticket(3)).is_some());
}

const BANNED: Removal = Removal::Banned;

fn subject(text: &str) -> Subject {
    Subject::new(text).unwrap()
}

#[derive(Clone, Debug)]
enum Event {
    /// A player requests a seat.
    Request(usize, MatchVerb),
    /// A player enters the queue.
    Enter(usize),
    /// The owner of a ticket, of any that was drawn, connects with it.
    Take(usize),
    /// A player joins without a ticket.
    Join(usize),
    Leave(usize),
    Ban(usize),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let verb = prop_oneof![Just(MatchVerb::Join), Just(MatchVerb::JoinOrCreate)];
    prop_oneof![
        4 => (0..PLAYERS.len(), verb).prop_map(|(player, verb)| Event::Request(player, verb)),
        4 => (0..PLAYERS.len()).prop_map(Event::Enter),
        6 => any::<usize>().prop_map(Event::Take),
        2 => (0..PLAYERS.len()).prop_map(Event::Join),
        2 => any::<usize>().prop_map(Event::Leave),
        1 => (0..PLAYERS.len()).prop_map(Event::Ban),
        4 => (0..8_000_u64).prop_map(Event::Pass),
    ]
}

const PLAYERS: [&str; 4] = ["ann", "bo", "cleo", "dan"];

struct Model {
    registry: Registry,
    /// The player of each ticket and each connection; their numbers are their places.
    tickets: Vec<usize>,
    connections: Vec<usize>,
    /// Numbers of connections that have not left.
    connected: BTreeSet<u32>,
}

impl Model {
    fn new(same_player: SamePlayer) -> Self {
        let mut registry = with(same_player);
        registry.rooms.set_templates([Template { max_players: 3, ..queued_arena() }]);
        let (tickets, connections, connected) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { registry, tickets, connections, connected }
    }

    /// Draws a ticket for a player.
    fn draw(&mut self, player: usize) -> u64 {
        self.tickets.push(player);
        self.tickets.len() as u64 - 1
    }

    /// Connects a player.
    fn connect(&mut self, player: usize) -> u32 {
        let number = self.connections.len() as u32;
        self.connections.push(player);
        self.connected.insert(number);
        number
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Request(of, verb) => {
                let number = self.draw(of);
                let _ = self.registry.seat_as(number, verb, player(PLAYERS[of]));
            }
            Event::Enter(of) => {
                let number = self.draw(of);
                let _ = self.registry.enter_as(number, player(PLAYERS[of]), ALONE);
            }
            Event::Take(number) => {
                let Some(number) = number.checked_rem(self.tickets.len()) else { return };
                let connection = self.connect(self.tickets[number]);
                let of_seat = self.registry.rooms.identity_of_seat(ticket(number as u64));
                let has_seat = of_seat.is_some();
                let outputs = self.registry.take(connection, number as u64);
                let is_refused = outputs.contains(&refused(connection, JoinRefusal::InvalidTicket));
                assert_eq!(has_seat, !is_refused);
                self.run(outputs);
            }
            Event::Join(of) => {
                let connection = self.connect(of);
                let outputs = self.registry.join_room_as(connection, "main", player(PLAYERS[of]));
                self.run(outputs);
            }
            Event::Leave(number) => {
                let number = number.checked_rem(self.connected.len());
                let Some(&number) = number.and_then(|it| self.connected.iter().nth(it)) else {
                    return;
                };
                self.connected.remove(&number);
                self.registry.left(number);
            }
            Event::Ban(of) => {
                let (now, of) = (self.registry.now, subject(PLAYERS[of]));
                self.registry.rooms.disconnect_player(now, &of, BANNED, None);
                for number in 0..self.tickets.len() as u64 {
                    let seat = self.registry.rooms.identity_of_seat(ticket(number));
                    assert!(seat.is_none_or(|identity| identity.subject() != Some(&of)));
                }
            }
            Event::Pass(millis) => {
                let outputs = self.registry.pass(Duration::from_millis(millis));
                self.run(outputs);
            }
        }
        let outputs = self.registry.outputs();
        self.run(outputs);
    }

    /// Handles outputs. Rooms open and end at once.
    fn run(&mut self, mut outputs: Vec<RoomOutput>) {
        while !outputs.is_empty() {
            for output in std::mem::take(&mut outputs) {
                match output {
                    RoomOutput::Create { room, .. } => {
                        self.registry.rooms.opened(self.registry.now, room);
                    }
                    RoomOutput::Close { room } => self.registry.rooms.ended(room),
                    RoomOutput::Decide { connection, decision: JoinDecision::Refuse(_) }
                    | RoomOutput::Disconnect { connection, .. }
                    | RoomOutput::Left { connection, .. } => {
                        self.connected.remove(&connection.connection.slot);
                    }
                    RoomOutput::Decide { .. } => {}
                }
            }
            outputs = self.registry.outputs();
        }
    }

    fn check(&mut self, same_player: SamePlayer) {
        let (mut connections, mut places) = ([0; PLAYERS.len()], [0; PLAYERS.len()]);
        for number in 0..self.connections.len() as u32 {
            let of = self.connections[number as usize];
            let is_connected = self.connected.contains(&number);
            let expected = is_connected.then_some(PLAYERS[of]);
            assert_eq!(self.registry.subject(number), expected, "connection {number}");
            connections[of] += usize::from(is_connected);
        }
        let mut seats = 0;
        for number in 0..self.tickets.len() as u64 {
            let of = self.tickets[number as usize];
            if let Some(identity) = self.registry.rooms.identity_of_seat(ticket(number)) {
                assert_eq!(identity.subject(), Some(&subject(PLAYERS[of])), "ticket {number}");
                seats += 1;
                places[of] += 1;
            } else {
                let status = self.registry.status(number);
                let is_queued = !matches!(status, None | Some(QueueStatus::Ended(_)));
                places[of] += usize::from(is_queued);
            }
        }
        let stats = self.registry.rooms.stats();
        assert_eq!(stats.seats, seats);
        assert_eq!(stats.players, self.connected.len());
        if same_player != SamePlayer::Allow {
            assert!(connections.iter().all(|&it| it <= 1), "{connections:?}");
            assert!(places.iter().all(|&it| it <= 1), "{places:?}");
        }
        for info in self.registry.rooms.list() {
            assert!(info.players <= 3, "{info:?}");
        }
    }
}

proptest! {
    #[test]
    fn players_sit_as_themselves_once_and_the_counts_add_up(
        events in prop::collection::vec(event(), 0..80),
        same_player in prop_oneof![
            Just(SamePlayer::Replace), Just(SamePlayer::Reject), Just(SamePlayer::Allow)
        ],
    ) {
        let mut model = Model::new(same_player);
        for event in events {
            model.handle(event);
            model.check(same_player);
        }
    }
}
