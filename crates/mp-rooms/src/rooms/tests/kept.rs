//! Places that are kept for players whose connection was lost.

use mp_core::Rng;
use mp_identity::Identity;
use proptest::prelude::*;

use super::players::{disconnected, player};
use super::*;
use crate::refusal::Removal;
use crate::resume::{Resume, ResumeTicket};

const KEEP: Duration = Duration::from_secs(10);

fn resumable(same_player: SamePlayer) -> (Registry, RoomId) {
    let mut registry = Registry::new([Template { resume: Some(KEEP), max_players: 3, ..arena() }]);
    registry.rooms.settings.same_player = same_player;
    let room = registry.open("a");
    (registry, room)
}

/// Returns the ticket `number` of the peer `peer`.
fn ticket(number: u64, peer: i32) -> Resume {
    let peer = PeerId::new(peer).unwrap();
    ResumeTicket::random(&mut Rng::seed_from_u64(number), peer).resume()
}

fn resumed(number: u32, room: RoomId, of: u32) -> RoomOutput {
    let peer = PeerId::new(of as i32 + 2).unwrap();
    let decision = JoinDecision::Resume { room, peer, of: connection(of) };
    RoomOutput::Decide { connection: connection(number), decision }
}

fn left(number: u32, room: RoomId) -> RoomOutput {
    let peer = PeerId::new(number as i32 + 2).unwrap();
    RoomOutput::Left { connection: connection(number), room, peer }
}

impl Registry {
    /// Offers the connection `number`, whose peer id is `number + 2`, the ticket of this number.
    fn offer(&mut self, number: u32, ticket_number: u64) -> Option<Duration> {
        let ticket = ticket(ticket_number, number as i32 + 2);
        self.rooms.offer_resume(connection(number), ticket.ticket)
    }

    /// Joins with the peer id `id` and a ticket, and selects no room.
    fn resume(&mut self, number: u32, id: i32, ticket: Resume, who: Identity) -> Vec<RoomOutput> {
        let selection = Err(JoinRefusal::NoRoomSelected);
        let mut join = Join::new(connection(number), PeerId::new(id), selection);
        join.resume = Some(Ok(ticket));
        self.rooms.join_as(self.now, join, Arc::new(who));
        self.outputs()
    }
}

#[test]
fn place_is_kept_for_its_time_and_given_to_the_owner_of_the_ticket() {
    let (mut registry, room) = resumable(SamePlayer::Replace);
    registry.join_room(0, "a");
    assert_eq!(registry.offer(0, 1), Some(KEEP));
    assert_eq!(registry.rooms.left(registry.now, connection(0)), None);
    assert_eq!(registry.pass(KEEP / 2), []);
    let stats = registry.rooms.stats();
    assert_eq!((stats.players, stats.kept_places), (1, 1));
    assert_eq!(registry.resume(1, 2, ticket(1, 2), Identity::anonymous()), [resumed(1, room, 0)]);
    assert_eq!(registry.pass(KEEP * 2), [], "the new connection stays");
    assert_eq!(registry.rooms.connection_of(room, PeerId::new(2).unwrap()), Some(connection(1)));
    let stats = registry.rooms.stats();
    assert_eq!((stats.kept_places, stats.resumed, stats.expired_keeps), (0, 1, 0));
}

#[test]
fn place_is_free_when_its_time_is_over() {
    let (mut registry, room) = resumable(SamePlayer::Replace);
    registry.join_room(0, "a");
    registry.offer(0, 1);
    registry.left(0);
    assert_eq!(registry.rooms.poll_timeout(), Some(registry.now + KEEP));
    assert_eq!(registry.pass(KEEP), [left(0, room)]);
    let expired = registry.resume(1, 2, ticket(1, 2), Identity::anonymous());
    assert_eq!(expired, [refused(1, JoinRefusal::InvalidResume)]);
    let stats = registry.rooms.stats();
    assert_eq!((stats.players, stats.kept_places, stats.expired_keeps), (0, 0, 1));
    assert_eq!(registry.rooms.poll_timeout(), Some(registry.now + DEPARTURE_TIMEOUT));
}

