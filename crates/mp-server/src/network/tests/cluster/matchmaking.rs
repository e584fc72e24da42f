//! Matchmaking and lists of rooms on all nodes of a cluster.

use mp_cluster::{QueueReport, matchmaker};
use mp_core::Rng;
use mp_identity::Credentials;
use mp_rooms::limits::LOBBY_PAGE_MAX;
use mp_rooms::{
    Code, Filter, LobbyQuery, MatchRefusal, MatchRequest, MatchVerb, PartyRequest, QueueRefusal,
    QueueSettings, Ticket,
};

use super::*;
use crate::rooms::{QueuePlace, Queued, Seat};

/// More pages than a test has.
const PAGES_MAX: usize = 20;

fn ticket(number: u64) -> Ticket {
    Ticket::random(&mut Rng::seed_from_u64(number))
}

fn arena() -> Template {
    let mut template = Template::new(name("arena"));
    template.player_metadata.insert("mode".to_owned());
    template
}

/// A request for a room with this mode.
fn mode(mode: &str) -> MatchRequest {
    let filter = Filter::new([("mode".to_owned(), mode.to_owned())].into()).unwrap();
    MatchRequest::new(name("arena")).filter(filter)
}

fn any() -> MatchRequest {
    MatchRequest::new(name("arena"))
}

impl World {
    fn rooms(&self, node: usize) -> &RoomsHandle {
        self.nodes[node].network.rooms()
    }

    /// Requests a seat at a node.
    async fn seat(
        &self,
        node: usize,
        verb: MatchVerb,
        request: MatchRequest,
        number: u64,
    ) -> Result<Seat, MatchRefusal> {
        let player = Credentials::default();
        self.rooms(node).request_seat(player, verb, request, ticket(number)).await.unwrap().unwrap()
    }

    /// Returns the names of the rooms that a node lists, page by page.
    async fn listed(&self, node: usize, limit: usize, filter: &Filter) -> Vec<String> {
        let (mut names, mut query) = (Vec::new(), LobbyQuery::new(name("arena")));
        query.limit = limit;
        query.filter = filter.clone();
        for _ in 0..PAGES_MAX {
            let lobby = self.rooms(node).lobby(query.clone()).await.unwrap().unwrap();
            assert!(lobby.rooms.len() <= limit);
            names.extend(lobby.rooms.iter().map(|room| room.name.to_string()));
            match lobby.next {
                Some(next) => query.after = next,
                None => return names,
            }
        }
        panic!("the list does not end: {names:?}");
    }

    /// Takes a seat at a node.
    async fn take(&self, node: usize, seat: &Seat) -> BranchRef {
        self.ws(node, &format!("?token={}", seat.ticket.reveal())).await.unwrap()
    }

    async fn enter(
        &self,
        node: usize,
        party: PartyRequest,
        tag: Option<u32>,
        number: u64,
    ) -> Result<Queued, QueueRefusal> {
        let place = QueuePlace { template: name("arena"), rank: 0, party, tag };
        self.enter_at(node, place, number).await
    }

    async fn enter_at(
        &self,
        node: usize,
        place: QueuePlace,
        number: u64,
    ) -> Result<Queued, QueueRefusal> {
        let player = Credentials::default();
        self.rooms(node).enter_queue(player, place, ticket(number)).await.unwrap().unwrap()
    }

    /// Returns the state of a player in a queue, who has not left it.
    async fn state(&self, node: usize, ticket: &Ticket) -> QueueReport {
        match self.rooms(node).queue_state(name("arena"), ticket).await.unwrap().unwrap() {
            QueueReport::Ended(reason) => panic!("{reason}"),
            report => report,
        }
    }

