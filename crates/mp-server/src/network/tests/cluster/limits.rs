//! Limits of players that hold for all nodes: one connection, and a number of rooms.

use mp_core::{Reason, Rng};
use mp_identity::{Credentials, Identity};
use mp_rooms::{JoinRefusal, MatchRefusal, MatchRequest, MatchVerb, Ticket};

use super::refusals::close_reason;
use super::shared::{path, subject, token, with_tokens};
use super::*;

const REJECT: &str = "same_player = \"reject\"";
/// Times that players race: each has several outcomes.
const ROUNDS: usize = 6;

/// Starts servers whose players have tokens, with more settings.
async fn start(template: Template, settings: &str) -> World {
    World::start_as(template, &format!("{}{settings}\n", with_tokens())).await
}

/// Starts servers that reject second connections, with a room on each.
async fn rejecting(resume: Option<Duration>) -> World {
    let mut template = Template::new(name("arena"));
    template.departure_timeout = None;
    template.resume = resume;
    let world = start(template, REJECT).await;
    for (node, room) in ["a", "b", "c"].into_iter().enumerate() {
        world.nodes[node].network.rooms().create(name(room), &name("arena")).await.unwrap();
    }
    world
}

/// Returns the selection by which a player joins a room over ENet, whose clients are connected when
/// they are admitted.
fn selection(room: &str, player: &str) -> String {
    let token = token(Identity::new(subject(player)));
    format!("room={room}&token={}", token.as_str())
}

/// Joins a room, again if it is unreachable for a moment.
async fn join(world: &World, node: usize, selection: &str) -> BranchRef {
    let joined = async {
        loop {
            if let Ok(player) = world.enet(node, selection).await {
                return player;
            }
        }
    };
    tokio::time::timeout(PATIENCE, joined).await.expect("the join is accepted")
}

/// Joins three rooms at once, and checks that one join is accepted. Nodes that are late may refuse
/// all.
async fn one_joins(world: &World, joins: [(usize, &str); 3]) -> BranchRef {
    let joined = async {
        loop {
            let [first, second, third] = joins.map(|(node, selection)| world.enet(node, selection));
            let (first, second, third) = tokio::join!(first, second, third);
            let mut accepted: Vec<_> = [first, second, third].into_iter().flatten().collect();
            assert!(accepted.len() <= 1, "{} joins are accepted", accepted.len());
            if let Some(player) = accepted.pop() {
                return player;
            }
        }
    };
    tokio::time::timeout(PATIENCE, joined).await.expect("a join is accepted")
}

/// Joins a room, and waits for a refusal other than `unreachable`.
async fn expect(world: &World, node: usize, path: &str, refusal: JoinRefusal) {
    let refused = async {
        loop {
            let reason = close_reason(world, node, path).await;
            if !reason.starts_with(JoinRefusal::Unreachable.label()) {
                return reason;
            }
        }
    };
    let reason = tokio::time::timeout(PATIENCE, refused).await.expect("the join is refused");
    assert!(reason.starts_with(refusal.label()), "node {node}: {reason}");
}

/// Returns the number of players in rooms of all nodes.
async fn players(world: &World) -> usize {
    let mut players = 0;
    for node in &world.nodes {
        players += node.network.rooms().stats().await.unwrap().players;
    }
    players
}

async fn until_players(world: &World, number: usize) {
    let admitted = async { while players(world).await != number {} };
    tokio::time::timeout(PATIENCE, admitted).await.expect("the players are admitted");
}

#[test]
fn second_connection_of_a_player_is_rejected_wherever_its_socket_and_room_are() {
    actix::System::new().block_on(async {
        let world = rejecting(None).await;
        // Her socket is on the second node, her room on the first.
        let first = join(&world, 1, &selection("a", "kay")).await;
        until_players(&world, 1).await;
        for (socket, room) in [(1, "b"), (2, "b"), (2, "c"), (0, "c"), (0, "a"), (2, "a")] {
            expect(&world, socket, &path(room, "kay"), JoinRefusal::AlreadyConnected).await;
        }
        let other = join(&world, 1, &selection("b", "bob")).await;
        until_players(&world, 2).await;
        assert_eq!((first.ended(), other.ended()), (None, None));
        first.close().await;
        until_players(&world, 1).await;
        let _again = join(&world, 0, &selection("c", "kay")).await;
        until_players(&world, 2).await;
        expect(&world, 1, &path("a", "kay"), JoinRefusal::AlreadyConnected).await;
    });
}

#[test]
fn of_joins_of_a_player_at_all_nodes_at_once_one_is_accepted() {
    actix::System::new().block_on(async {
        let world = rejecting(None).await;
        for round in 0..ROUNDS {
            let player = format!("kay-{round}");
            let [a, b, c] = ["a", "b", "c"].map(|room| selection(room, &player));
            // Two sockets are not on the node of their room.
            let player = one_joins(&world, [(0, &a), (2, &b), (1, &c)]).await;
            until_players(&world, 1).await;
            player.close().await;
            until_players(&world, 0).await;
        }
    });
}

#[test]
fn player_whose_room_dies_joins_elsewhere_when_the_lease_of_its_node_has_ended() {
    actix::System::new().block_on(async {
        let world = rejecting(None).await;
        let first = join(&world, 0, &selection("a", "kay")).await;
        until_players(&world, 1).await;
        world.nodes[0].node.kill();
        // Until then it may still serve her, and the join is unreachable.
        let again = join(&world, 1, &selection("b", "kay")).await;
        let members = world.nodes[1].node.stats.get().unwrap().members;
        assert!(!members.contains_key(&world.nodes[0].id));
        world.until_players(1, "b", 1).await;
        assert_eq!(again.ended(), None);
        drop(first);
    });
}