#[test]
fn wrong_used_replaced_and_stolen_tickets_are_refused_with_a_reason() {
    let (mut registry, room) = resumable(SamePlayer::Replace);
    registry.join_room_as(0, "a", player("ann"));
    registry.join_room_as(1, "a", player("bob"));
    registry.offer(0, 1);
    registry.offer(0, 2);
    registry.offer(1, 3);
    registry.left(0);
    let invalid = |number| [refused(number, JoinRefusal::InvalidResume)];
    let ann = || player("ann");
    assert_eq!(registry.resume(5, 2, ticket(9, 2), ann()), invalid(5), "unknown");
    assert_eq!(registry.resume(5, 2, ticket(1, 2), ann()), invalid(5), "replaced by a newer one");
    assert_eq!(registry.resume(5, 3, ticket(2, 3), ann()), invalid(5), "of another peer id");
    for thief in [player("bob"), Identity::anonymous()] {
        let stolen = registry.resume(5, 2, ticket(2, 2), thief);
        assert_eq!(stolen, [refused(5, JoinRefusal::WrongPlayer)]);
    }
    let taken = registry.resume(5, 3, ticket(2, 2), ann());
    assert_eq!(taken, [refused(5, JoinRefusal::DuplicateId)], "the id of bob");
    assert_eq!(registry.resume(5, 2, ticket(2, 2), ann()), [resumed(5, room, 0)]);
    assert_eq!(registry.resume(6, 2, ticket(2, 2), ann()), invalid(6), "used");
    let mut join = Join::new(connection(7), PeerId::new(9), Ok(Selection::new(name("a"))));
    join.resume = Some(Err(JoinRefusal::InvalidResume));
    registry.rooms.join_as(registry.now, join, Arc::new(ann()));
    assert_eq!(registry.outputs(), invalid(7), "malformed");
}

#[test]
fn ticket_replaces_a_connection_that_is_still_open() {
    let (mut registry, room) = resumable(SamePlayer::Replace);
    registry.join_room(0, "a");
    registry.offer(0, 1);
    assert_eq!(registry.resume(1, 2, ticket(1, 2), Identity::anonymous()), [resumed(1, room, 0)]);
    registry.left(0);
    assert_eq!(registry.pass(KEEP * 2), []);
    assert_eq!(registry.rooms.player_count(room), 1);
}

#[test]
fn player_with_an_identity_resumes_without_a_ticket_and_under_another_id() {
    for same_player in [SamePlayer::Replace, SamePlayer::Reject, SamePlayer::Allow] {
        let (mut registry, room) = resumable(same_player);
        registry.join_room_as(0, "a", player("ann"));
        registry.left(0);
        let outputs = registry.join_room_as(7, "a", player("ann"));
        assert_eq!(outputs, [resumed(7, room, 0)], "{same_player:?}");
        assert_eq!(registry.rooms.player_count(room), 1);
    }
    let (mut registry, room) = resumable(SamePlayer::Replace);
    registry.join_room_as(0, "a", player("ann"));
    assert_eq!(registry.join_room_as(7, "a", player("ann")), [resumed(7, room, 0)]);
    let (mut registry, _) = resumable(SamePlayer::Reject);
    registry.join_room_as(0, "a", player("ann"));
    let second = registry.join_room_as(7, "a", player("ann"));
    assert_eq!(second, [refused(7, JoinRefusal::AlreadyConnected)]);
}

#[test]
fn kept_place_counts_and_is_freed_when_the_player_is_removed_or_joins_another_room() {
    let (mut registry, room) = resumable(SamePlayer::Replace);
    let other = registry.open("b");
    for number in 0..3 {
        registry.join_room_as(number, "a", player(&format!("player{number}")));
    }
    registry.left(0);
    registry.left(1);
    assert_eq!(registry.join_room(5, "a"), [refused(5, JoinRefusal::RoomFull)]);
    let moved = registry.join_room_as(6, "b", player("player0"));
    assert_eq!(moved, [left(0, room), admitted(6, other)]);
    assert!(registry.rooms.kick(registry.now, room, PeerId::new(3).unwrap(), None));
    assert_eq!(registry.outputs(), [left(1, room)]);
    assert!(registry.rooms.kick(registry.now, room, PeerId::new(4).unwrap(), None));
    assert_eq!(registry.outputs(), [disconnected(2, Some(room), Removal::Kicked)]);
    assert_eq!(registry.rooms.player_count(room), 0);
}