    /// Polls the state of a player in a queue until it has a seat.
    async fn seated(&self, node: usize, ticket: &Ticket) -> Seat {
        let seated = async {
            loop {
                if let QueueReport::Seated(offer) = self.state(node, ticket).await {
                    return Seat { ticket: ticket.clone(), offer };
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, seated).await.expect("the group has a room")
    }

    /// Polls the state of a player in a queue until its group must be confirmed.
    async fn until_confirming(&self, node: usize, ticket: &Ticket) {
        let confirming = async {
            while !matches!(self.state(node, ticket).await, QueueReport::Confirming { .. }) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, confirming).await.expect("there is a group")
    }

    /// Returns a node that has not the queue.
    fn other_than(&self, tag: u32) -> usize {
        let tag_of = |node: &usize| self.nodes[*node].id.ticket_tag();
        (0..self.nodes.len()).find(|node| tag_of(node) != tag).unwrap()
    }
}

#[test]
fn each_node_lists_the_public_rooms_of_all_in_pages() {
    actix::System::new().block_on(async {
        let world = World::start_with(arena()).await;
        let mut expected = Vec::new();
        for (number, node) in [0, 1, 2, 0, 1].into_iter().enumerate() {
            let room = format!("room-{number}");
            let id = world.rooms(node).create(name(&room), &name("arena")).await.unwrap();
            let mode = if number < 3 { "duel" } else { "race" };
            let metadata = [("mode".to_owned(), mode.to_owned())].into();
            world.rooms(node).set_metadata(id, metadata).await.unwrap();
            expected.push(room);
        }
        let hidden = world.rooms(2).create(name("hidden"), &name("arena")).await.unwrap();
        assert!(world.rooms(2).set_code(hidden, Some(Code::new("1").unwrap())).await.unwrap());
        for node in 0..3 {
            let mut listed = world.listed(node, 2, &Filter::default()).await;
            listed.sort();
            assert_eq!(listed, expected, "node {node}");
            let duels = world.listed(node, 100, &mode("duel").filter).await;
            assert_eq!(duels.len(), 3, "node {node}: {duels:?}");
        }
        let unknown = world.rooms(0).lobby(LobbyQuery::new(name("other"))).await.unwrap();
        assert_eq!(unknown.unwrap_err(), MatchRefusal::UnknownTemplate);
    });
}

#[test]
fn rooms_of_another_node_are_listed_beyond_its_first_page() {
    actix::System::new().block_on(async {
        let world = World::start_with(arena()).await;
        let mut expected = Vec::new();
        for number in 0..=LOBBY_PAGE_MAX {
            let room = format!("room-{number:03}");
            world.rooms(0).create(name(&room), &name("arena")).await.unwrap();
            expected.push(room);
        }
        assert_eq!(world.listed(1, LOBBY_PAGE_MAX, &Filter::default()).await, expected);
    });
}

#[test]
fn players_of_all_nodes_get_seats_in_one_room_until_it_is_full() {
    actix::System::new().block_on(async {
        let mut template = arena();
        template.max_players = 3;
        let world = World::start_with(template).await;
        // Lists that are read before the room exists do not hide it.
        assert!(world.listed(1, 100, &Filter::default()).await.is_empty());
        let mut seats = Vec::new();
        for (number, node) in (1..).zip([0, 1, 2]) {
            let seat = world.seat(node, MatchVerb::JoinOrCreate, mode("duel"), number).await;
            seats.push(seat.unwrap());
        }
        let room = seats[0].offer.name.clone();
        assert!(seats.iter().all(|seat| seat.offer.name == room), "{seats:?}");
        let tag = world.nodes[0].id.ticket_tag();
        assert!(seats.iter().all(|seat| seat.ticket.tag() == tag), "the room's node has the seats");
        assert_eq!(world.owners(room.as_str()).await, [0]);
        assert_eq!(world.room(0, room.as_str()).await.unwrap().seats, 3);

        // The room is full, and the other one is on the node of the request.
        let full = world.seat(1, MatchVerb::Join, mode("duel"), 4).await;
        assert_eq!(full.unwrap_err(), MatchRefusal::NoRoom);
        let other = world.seat(1, MatchVerb::JoinOrCreate, mode("duel"), 5).await.unwrap();
        assert_eq!(world.owners(other.offer.name.as_str()).await, [1]);

        // A seat is found again at any node, and admits its player.
        let again = world.rooms(2).reconnect(seats[1].ticket.clone()).await.unwrap().unwrap();
        assert_eq!(again.offer.name, room);
        let _players = [world.take(0, &seats[0]).await, world.take(0, &seats[1]).await];
        world.until_players(0, room.as_str(), 2).await;
        let taken = world.rooms(2).reconnect(seats[1].ticket.clone()).await.unwrap();
        assert_eq!(taken.unwrap_err(), MatchRefusal::NotResumable);
    });
}

#[test]
fn private_rooms_and_named_rooms_of_other_nodes_have_seats() {
    actix::System::new().block_on(async {
        let world = World::start_with(arena()).await;
        let request = |code: &str| any().code(Code::new(code).unwrap());
        let created = world.seat(0, MatchVerb::Create, request("1"), 1).await.unwrap();
        let found = world.seat(1, MatchVerb::JoinOrCreate, request("1"), 2).await.unwrap();
        assert_eq!(found.offer.name, created.offer.name);
        let other = world.seat(2, MatchVerb::Join, request("2"), 3).await;
        assert_eq!(other.unwrap_err(), MatchRefusal::NoRoom);

        // The name is in the directory.
        world.until(0, |stats| stats.rooms == 1).await;
        let named = async |room: &str, request: MatchRequest, number: u64| {
            let (player, room) = (Credentials::default(), name(room));
            let seat = world.rooms(2).request_seat_in(player, room, request, ticket(number)).await;
            seat.unwrap().unwrap()
        };
        let room = created.offer.name.as_str();
        let seat = named(room, request("1"), 4).await.unwrap();
        assert_eq!(seat.ticket.tag(), world.nodes[0].id.ticket_tag());
        assert_eq!(named(room, any(), 5).await.unwrap_err(), MatchRefusal::WrongCode);
        assert_eq!(named("none", any(), 6).await.unwrap_err(), MatchRefusal::UnknownRoom);
    });
}

#[test]
fn node_that_refuses_all_players_finds_seats_on_others() {
    actix::System::new().block_on(async {
        let world = World::start_with(arena()).await;
        world.rooms(0).set_shortage(Some(mp_rooms::Shortage::Memory)).await.unwrap();
        let seat = world.seat(0, MatchVerb::JoinOrCreate, any(), 1).await.unwrap();
        let room = seat.offer.name.as_str();
        let owners = world.owners(room).await;
        assert!(owners == [1] || owners == [2], "{owners:?}");
        let again = world.seat(0, MatchVerb::JoinOrCreate, any(), 2).await.unwrap();
        assert_eq!(again.offer.name, seat.offer.name);
    });
}

#[test]
fn players_of_all_nodes_are_matched_by_one_queue() {
    actix::System::new().block_on(async {
        let mut template = arena();
        template.queue = Some(QueueSettings::new(3));
        let world = World::start_with(template).await;
        let tag = world.rooms(0).queue_tag(&name("arena")).unwrap();
        assert!((1..3).all(|node| world.rooms(node).queue_tag(&name("arena")) == Some(tag)));

        // Two players of a party enter at different nodes, a third one is alone.
        let code = ticket(10).with_tag(tag);
        let open = PartyRequest::Open { code: code.hash(), size: 2 };
        let first = world.enter(0, open, Some(code.tag()), 1).await.unwrap();
        assert_eq!(first.report, QueueReport::Gathering { present: 1, size: 2 });
        let join = PartyRequest::Join { code: code.hash() };
        let second = world.enter(1, join, Some(code.tag()), 2).await.unwrap();
        let third = world.enter(2, PartyRequest::Alone, None, 3).await.unwrap();
        let mut seats = Vec::new();
        // Each asks another node than before.
        for (node, queued) in [(1, &first), (2, &second), (0, &third)] {
            seats.push(world.seated(node, &queued.ticket).await);
        }
        assert!(seats.iter().all(|seat| seat.offer.name == seats[0].offer.name), "{seats:?}");

        let leaves = world.enter(0, PartyRequest::Alone, None, 4).await.unwrap();
        for expected in [true, false] {
            let left = world.rooms(1).leave_queue(name("arena"), &leaves.ticket).await.unwrap();
            assert_eq!(left, Ok(expected));
        }
        let unknown = world.rooms(2).queue_state(name("arena"), &leaves.ticket).await.unwrap();
        assert!(unknown.is_ok_and(|report| matches!(report, QueueReport::Ended(_))));
    });
}

#[test]
fn players_of_close_ranks_are_matched_and_confirm_their_group_at_another_node() {
    actix::System::new().block_on(async {
        let mut queue = QueueSettings::new(2);
        queue.rank_window = 10;
        queue.confirm_timeout = Some(PATIENCE);
        queue.timeout = 10 * PATIENCE;
        let mut template = arena();
        template.queue = Some(queue);
        let world = World::start_with(template).await;
        let other = world.other_than(world.rooms(0).queue_tag(&name("arena")).unwrap());
        let mut tickets = Vec::new();
        for (number, rank) in (1..).zip([0, 100, 105]) {
            let template = name("arena");
            let place = QueuePlace { template, rank, party: PartyRequest::Alone, tag: None };
            tickets.push(world.enter_at(other, place, number).await.unwrap().ticket);
        }
        let mut rooms = Vec::new();
        for ticket in &tickets[1..] {
            world.until_confirming(other, ticket).await;
            let confirmed = world.rooms(other).confirm_group(name("arena"), ticket).await;
            confirmed.unwrap().unwrap();
        }
        for ticket in &tickets[1..] {
            rooms.push(world.seated(other, ticket).await.offer.name);
        }
        assert_eq!(rooms[0], rooms[1]);
        let alone = world.state(other, &tickets[0]).await;
        assert!(matches!(alone, QueueReport::Waiting { .. }), "{alone:?}");
    });
}

#[test]
fn party_is_completed_at_the_node_where_it_was_opened_after_the_queue_has_moved() {
    actix::System::new().block_on(async {
        let mut template = arena();
        template.queue = Some(QueueSettings::new(2));
        let mut world = World::start_with(template.clone()).await;
        let tag = world.rooms(0).queue_tag(&name("arena")).unwrap();
        let code = ticket(10).with_tag(tag);
        let open = PartyRequest::Open { code: code.hash(), size: 2 };
        let first = world.enter(0, open, Some(code.tag()), 1).await.unwrap();

        // A node to which the queue moves.
        let members = world.nodes[0].node.stats.get().unwrap().members;
        let moves_to = |id: &ClusterNodeId| {
            let mut members = members.clone();
            members.insert(*id, members[&world.nodes[0].id].clone());
            matchmaker(&members, &name("arena")) == Some(*id)
        };
        let id = (4..).map(ClusterNodeId::new).find(moves_to).unwrap();
        let of = cluster_node(&world.cluster, world.clock, id);
        let config = Config::parse("").unwrap();
        let room_type = game_type(&world.calls);
        world.nodes.push(Server::start(of, id, template, room_type, &config).await);
        let moved = || {
            let tag = |node: usize| world.rooms(node).queue_tag(&name("arena"));
            (0..4).all(|node| tag(node) == Some(id.ticket_tag()))
        };
        until(|| "the queue has not moved".to_owned(), moved).await;

        let join = PartyRequest::Join { code: code.hash() };
        let second = world.enter(1, join, Some(code.tag()), 2).await.unwrap();
        let seats = [world.seated(2, &first.ticket).await, world.seated(3, &second.ticket).await];
        assert_eq!(seats[0].offer.name, seats[1].offer.name);
    });
}

#[test]
fn queue_of_a_node_that_does_not_answer_is_unreachable() {
    actix::System::new().block_on(async {
        let mut template = arena();
        template.queue = Some(QueueSettings::new(2));
        let world = World::start_with(template).await;
        let tag = world.rooms(0).queue_tag(&name("arena")).unwrap();
        let is_away = |node: &usize| world.nodes[*node].id.ticket_tag() == tag;
        let away = (0..3).find(is_away).unwrap();
        world.cluster.set_bus_connected(world.nodes[away].id, false);
        let other = (away + 1) % 3;
        let entered = world.enter(other, PartyRequest::Alone, None, 1).await;
        assert_eq!(entered.unwrap_err(), QueueRefusal::Unreachable);
        // Its rooms are missing in lists, and seats are found elsewhere.
        let seat = world.seat(other, MatchVerb::JoinOrCreate, any(), 2).await.unwrap();
        assert_eq!(world.owners(seat.offer.name.as_str()).await, [other]);
    });
}
