//! Rooms that another registry goes on with.

use mp_identity::Identity;

use super::*;
use crate::matchmaking::TicketHash;
use crate::resume::Resume;
use crate::rooms::RestoredSeat;

const KEPT: Duration = Duration::from_secs(30);

fn registry() -> Registry {
    let mut arena = arena();
    arena.resume = Some(KEPT);
    Registry::new([arena])
}

#[test]
fn players_have_their_places_ids_and_tickets_in_the_next_registry() {
    let mut before = registry();
    let room = before.open("a");
    for number in 0..3 {
        before.join_room(number, "a");
    }
    let ticket = TicketHash::from_bytes([7; 32]);
    assert_eq!(before.rooms.offer_resume(room, connection(1), ticket), Some(KEPT));
    before.left(1);
    before.now += Duration::from_secs(10);
    let players = before.rooms.players_of(before.now, room);
    assert_eq!(players.len(), 3);

    let mut after = registry();
    let room = after.rooms.create(name("a"), &name("arena")).unwrap();
    after.outputs();
    for player in &players {
        assert!(after.rooms.restore_player(after.now, room, player.clone()));
        assert!(!after.rooms.restore_player(after.now, room, player.clone()), "it has a place");
    }
    after.rooms.opened(after.now, room);
    assert_eq!(after.outputs(), [], "no player is admitted again");
    assert_eq!(after.rooms.players_of(after.now, room), players);
    let refused = after.join_as(9, 3, Selection::new(name("a")));
    let refused = matches!(
        refused[..],
        [RoomOutput::Decide { decision: JoinDecision::Refuse(JoinRefusal::DuplicateId), .. }]
    );
    assert!(refused, "the id is taken");
    // The places of the second player, and of the first, who may have a ticket of the former
    // registry, are free when their time is over.
    after.left(0);
    let outputs = after.pass(KEPT);
    assert!(
        matches!(outputs[..], [RoomOutput::Left { .. }, RoomOutput::Left { .. }]),
        "{outputs:?}"
    );
    assert_eq!(after.rooms.players_of(after.now, room).len(), 1);
}

#[test]
fn ticket_of_the_former_registry_resumes_the_session_of_a_restored_player_without_one() {
    let mut registry = registry();
    let room = registry.rooms.create(name("a"), &name("arena")).unwrap();
    registry.outputs();
    let identity = Arc::new(Identity::anonymous());
    let (connection, peer) = (connection(0), PeerId::new(2));
    let player = RestoredPlayer { connection, peer, identity, ticket: None, kept_for: None };
    assert!(registry.rooms.restore_player(registry.now, room, player));
    registry.rooms.opened(registry.now, room);
    let resume = |number: u8| Resume {
        ticket: TicketHash::from_bytes([number; 32]),
        peer: PeerId::new(2).unwrap(),
    };
    for number in [1, 2] {
        registry.rooms.restore_ticket(&name("a"), resume(number));
    }
    let is_valid = |number| registry.rooms.ticket_offer(registry.now, resume(number).ticket);
    assert!(is_valid(1).is_some());
    assert!(is_valid(2).is_none(), "it has a ticket");
}

#[test]
fn room_of_another_registry_goes_on_although_newcomers_are_refused() {
    let mut registry = registry();
    registry.rooms.drain();
    let restored = registry.rooms.create_restored(name("a"), &name("arena"));
    assert!(restored.is_ok());
    let refused = registry.rooms.create(name("b"), &name("arena"));
    assert_eq!(refused, Err(CreateRefusal::Draining));
    let taken = registry.rooms.create_restored(name("a"), &name("arena"));
    assert_eq!(taken, Err(CreateRefusal::NameTaken));
}

#[test]
fn seats_of_the_former_registry_are_taken_with_their_tickets_until_they_expire() {
    let mut before = registry();
    let room = before.open("a");
    let ticket = |number| TicketHash::from_bytes([number; 32]);
    let identity = Arc::new(Identity::anonymous());
    for number in [1, 2] {
        let time = Duration::from_secs(u64::from(number));
        let seat = RestoredSeat { ticket: ticket(number), identity: Arc::clone(&identity), time };
        assert!(before.rooms.restore_seat(before.now, room, seat.clone(), true));
        assert!(!before.rooms.restore_seat(before.now, room, seat, true), "it has a seat");
    }
    let seats = before.rooms.seats_of(before.now, room);
    assert_eq!(seats.len(), 2);

    let mut after = registry();
    after.rooms.record_ticket_changes();
    let room = after.open("a");
    let [first, second] = &seats[..] else { panic!("{seats:?}") };
    assert!(after.rooms.restore_seat(after.now, room, first.clone(), false));
    assert_eq!(after.rooms.changed_tickets().len(), 0, "it was offered before");
    assert!(after.rooms.restore_seat(after.now, room, second.clone(), true));
    assert_eq!(after.rooms.changed_tickets(), [ticket(2)].into());
    assert_eq!(after.rooms.seats_of(after.now, room), seats);
    after.rooms.join_by_ticket(after.now, connection(0), PeerId::new(2), Ok(ticket(1)));
    let outputs = after.outputs();
    let admitted = matches!(
        outputs[..],
        [RoomOutput::Decide { decision: JoinDecision::Admit(of), .. }] if of == room
    );
    assert!(admitted, "{outputs:?}");
    after.pass(Duration::from_secs(2));
    assert_eq!(after.rooms.seats_of(after.now, room), []);
}
