//! Bans, host keys and players who join twice, on several nodes.

use mp_core::host::unix_now;
use mp_core::{Reason, Rng};
use mp_identity::{AuthRefusal, Credentials, Identity, Role, Subject, Token, TokenIssuer};
use mp_rooms::{JoinRefusal, MatchRefusal, MatchRequest, MatchVerb, RoomHost, Ticket};

use super::refusals::close_reason;
use super::*;

const SECRET: &str = "a secret of thirty-two characters";

/// Time in which a ban holds on all nodes, on a busy machine: nodes that receive no notice of it
/// read the bans later.
const BAN_TIME: Duration = Duration::from_secs(30);

/// Returns the configuration of servers whose players have tokens.
pub(super) fn with_tokens() -> String {
    format!("[identity]\nmethod = \"token\"\nsecret = \"{SECRET}\"\n")
}

/// Starts servers whose players have tokens.
async fn start() -> World {
    let mut template = Template::new(name("arena"));
    template.departure_timeout = None;
    World::start_as(template, &with_tokens()).await
}

pub(super) fn subject(text: &str) -> Subject {
    Subject::new(text).unwrap()
}

pub(super) fn token(identity: Identity) -> Token {
    let identity = identity.with_create(true).with_expires(Some(unix_now() + 3_600));
    let issuer = TokenIssuer::secret(SECRET.as_bytes()).unwrap().audience("mp-server");
    issuer.issue(unix_now(), &identity, None).unwrap()
}

/// Returns the path by which a player joins a room.
pub(super) fn path(room: &str, player: &str) -> String {
    let token = token(Identity::new(subject(player)));
    format!("arena/{room}?token={}", token.as_str())
}

/// Waits until a player is disconnected.
pub(super) async fn until_disconnected(player: &BranchRef) {
    let ended = tokio::time::timeout(PATIENCE, player.closed()).await;
    assert!(matches!(ended, Ok(EndReason::Disconnected(_))), "{ended:?}");
}

