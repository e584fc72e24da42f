//! Places that are kept for players whose connection was lost.

use std::collections::BTreeSet;

use mp_core::Rng;
use mp_identity::Identity;
use proptest::prelude::*;

use super::players::{disconnected, player};
use super::*;
use crate::matchmaking::MatchRefusal;
use crate::refusal::{MoveRefusal, Removal};
use crate::resume::{PlayerSession, Resume, ResumeTicket};

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
        let room = *self.rooms.places.get(&connection(number))?;
        self.offer_in(room, number, ticket_number)
    }

    fn offer_in(&mut self, room: RoomId, number: u32, ticket_number: u64) -> Option<Duration> {
        let ticket = ticket(ticket_number, number as i32 + 2);
        self.rooms.offer_resume(room, connection(number), ticket.ticket)
    }

    fn session_of(
        &mut self,
        template: &str,
        who: &Identity,
    ) -> Result<PlayerSession, MatchRefusal> {
        self.rooms.session_of(self.now, &name(template), who)
    }

    /// Moves the connection 0, whose peer id is 2.
    fn move_first(&mut self, from: RoomId, to: RoomId) -> Result<(), MoveRefusal> {
        self.rooms.start_move(self.now, from, PeerId::new(2).unwrap(), to)?;
        assert!(self.rooms.end_move(self.now, connection(0), true));
        Ok(())
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
fn changed_tickets_are_reported_with_their_room_and_player_once_they_are_recorded() {
    let (mut registry, _) = resumable(SamePlayer::Replace);
    registry.join_room_as(0, "a", player("ann"));
    registry.offer(0, 1);
    assert!(registry.rooms.changed_tickets().is_empty(), "they are not recorded");
    registry.rooms.record_ticket_changes();
    registry.offer(0, 2);
    let [earlier, later] = [ticket(1, 2).ticket, ticket(2, 2).ticket];
    assert_eq!(registry.rooms.changed_tickets(), BTreeSet::from([earlier, later]));
    assert!(registry.rooms.changed_tickets().is_empty());
    assert_eq!(registry.rooms.ticket_offer(registry.now, earlier), None);
    let offer = registry.rooms.ticket_offer(registry.now, later).unwrap();
    let subject = player("ann").subject().cloned();
    assert_eq!((offer.room, offer.peer, offer.subject), (name("a"), PeerId::new(2), subject));
    assert_eq!(offer.time, KEEP);
    registry.left(0);
    assert!(registry.rooms.changed_tickets().is_empty(), "it stays valid");
    registry.pass(KEEP);
    assert_eq!(registry.rooms.changed_tickets(), BTreeSet::from([later]));
    assert_eq!(registry.rooms.ticket_offer(registry.now, later), None);
}

#[test]
fn ticket_of_an_earlier_owner_of_the_room_is_restored_for_a_kept_place() {
    let (mut registry, room) = resumable(SamePlayer::Replace);
    registry.join_room_as(0, "a", player("ann"));
    registry.join_room_as(1, "a", player("bob"));
    let restored = ticket(1, 2);
    registry.rooms.restore_ticket(&name("a"), restored);
    let invalid = registry.resume(5, 2, restored, player("ann"));
    assert_eq!(invalid, [refused(5, JoinRefusal::InvalidResume)], "she is connected");
    registry.left(0);
    registry.rooms.restore_ticket(&name("b"), restored);
    registry.rooms.restore_ticket(&name("a"), ticket(1, 3));
    assert_eq!(registry.rooms.ticket_offer(registry.now, restored.ticket), None);
    registry.rooms.restore_ticket(&name("a"), restored);
    let stolen = registry.resume(5, 2, restored, player("bob"));
    assert_eq!(stolen, [refused(5, JoinRefusal::WrongPlayer)]);
    assert_eq!(registry.resume(5, 2, restored, player("ann")), [resumed(5, room, 0)]);
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

#[test]
fn player_with_an_identity_receives_another_ticket_for_its_kept_place() {
    let (mut registry, room) = resumable(SamePlayer::Reject);
    let ann = player("ann");
    registry.join_room_as(0, "a", ann.clone());
    registry.offer(0, 1);
    let none = Err(MatchRefusal::NotResumable);
    assert_eq!(registry.session_of("arena", &ann), none, "a second connection is refused");
    registry.left(0);
    assert_eq!(registry.pass(KEEP / 2), []);
    assert_eq!(registry.session_of("other", &ann), none);
    assert_eq!(registry.session_of("arena", &player("bob")), none);
    assert_eq!(registry.session_of("arena", &Identity::anonymous()), none);
    let session = registry.session_of("arena", &ann).unwrap();
    assert_eq!((session.room, session.peer.get(), session.time), (room, 2, KEEP / 2));
    registry.rooms.set_resume_ticket(&session, ticket(2, 2).ticket);
    let earlier = registry.resume(5, 2, ticket(1, 2), ann.clone());
    assert_eq!(earlier, [refused(5, JoinRefusal::InvalidResume)]);
    let stolen = registry.resume(5, 2, ticket(2, 2), player("bob"));
    assert_eq!(stolen, [refused(5, JoinRefusal::WrongPlayer)]);
    assert_eq!(registry.resume(5, 2, ticket(2, 2), ann), [resumed(5, room, 0)]);
    assert_eq!(registry.rooms.stats().match_refused.get(MatchRefusal::NotResumable), 4);
}

#[test]
fn player_whose_connection_is_open_receives_another_ticket_if_a_newer_one_replaces_it() {
    let (mut registry, room) = resumable(SamePlayer::Replace);
    let ann = player("ann");
    registry.join_room_as(0, "a", ann.clone());
    let session = registry.session_of("arena", &ann).unwrap();
    assert_eq!((session.connection, session.time), (connection(0), KEEP));
    registry.rooms.set_resume_ticket(&session, ticket(2, 2).ticket);
    assert_eq!(registry.resume(5, 2, ticket(2, 2), ann.clone()), [resumed(5, room, 0)]);
    registry.rooms.set_resume(room, None);
    assert_eq!(registry.session_of("arena", &ann), Err(MatchRefusal::NotResumable));
}

/// A registry with the rooms `a`, which keeps players, and `b`, of another template.
fn rooms_with_moves(resume_of_b: Option<Duration>) -> (Registry, RoomId, RoomId) {
    let of = |text, resume| Template { moves: true, resume, ..Template::new(name(text)) };
    let mut registry = Registry::new([of("arena", Some(KEEP)), of("duel", resume_of_b)]);
    let room = registry.open("a");
    let duel = registry.rooms.create(name("b"), &name("duel")).unwrap();
    registry.outputs();
    registry.rooms.opened(registry.now, duel);
    (registry, room, duel)
}

#[test]
fn kept_player_cannot_move_until_it_has_resumed() {
    let (mut registry, room, other) = rooms_with_moves(Some(KEEP));
    registry.join_room(0, "a");
    registry.offer(0, 1);
    registry.left(0);
    assert_eq!(registry.move_first(room, other), Err(MoveRefusal::NotConnected));
    assert_eq!(registry.rooms.stats().refused_moves, 1);
    assert_eq!(registry.rooms.kept_for(registry.now, connection(0)), Some(KEEP));
    registry.resume(1, 2, ticket(1, 2), Identity::anonymous());
    let peer = PeerId::new(2).unwrap();
    assert_eq!(registry.rooms.start_move(registry.now, room, peer, other), Ok(connection(1)));
}

#[test]
fn moved_player_resumes_in_its_new_room_and_not_while_it_moves() {
    let (mut registry, room, other) = rooms_with_moves(Some(KEEP * 2));
    registry.join_room(0, "a");
    registry.offer(0, 1);
    let peer = PeerId::new(2).unwrap();
    registry.rooms.start_move(registry.now, room, peer, other).unwrap();
    let during = registry.resume(1, 2, ticket(1, 2), Identity::anonymous());
    assert_eq!(during, [refused(1, JoinRefusal::InvalidResume)]);
    // The new room may offer a ticket before the registry is notified of the arrival.
    assert_eq!(registry.offer_in(other, 0, 2), Some(KEEP * 2));
    assert!(registry.rooms.end_move(registry.now, connection(0), true));
    assert_eq!(registry.rooms.left(registry.now, connection(0)), None);
    assert_eq!(registry.rooms.kept_for(registry.now, connection(0)), Some(KEEP * 2));
    let later = registry.resume(3, 2, ticket(2, 2), Identity::anonymous());
    assert_eq!(later, [resumed(3, other, 0)]);
}

#[test]
fn ticket_ends_when_its_player_moves_to_a_room_that_keeps_no_players() {
    let (mut registry, room, other) = rooms_with_moves(None);
    registry.join_room(0, "a");
    registry.offer(0, 1);
    registry.move_first(room, other).unwrap();
    assert_eq!(registry.offer_in(other, 0, 2), None);
    let refusal = registry.resume(1, 2, ticket(1, 2), Identity::anonymous());
    assert_eq!(refusal, [refused(1, JoinRefusal::InvalidResume)]);
    assert_eq!(registry.rooms.left(registry.now, connection(0)), Some(other));
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
                    prop_assert!(registry.rooms.offer_resume(room, connection(next), hash).is_some());
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
