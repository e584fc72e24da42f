//! The list of rooms for players.

use super::*;
use crate::limits::LOBBY_PAGE_MAX;
use crate::matchmaking::{Filter, LobbyQuery};

impl Registry {
    fn lobby(&self, query: &LobbyQuery) -> Vec<String> {
        let page = self.rooms.lobby(query).unwrap();
        page.rooms.iter().map(|room| room.name.to_string()).collect()
    }
}

#[test]
fn lobby_lists_public_unlocked_rooms_of_its_template() {
    let mut registry = Registry::new([Template { max_players: 1, ..arena() }]);
    let (_, locked, private) = (registry.open("a"), registry.open("b"), registry.open("c"));
    registry.rooms.create_with(name("d"), Template::new(name("duel")).into()).unwrap();
    registry.rooms.set_locked(locked, true);
    registry.rooms.set_code(private, Some(code("1")));
    let other_map = registry.open("e");
    registry.rooms.set_metadata(other_map, [("map".to_owned(), "hill".to_owned())].into());
    registry.join_room(0, "a");
    let mut query = LobbyQuery::new(name("arena"));
    assert_eq!(registry.lobby(&query), ["a", "e"], "full rooms are listed");
    query.filter = Filter::new([("map".to_owned(), "hill".to_owned())].into()).unwrap();
    assert_eq!(registry.lobby(&query), ["e"]);
}

#[test]
fn lobby_has_pages() {
    let mut registry = Registry::new([arena()]);
    let rooms: Vec<_> = ["a", "b", "c", "d"].map(|room| registry.open(room)).into();
    let mut query = LobbyQuery { limit: 2, ..LobbyQuery::new(name("arena")) };
    assert_eq!(registry.lobby(&query), ["a", "b"]);
    let first = registry.rooms.lobby(&query).unwrap();
    assert_eq!(first.next, Some(rooms[1].get()));
    // The room between the pages may end meanwhile.
    registry.rooms.close(rooms[1]);
    query.after = rooms[1].get();
    assert_eq!(registry.lobby(&query), ["c", "d"]);
    assert_eq!(registry.rooms.lobby(&query).unwrap().next, None);
}

#[test]
fn pages_are_bounded() {
    let settings = RoomsSettings { max_rooms: 1_000, ..RoomsSettings::default() };
    let mut rooms = Rooms::new(settings, [arena()]);
    for number in 0..LOBBY_PAGE_MAX + 1 {
        rooms.create(name(&number.to_string()), &name("arena")).unwrap();
    }
    let query = LobbyQuery { limit: usize::MAX, ..LobbyQuery::new(name("arena")) };
    assert_eq!(rooms.lobby(&query).unwrap().rooms.len(), LOBBY_PAGE_MAX);
    let none = LobbyQuery { limit: 0, ..query };
    assert_eq!(rooms.lobby(&none).unwrap().rooms.len(), 1, "a page has at least one room");
}

#[test]
fn lobby_of_an_unknown_template_is_refused() {
    let off = Template { matchmaking: false, ..Template::new(name("off")) };
    let registry = Registry::new([off]);
    let lobby = |template| registry.rooms.lobby(&LobbyQuery::new(name(template)));
    assert_eq!(lobby("none").unwrap_err(), MatchRefusal::UnknownTemplate);
    assert_eq!(lobby("off").unwrap_err(), MatchRefusal::MatchmakingOff);
}