#[test]
fn place_that_is_kept_on_another_node_does_not_refuse_its_player_and_ends() {
    actix::System::new().block_on(async {
        let world = rejecting(Some(Duration::from_secs(600))).await;
        let first = join(&world, 1, &selection("a", "kay")).await;
        until_players(&world, 1).await;
        first.close().await;
        let kept = async |places: usize| {
            let rooms = world.nodes[0].network.rooms();
            let kept = async { while rooms.stats().await.unwrap().kept_places != places {} };
            tokio::time::timeout(PATIENCE, kept).await.expect("the places are kept");
        };
        kept(1).await;
        let second = join(&world, 1, &selection("b", "kay")).await;
        kept(0).await;
        until_players(&world, 1).await;
        assert_eq!(second.ended(), None);
    });
}

#[test]
fn session_is_resumed_although_its_player_may_have_one_connection() {
    actix::System::new().block_on(async {
        let world = rejecting(Some(Duration::from_secs(600))).await;
        let first = join(&world, 1, &selection("a", "kay")).await;
        until_players(&world, 1).await;
        first.close().await;
        let _again = join(&world, 2, &selection("a", "kay")).await;
        let resumed =
            async { while world.nodes[0].network.rooms().stats().await.unwrap().resumed != 1 {} };
        tokio::time::timeout(PATIENCE, resumed).await.expect("the session is resumed");
        until_players(&world, 1).await;
    });
}

#[test]
fn seat_of_a_player_who_is_connected_to_another_node_is_not_taken_and_stays() {
    actix::System::new().block_on(async {
        let world = rejecting(None).await;
        let first = join(&world, 1, &selection("a", "kay")).await;
        until_players(&world, 1).await;
        let rooms = world.nodes[1].network.rooms();
        let (verb, request) = (MatchVerb::Join, MatchRequest::new(name("arena")));
        let identity = Identity::new(subject("kay"));
        let player = Credentials { token: Some(token(identity)), ..Credentials::default() };
        let ticket = Ticket::random(&mut Rng::seed_from_u64(1));
        let seat = rooms.request_seat(player, verb, request, ticket).await.unwrap().unwrap();
        let seat = seat.unwrap();
        assert_eq!(seat.offer.name, name("b"));
        let query = format!("token={}", seat.ticket.reveal());
        for node in [1, 2] {
            expect(&world, node, &format!("?{query}"), JoinRefusal::AlreadyConnected).await;
        }
        first.close().await;
        until_players(&world, 0).await;
        let _player = join(&world, 2, &query).await;
        world.until_players(1, "b", 1).await;
    });
}

#[test]
fn rooms_of_a_player_on_all_nodes_count_until_they_have_ended() {
    actix::System::new().block_on(async {
        let mut template = Template::new(name("arena"));
        template.departure_timeout = None;
        template.matchmaking = true;
        let world =
            start(template, "same_player = \"allow\"\n[limits]\nmax_rooms_per_owner = 2").await;
        let too_many = JoinRefusal::TooManyRoomsOfPlayer;
        let _players = [
            join(&world, 0, &selection("x", "kay")).await,
            join(&world, 1, &selection("y", "kay")).await,
        ];
        until_players(&world, 2).await;
        for node in 0..3 {
            expect(&world, node, &path("z", "kay"), too_many).await;
        }
        // Others may create rooms, and she may join them.
        let _other = join(&world, 2, &selection("z", "bob")).await;
        let _guest = join(&world, 0, &selection("z", "kay")).await;
        until_players(&world, 4).await;

        // The same limit holds for rooms that matchmaking creates.
        let create = async |node: usize, seed: u64| {
            let identity = Identity::new(subject("kay"));
            let player = Credentials { token: Some(token(identity)), ..Credentials::default() };
            let (verb, request) = (MatchVerb::Create, MatchRequest::new(name("arena")));
            let ticket = Ticket::random(&mut Rng::seed_from_u64(seed));
            let rooms = world.nodes[node].network.rooms();
            rooms.request_seat(player, verb, request, ticket).await.unwrap().unwrap()
        };
        for node in 0..3 {
            let refused = create(node, node as u64).await;
            assert_eq!(refused.unwrap_err(), MatchRefusal::TooManyRoomsOfPlayer, "node {node}");
        }
        let room = world.room(0, "x").await.unwrap().id;
        assert!(world.nodes[0].network.rooms().close(room).await.unwrap());
        create(2, 7).await.unwrap();
        expect(&world, 1, &path("w", "kay"), too_many).await;
    });
}

#[test]
fn of_rooms_that_a_player_creates_at_all_nodes_at_once_no_more_open_than_allowed() {
    actix::System::new().block_on(async {
        let template = Template::new(name("arena"));
        let world =
            start(template, "same_player = \"allow\"\n[limits]\nmax_rooms_per_owner = 1").await;
        for round in 0..ROUNDS {
            let player = format!("kay-{round}");
            let [x, y, z] =
                ["x", "y", "z"].map(|room| selection(&format!("{room}-{round}"), &player));
            let player = one_joins(&world, [(0, &x), (1, &y), (2, &z)]).await;
            assert_eq!(player.ended(), None);
        }
    });
}

#[test]
fn join_is_unreachable_if_a_registered_node_does_not_answer() {
    actix::System::new().block_on(async {
        let world = rejecting(None).await;
        // It keeps its lease, since it reaches the directory.
        world.cluster.set_bus_connected(world.nodes[2].id, false);
        let reason = close_reason(&world, 0, &path("a", "kay")).await;
        assert!(reason.starts_with(JoinRefusal::Unreachable.label()), "{reason}");
        world.cluster.set_bus_connected(world.nodes[2].id, true);
        let _player = join(&world, 0, &selection("a", "kay")).await;
        until_players(&world, 1).await;
    });
}