/// Waits until a node knows, or does not know, that a player is banned.
async fn until_banned(world: &World, node: usize, player: &str, is_banned: bool) {
    let knows = async {
        loop {
            let banned = world.nodes[node].network.rooms().banned_players().await;
            if banned.iter().any(|(it, _)| *it == subject(player)) == is_banned {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(BAN_TIME, knows).await.expect("the node reads the bans");
}

#[test]
fn ban_of_a_node_holds_on_all_and_on_one_that_starts_later_until_any_node_lifts_it() {
    actix::System::new().block_on(async {
        let mut world = start().await;
        let room = world.nodes[2].network.rooms();
        room.create(name("a"), &name("arena")).await.unwrap();
        let player = world.ws(1, &path("a", "kay")).await.unwrap();
        world.until_players(2, "a", 1).await;
        // The bans that nodes read at their start are not these.
        for node in 0..3 {
            world.until(node, |stats| stats.requests.bans_read >= 2).await;
        }
        let rooms = world.nodes[0].network.rooms();
        assert_eq!(rooms.ban_player(subject("kay"), None).await.unwrap(), 0, "she is elsewhere");
        until_disconnected(&player).await;
        for node in 0..3 {
            until_banned(&world, node, "kay", true).await;
            let reason = close_reason(&world, node, &path("a", "kay")).await;
            assert!(reason.starts_with(AuthRefusal::Banned.label()), "node {node}: {reason}");
        }

        let config = Config::parse(&with_tokens()).unwrap();
        let (id, template) = (ClusterNodeId::new(4), Template::new(name("arena")));
        let of = cluster_node(&world.cluster, world.clock, id);
        let room_type = game_type(&world.calls);
        let server = Server::start(of, id, template, room_type, &config).await;
        world.nodes.push(server);
        until_banned(&world, 3, "kay", true).await;

        assert!(world.nodes[1].network.rooms().unban_player(subject("kay")).await.unwrap());
        for node in 0..4 {
            until_banned(&world, node, "kay", false).await;
        }
        let _player = world.ws(3, &path("a", "kay")).await.unwrap();
        world.until_players(2, "a", 1).await;
    });
}

#[test]
fn player_who_joins_a_room_again_from_another_node_replaces_its_connection() {
    actix::System::new().block_on(async {
        let world = start().await;
        world.nodes[0].network.rooms().create(name("a"), &name("arena")).await.unwrap();
        let first = world.ws(1, &path("a", "kay")).await.unwrap();
        world.until_players(0, "a", 1).await;
        let second = world.ws(2, &path("a", "kay")).await.unwrap();
        until_disconnected(&first).await;
        world.until_players(0, "a", 1).await;
        assert_eq!(second.ended(), None);
    });
}

#[test]
fn player_who_joins_a_room_of_another_node_leaves_the_earlier_one() {
    actix::System::new().block_on(async {
        let world = start().await;
        for (node, room) in [(0, "a"), (1, "b"), (2, "c")] {
            world.nodes[node].network.rooms().create(name(room), &name("arena")).await.unwrap();
        }
        let other = world.ws(0, &path("a", "bob")).await.unwrap();
        let mut last = world.ws(2, &path("a", "kay")).await.unwrap();
        world.until_players(0, "a", 2).await;
        // To a room of the node of the socket, of another one, and back.
        for (socket, owner, room) in [(1, 1, "b"), (0, 2, "c"), (2, 0, "a")] {
            let next = world.ws(socket, &path(room, "kay")).await.unwrap();
            until_disconnected(&last).await;
            let players = if room == "a" { 2 } else { 1 };
            world.until_players(owner, room, players).await;
            last = next;
        }
        assert_eq!((last.ended(), other.ended()), (None, None));
    });
}

#[test]
fn room_of_a_token_exists_once_and_has_seats_for_players_of_all_nodes() {
    actix::System::new().block_on(async {
        let world = start().await;
        let seat = async |node: usize, verb: MatchVerb, player: &str| {
            let identity = Identity::new(subject(player)).with_room("own").unwrap();
            let player = Credentials { token: Some(token(identity)), ..Credentials::default() };
            let request = MatchRequest::new(name("arena"));
            let ticket = Ticket::random(&mut Rng::seed_from_u64(node as u64));
            let rooms = world.nodes[node].network.rooms();
            rooms.request_seat(player, verb, request, ticket).await.unwrap().unwrap()
        };
        let none = seat(1, MatchVerb::Join, "ann").await;
        assert_eq!(none.unwrap_err(), MatchRefusal::NoRoom);
        let first = seat(0, MatchVerb::JoinOrCreate, "ann").await.unwrap();
        assert_eq!(first.offer.name, name("own"));
        let second = seat(1, MatchVerb::JoinOrCreate, "bob").await.unwrap();
        assert_eq!((second.offer.room, world.owners("own").await), (first.offer.room, vec![0]));
        let taken = seat(2, MatchVerb::Create, "cid").await;
        assert_eq!(taken.unwrap_err(), MatchRefusal::NameTaken);
    });
}

#[test]
fn host_key_of_a_room_is_valid_on_any_node() {
    actix::System::new().block_on(async {
        let mut template = Template::new(name("arena"));
        template.host = RoomHost::Tunnel;
        template.host_key = Some(Token::new("first").unwrap());
        let world = World::start_with(template).await;
        let expect = async |node: usize, path: &str, refusal: JoinRefusal| {
            let reason = close_reason(&world, node, path).await;
            assert!(reason.starts_with(refusal.label()), "node {node}: {reason}");
        };
        expect(1, "arena/a?token=other", JoinRefusal::WrongHostKey).await;
        expect(1, "arena/a", JoinRefusal::UnknownRoom).await;
        let host = world.ws(1, "arena/a?token=first").await.unwrap();
        world.until_players(1, "a", 1).await;
        let room = world.room(1, "a").await.unwrap().id;
        let rooms = world.nodes[1].network.rooms();
        let role = |peer: PeerId| async move {
            let identity = rooms.identity(room, peer).await.unwrap();
            identity.map(|identity| identity.role())
        };
        assert_eq!(role(id(&host).await).await, Some(Role::Host));

        // The key of the room replaces that of the template, on all nodes.
        assert!(rooms.set_host_key(room, Token::new("own").unwrap(), false).await.unwrap());
        for node in [0, 2] {
            for key in ["first", "other"] {
                let path = format!("arena/a?token={key}");
                expect(node, &path, JoinRefusal::WrongHostKey).await;
            }
        }
        let other = world.ws(2, "arena/a?token=own").await.unwrap();
        world.until_players(1, "a", 2).await;
        assert_eq!(role(id(&other).await).await, Some(Role::Host));
        let guest = world.ws(0, "arena/a").await.unwrap();
        world.until_players(1, "a", 3).await;
        assert_ne!(role(id(&guest).await).await, Some(Role::Host));
    });
}