#[test]
fn place_without_a_ticket_or_an_identity_and_of_other_templates_is_free_at_once() {
    let (mut registry, room) = resumable(SamePlayer::Replace);
    registry.join_room(0, "a");
    assert_eq!(registry.rooms.left(registry.now, connection(0)), Some(room));
    registry.join_room(1, "a");
    registry.offer(1, 1);
    assert!(registry.rooms.set_resume(room, None));
    assert_eq!(registry.rooms.left(registry.now, connection(1)), Some(room));
    let mut registry = Registry::new([arena()]);
    let room = registry.open("a");
    registry.join_room_as(0, "a", player("ann"));
    assert_eq!(registry.offer(0, 1), None);
    assert_eq!(registry.rooms.left(registry.now, connection(0)), Some(room));
}

#[test]
fn room_that_ends_forgets_its_kept_places() {
    let (mut registry, room) = resumable(SamePlayer::Replace);
    registry.join_room(0, "a");
    registry.offer(0, 1);
    registry.left(0);
    registry.rooms.ended(room);
    let stats = registry.rooms.stats();
    assert_eq!((stats.players, stats.kept_places), (0, 0));
    assert_eq!(registry.pass(KEEP * 2), []);
    let late = registry.resume(1, 2, ticket(1, 2), Identity::anonymous());
    assert_eq!(late, [refused(1, JoinRefusal::InvalidResume)]);
}

proptest! {
    #[test]
    fn each_place_has_one_owner_whatever_drops_and_resumes(steps in any::<[(u8, u8); 32]>()) {
        let (mut registry, room) = resumable(SamePlayer::Replace);
        let (mut next, mut tickets) = (0, 0);
        // Connected players with their tickets, and kept ones.
        let (mut connected, mut kept) = (Vec::new(), Vec::new());
        for (action, which) in steps {
            match action % 5 {
                0 | 1 => {
                    let outputs = registry.join_room(next, "a");
                    if outputs == [admitted(next, room)] {
                        tickets += 1;
                        registry.offer(next, tickets);
                        connected.push((next, next as i32 + 2, tickets));
                    }
                    next += 1;
                }
                2 if !connected.is_empty() => {
                    let at = usize::from(which) % connected.len();
                    let (number, id, ticket) = connected.swap_remove(at);
                    registry.left(number);
                    kept.push((number, id, ticket, registry.now));
                }
                3 if !kept.is_empty() => {
                    let (_, id, number, _) = kept.swap_remove(usize::from(which) % kept.len());
                    registry.resume(next, id, ticket(number, id), Identity::anonymous());
                    tickets += 1;
                    let hash = ticket(tickets, id).ticket;
                    prop_assert!(registry.rooms.offer_resume(connection(next), hash).is_some());
                    connected.push((next, id, tickets));
                    next += 1;
                }
                4 => {
                    registry.pass(KEEP / 4);
                }
                _ => {}
            }
            let now = registry.now;
            kept.retain(|&(.., since)| now < since + KEEP);
            let stats = registry.rooms.stats();
            prop_assert_eq!(stats.players, connected.len() + kept.len());
            prop_assert_eq!(stats.kept_places, kept.len());
            let mut ids: Vec<_> = connected.iter().map(|&(_, id, _)| id).collect();
            ids.extend(kept.iter().map(|&(_, id, ..)| id));
            ids.sort_unstable();
            let of_room: Vec<_> =
                registry.rooms.peer_ids(room).into_iter().map(PeerId::get).collect();
            prop_assert_eq!(of_room, ids);
        }
    }
}
