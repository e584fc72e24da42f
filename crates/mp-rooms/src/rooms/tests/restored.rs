//! Rooms that another registry goes on with.

use super::*;
use crate::matchmaking::TicketHash;

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
    // The place of the second player is free when its time is over.
    after.left(0);
    let outputs = after.pass(KEPT);
    assert!(matches!(outputs[..], [RoomOutput::Left { .. }]), "{outputs:?}");
    assert_eq!(after.rooms.players_of(after.now, room).len(), 1);
}
