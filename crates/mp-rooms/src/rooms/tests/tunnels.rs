//! Rooms whose host is a program beside a game.

use mp_identity::{Credentials, Identity, Role, Token};

use super::*;

fn token(text: &str) -> Token {
    Token::new(text).unwrap()
}

fn tunnel() -> Template {
    Template { host: RoomHost::Tunnel, host_key: Some(token("key")), ..arena() }
}

fn join_of(number: u32, text: &str) -> Join {
    let selection = Ok(Selection::new(name("a")));
    let credentials = Credentials { token: Some(token(text)), ..Credentials::default() };
    Join { credentials, ..Join::new(connection(number), None, selection) }
}

#[test]
fn only_a_host_creates_a_room_on_demand() {
    let mut registry = Registry::new([tunnel()]);
    assert_eq!(registry.join_room(0, "a"), [refused(0, JoinRefusal::UnknownRoom)]);
    let host = Arc::new(Identity::anonymous().with_role(Role::Host));
    registry.rooms.join_as(registry.now, join_of(1, "key"), host);
    let outputs = registry.outputs();
    let room = created(&outputs);
    registry.rooms.opened(registry.now, room);
    assert_eq!(registry.outputs(), [admitted(1, room)]);
    let identity = registry.rooms.identity_of(connection(1));
    assert_eq!(identity.map(|identity| identity.role()), Some(Role::Host), "without a subject");
    assert_eq!(registry.join_room(2, "a"), [admitted(2, room)]);
}

#[test]
fn key_of_a_template_is_that_of_its_rooms_until_a_room_has_its_own() {
    let mut registry = Registry::new([tunnel()]);
    let has_key =
        |registry: &Registry, text| registry.rooms.has_host_key(registry.now, &join_of(0, text));
    assert_eq!(has_key(&registry, "key"), Some(true));
    assert_eq!(has_key(&registry, "other"), Some(false));
    let room = registry.open("a");
    assert_eq!(has_key(&registry, "key"), Some(true));
    assert!(registry.rooms.set_host_key(room, token("own"), false));
    assert_eq!((has_key(&registry, "key"), has_key(&registry, "own")), (Some(false), Some(true)));
    let has_hash = |text| {
        let (join, selection) = (join_of(0, text), Selection::new(name("a")));
        let hash = join.token_hash().unwrap();
        registry.rooms.has_host_key_hash(registry.now, &selection, &hash)
    };
    assert_eq!((has_hash("key"), has_hash("own")), (Some(false), Some(true)));
}

#[test]
fn key_for_one_host_expires_when_the_host_has_not_returned_in_time() {
    let mut registry = Registry::new([tunnel()]);
    let has_key = |registry: &Registry| {
        registry.rooms.has_host_key(registry.now, &join_of(0, "own")) == Some(true)
    };
    let room = registry.open("a");
    assert!(registry.rooms.set_host_key(room, token("own"), true));
    let host = Arc::new(Identity::anonymous().with_role(Role::Host));
    let grace = tunnel().host_grace;
    registry.now += grace * 2;
    assert!(has_key(&registry), "the key is not used yet");
    // The second connection is of the same host, whose first one is still open.
    for number in [1, 2] {
        registry.rooms.join_as(registry.now, join_of(number, "own"), Arc::clone(&host));
        assert!(has_key(&registry));
    }
    registry.rooms.left(registry.now, connection(1));
    registry.now += grace * 2;
    assert!(has_key(&registry), "the host is connected");
    registry.rooms.left(registry.now, connection(2));
    registry.now += grace - Duration::from_millis(1);
    assert!(has_key(&registry), "the host can return");
    registry.now += Duration::from_millis(1);
    assert!(!has_key(&registry));
}

#[test]
fn rooms_without_a_host_of_a_tunnel_have_no_key() {
    let mut registry = Registry::new([Template { host: RoomHost::First, ..tunnel() }]);
    let room = registry.open("a");
    assert!(!registry.rooms.set_host_key(room, token("own"), false));
    assert_eq!(registry.rooms.has_host_key(registry.now, &join_of(0, "key")), None);
}
