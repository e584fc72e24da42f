//! Queues of templates, and the rooms of their groups.

use super::seats::ticket;
use super::*;
use crate::limits::{QUEUE_END_KEPT, QUEUE_INTERVAL, SEAT_TIMEOUT};
use crate::queue::{PartyRequest, QueueEnd, QueueRefusal, QueueSettings, QueueStatus};

fn duel() -> Template {
    Template { queue: Some(QueueSettings::new(2)), ..arena() }
}

fn confirmed_duel() -> Template {
    let mut settings = QueueSettings::new(2);
    settings.confirm_timeout = Some(Duration::from_secs(10));
    Template { queue: Some(settings), ..arena() }
}

impl Registry {
    fn enter(&mut self, number: u64) -> Result<(), QueueRefusal> {
        let (alone, template) = (PartyRequest::Alone, name("arena"));
        self.rooms.enter_queue(self.now, &template, ticket(number), 0, alone)
    }

    fn state(&mut self, number: u64) -> Result<QueueState, QueueRefusal> {
        self.rooms.queue_state(self.now, &name("arena"), ticket(number))
    }

    fn confirm(&mut self, number: u64) -> Result<(), QueueRefusal> {
        self.rooms.confirm_group(self.now, &name("arena"), ticket(number))
    }
}

#[test]
fn group_receives_a_locked_room_with_a_seat_for_each_ticket() {
    let mut registry = Registry::new([duel()]);
    registry.enter(1).unwrap();
    registry.enter(2).unwrap();
    assert!(matches!(registry.state(1), Ok(QueueState::Queued(QueueStatus::Waiting { .. }))));
    assert_eq!(registry.rooms.poll_timeout(), Some(registry.now + QUEUE_INTERVAL));
    let room = created(&registry.pass(QUEUE_INTERVAL));
    let expires = registry.now + SEAT_TIMEOUT;
    for number in [1, 2] {
        let Ok(QueueState::Seated(seat)) = registry.state(number) else { panic!("no seat") };
        assert_eq!((seat.room, seat.name, seat.expires), (room, name("arena-1"), expires));
    }
    assert_eq!(registry.join_room(9, "arena-1"), [refused(9, JoinRefusal::RoomLocked)]);
    registry.rooms.opened(registry.now, room);
    assert_eq!(registry.take(0, 1), [admitted(0, room)]);
    assert_eq!(registry.take(1, 2), [admitted(1, room)]);
    assert_eq!(registry.state(1), Err(QueueRefusal::UnknownTicket));
    let stats = registry.rooms.stats();
    assert_eq!((stats.queued, stats.formed_groups, stats.players), (0, 1, 2));
    assert_eq!(stats.queue_refused.get(QueueRefusal::UnknownTicket), 1);
}

#[test]
fn group_receives_its_room_when_the_last_player_confirms() {
    let mut registry = Registry::new([confirmed_duel()]);
    registry.enter(1).unwrap();
    registry.enter(2).unwrap();
    assert_eq!(registry.confirm(1), Err(QueueRefusal::NothingToConfirm));
    assert_eq!(registry.pass(QUEUE_INTERVAL), []);
    registry.confirm(1).unwrap();
    assert_eq!(registry.outputs(), []);
    registry.confirm(2).unwrap();
    created(&registry.outputs());
    assert!(matches!(registry.state(1), Ok(QueueState::Seated(_))));
}

#[test]
fn groups_wait_while_there_is_no_place_for_rooms() {
    let mut registry = Registry::new([confirmed_duel()]);
    let rooms: Vec<_> = (0..10).map(|number| registry.open(&format!("room-{number}"))).collect();
    registry.enter(1).unwrap();
    registry.enter(2).unwrap();
    assert_eq!(registry.pass(QUEUE_INTERVAL), []);
    assert!(matches!(registry.state(1), Ok(QueueState::Queued(QueueStatus::Waiting { .. }))));
    registry.rooms.ended(rooms[0]);
    registry.rooms.set_shortage(Some(Shortage::Load));
    registry.pass(QUEUE_INTERVAL);
    assert!(matches!(registry.state(1), Ok(QueueState::Queued(QueueStatus::Waiting { .. }))));
    registry.rooms.set_shortage(None);
    registry.pass(QUEUE_INTERVAL);
    assert!(matches!(registry.state(1), Ok(QueueState::Queued(QueueStatus::Confirming { .. }))));
}

#[test]
fn confirmed_group_without_a_room_waits_again() {
    let mut registry = Registry::new([confirmed_duel()]);
    registry.enter(1).unwrap();
    registry.enter(2).unwrap();
    registry.pass(QUEUE_INTERVAL);
    registry.rooms.set_shortage(Some(Shortage::Memory));
    registry.confirm(1).unwrap();
    registry.confirm(2).unwrap();
    assert!(matches!(registry.state(1), Ok(QueueState::Queued(QueueStatus::Waiting { .. }))));
    assert_eq!(registry.rooms.stats().formed_groups, 0);
}

#[test]
fn queues_end_when_the_server_drains() {
    let mut registry = Registry::new([duel()]);
    registry.enter(1).unwrap();
    registry.rooms.drain();
    registry.pass(QUEUE_INTERVAL);
    let ended = QueueState::Queued(QueueStatus::Ended(QueueEnd::Draining));
    assert_eq!(registry.state(1), Ok(ended));
    assert_eq!(registry.enter(2), Err(QueueRefusal::Draining));
    registry.pass(QUEUE_END_KEPT);
    assert_eq!((registry.rooms.stats().queued, registry.rooms.poll_timeout()), (0, None));
}

#[test]
fn templates_without_a_queue_refuse_players() {
    let mut registry = Registry::new([arena()]);
    assert_eq!(registry.enter(1), Err(QueueRefusal::NoQueue));
    registry.rooms.set_templates([]);
    assert_eq!(registry.enter(1), Err(QueueRefusal::UnknownTemplate));
    registry.rooms.set_templates([duel()]);
    registry.enter(1).unwrap();
    registry.rooms.set_templates([Template { queue: Some(QueueSettings::new(1)), ..arena() }]);
    created(&registry.pass(QUEUE_INTERVAL));
}

#[test]
fn player_leaves_the_queue_or_its_seat() {
    let mut registry = Registry::new([duel()]);
    registry.enter(1).unwrap();
    let leave = |registry: &mut Registry, number| {
        registry.rooms.leave_queue(registry.now, &name("arena"), ticket(number))
    };
    assert!(leave(&mut registry, 1));
    assert!(!leave(&mut registry, 1));
    registry.enter(2).unwrap();
    registry.enter(3).unwrap();
    registry.pass(QUEUE_INTERVAL);
    assert!(leave(&mut registry, 2));
    assert_eq!(registry.rooms.stats().seats, 1);
}
