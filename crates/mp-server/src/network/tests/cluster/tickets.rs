//! Players who show tickets to any node, and resume their sessions.

use mp_cluster::directory::{AddressKind, NodeContact};
use mp_core::{Reason, Rng};
use mp_identity::{Credentials, Identity, Subject, TokenIssuer};
use mp_rooms::{JoinRefusal, MatchRefusal, MatchRequest, MatchVerb, ResumeTicket, Ticket};
use serde_json::Value;

use super::adoption::{has_players, relays, until_restored, until_stored};
use super::*;

/// Key of the players' tokens, at least as long as HS256 needs.
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Time for which places are kept, longer than the test.
const KEEP: Duration = Duration::from_secs(600);

/// A player, and the notices that it has received.
pub(super) struct Player {
    branch: BranchRef,
    notices: Notices,
}

#[derive(Clone, Debug, Default)]
struct Notices(Arc<Mutex<Vec<Value>>>);

impl Notices {
    /// Returns a branch that records its notices.
    fn game(&self, calls: &Calls) -> Result<Branch, BuildError> {
        let (notices, mut branch) = (self.clone(), game(calls)?);
        branch.add_signal_hook(move |_, signal| {
            if let Signal::PeerPacket { data, .. } = signal
                && let Ok(notice) = serde_json::from_slice(data)
            {
                notices.0.lock().unwrap().push(notice);
            }
        });
        Ok(branch)
    }

    /// Waits for the last notice with a code.
    async fn until(&self, code: &str) -> Value {
        let find = || {
            let notices = self.0.lock().unwrap();
            notices.iter().rev().find(|notice| notice["code"] == code).cloned()
        };
        until(|| format!("{code} is not in {self:?}"), || find().is_some()).await;
        find().unwrap()
    }
}

impl Player {
    /// Joins over WebSocket.
    pub(super) async fn ws(world: &World, node: usize, path: &str) -> Self {
        let (url, calls, notices) =
            (world.url(node, path), world.calls.clone(), Notices::default());
        let options = mp_transport_ws::ClientOptions::default();
        let make = move || WebSocketMultiplayerPeer::create_async_client(&url, options);
        let of = notices.clone();
        let branch = mp_actor::branch(move || of.game(&calls)).connect(make).await.unwrap();
        Self { branch, notices }
    }

    pub(super) async fn ticket(&self) -> String {
        self.notices.until("resume").await["ticket"].as_str().unwrap().to_owned()
    }

    pub(super) async fn id(&self) -> PeerId {
        id(&self.branch).await
    }

    /// Disconnects, and waits until the room of a node keeps the place.
    pub(super) async fn lose(self, world: &World, node: usize) {
        let kept = world.stats(node).await.kept_places + 1;
        self.branch.close().await;
        world.until_kept(node, kept).await;
    }
}

impl World {
    /// Starts servers whose rooms keep players.
    pub(super) async fn start_keeping(identity: &str) -> Self {
        let mut template = Template::new(name("arena"));
        template.resume = Some(KEEP);
        Self::start_as(template, identity).await
    }

    async fn stats(&self, node: usize) -> mp_rooms::RoomsStats {
        self.nodes[node].network.rooms().stats().await.unwrap()
    }

    /// Waits until a node keeps this number of places.
    async fn until_kept(&self, node: usize, places: usize) {
        let kept = async { while self.stats(node).await.kept_places != places {} };
        tokio::time::timeout(PATIENCE, kept).await.expect("the places are kept");
    }

    /// Creates the room `a` on the first node, and joins it there.
    async fn open(&self) -> Player {
        self.nodes[0].network.rooms().create(name("a"), &name("arena")).await.unwrap();
        Player::ws(self, 0, "a").await
    }
}

/// Returns `token=` and a token of a player.
pub(super) fn token(subject: &str) -> String {
    let expires = Some(mp_core::host::unix_now() + 3_600);
    let identity = Identity::new(Subject::new(subject).unwrap()).with_expires(expires);
    let issuer = TokenIssuer::secret(SECRET.as_bytes()).unwrap().audience("mp-server");
    let token = issuer.issue(mp_core::host::unix_now(), &identity, None).unwrap();
    format!("token={}", token.as_str())
}

pub(super) fn with_tokens() -> String {
    format!("[identity]\nmethod = \"token\"\nsecret = \"{SECRET}\"")
}

#[test]
fn player_resumes_with_its_id_at_any_node_by_a_ticket_and_others_notice_nothing() {
    actix::System::new().block_on(async {
        let world = World::start_keeping("").await;
        let other = world.open().await;
        let player = Player::ws(&world, 1, "a").await;
        let (player_id, ticket) = (player.id().await, player.ticket().await);
        let known = vec![PeerId::SERVER, player_id];
        until_peers(&other.branch, known.clone()).await;
        player.lose(&world, 0).await;

        // Its room is on the first node, its connection was at the second.
        let again = Player::ws(&world, 2, &format!("?resume={ticket}")).await;
        let newer = again.ticket().await;
        assert_eq!(again.id().await, player_id);
        until_peers(&other.branch, known.clone()).await;
        let shown = world.nodes[2].node.stats.get().unwrap().tickets;
        world.until(0, |stats| stats.tickets.used == 1).await;
        world.until(2, |stats| stats.tickets.found == 1).await;
        assert_eq!((shown.used, shown.refused), (0, 0));
        assert_eq!(world.stats(0).await.resumed, 1);

        // At the room's own node, while the connection to the other one is still open.
        let here = Player::ws(&world, 0, &format!("?resume={newer}")).await;
        let newest = here.ticket().await;
        assert_eq!(here.id().await, player_id);
        let end = tokio::time::timeout(PATIENCE, again.branch.closed()).await.unwrap();
        assert!(matches!(end, EndReason::Disconnected(_)), "{end:?}");

        // Over ENet, at another node, it has another id.
        here.lose(&world, 0).await;
        let by_enet = world.enet(1, &format!("resume={newest}")).await.unwrap();
        until_peers(&other.branch, vec![PeerId::SERVER, id(&by_enet).await]).await;
        assert_eq!(world.stats(0).await.resumed, 3);
        // The directory has a ticket of each player, and none of those that were used.
        world.until(0, |stats| stats.tickets.valid == 2).await;
    });
}

#[test]
fn player_whose_node_dies_resumes_at_another_one() {
    actix::System::new().block_on(async {
        let world = World::start_keeping("").await;
        let other = world.open().await;
        let players = [Player::ws(&world, 1, "a").await, Player::ws(&world, 1, "a").await];
        let tickets = [players[0].ticket().await, players[1].ticket().await];
        let ids = [players[0].id().await, players[1].id().await];
        let known = vec![PeerId::SERVER, ids[0], ids[1]];
        until_peers(&other.branch, known.clone()).await;
        world.nodes[1].node.kill();

        // One resumes before the room's node has noticed, the other one afterwards.
        let early = Player::ws(&world, 2, &format!("?resume={}", tickets[0])).await;
        early.ticket().await;
        assert_eq!(early.id().await, ids[0]);
        world.until_kept(0, 1).await;
        let late = Player::ws(&world, 2, &format!("?resume={}", tickets[1])).await;
        late.ticket().await;
        assert_eq!(late.id().await, ids[1]);
        until_peers(&other.branch, known).await;
        assert_eq!(world.stats(0).await.players, 3);
        drop(players);
    });
}

#[test]
fn player_whose_node_and_room_die_resumes_where_the_room_goes_on() {
    actix::System::new().block_on(async {
        let mut template = Template::new(name("arena"));
        template.resume = Some(KEEP);
        let world = relays(template).await;
        let lost = world.open().await;
        let stays = Player::ws(&world, 1, "a").await;
        let (lost_id, ticket) = (lost.id().await, lost.ticket().await);
        let first = stays.ticket().await;
        until_stored(&world, "a", |state| has_players(state, 2)).await;
        world.until(0, |stats| stats.tickets.offers.offered >= 2).await;
        world.nodes[0].node.kill();
        until_restored(&world).await;
        // The snapshot has no ticket: the directory names the room.
        let again = Player::ws(&world, 2, &format!("?resume={ticket}")).await;
        again.ticket().await;
        assert_eq!(again.id().await, lost_id);
        until_peers(&stays.branch, vec![PeerId::SERVER, lost_id]).await;
        // The other one has received a ticket of the next node.
        let has_another = async {
            while stays.ticket().await == first {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, has_another).await.expect("a ticket");
        assert!(stays.branch.ended().is_none());
        drop(lost);
    });
}

#[test]
fn ticket_that_is_shown_to_two_nodes_at_once_is_accepted_once() {
    actix::System::new().block_on(async {
        let world = World::start_keeping("").await;
        let _other = world.open().await;
        for _ in 0..4 {
            let player = Player::ws(&world, 1, "a").await;
            let query = format!("resume={}", player.ticket().await);
            player.lose(&world, 0).await;
            let (one, two, three) =
                tokio::join!(world.enet(0, &query), world.enet(1, &query), world.enet(2, &query),);
            let joined = [one, two, three];
            let accepted = joined.iter().flatten().count();
            assert_eq!(accepted, 1, "{joined:?}");
            for player in joined.into_iter().flatten() {
                player.close().await;
            }
        }
        let refused = |node: usize| world.nodes[node].node.stats.get().unwrap().tickets.refused;
        until(|| "no refusals".to_owned(), || (0..3).map(refused).sum::<u64>() >= 4).await;
    });
}

#[test]
fn wrong_used_and_expired_tickets_are_refused_by_every_node() {
    actix::System::new().block_on(async {
        let mut template = Template::new(name("arena"));
        template.resume = Some(Duration::from_secs(1));
        let world = World::start_with(template).await;
        let _other = world.open().await;
        let expect = async |ticket: &str| {
            for node in 0..3 {
                let query = format!("resume={ticket}");
                let reason = refusals::close_reason(&world, node, &format!("?{query}")).await;
                let label = JoinRefusal::InvalidResume.label();
                assert!(reason.starts_with(label), "node {node}: {reason}");
                let joined = world.enet(node, &query).await;
                assert!(matches!(joined, Err(StartError::ConnectionFailed(_))), "{joined:?}");
            }
        };
        let player = Player::ws(&world, 1, "a").await;
        let ticket = ResumeTicket::random(&mut Rng::seed_from_u64(1), player.id().await);
        expect(&ticket.reveal()).await;
        let used = player.ticket().await;
        let again = Player::ws(&world, 2, &format!("?resume={used}")).await;
        let expired = again.ticket().await;
        expect(&used).await;
        again.branch.close().await;
        let left = async { while world.stats(0).await.players != 1 {} };
        tokio::time::timeout(PATIENCE, left).await.expect("its time is over");
        expect(&expired).await;
        // The ticket of another peer.
        let player = Player::ws(&world, 1, "a").await;
        let ticket = player.ticket().await;
        let secret = ticket.split('.').next().unwrap();
        expect(&format!("{secret}.7")).await;
    });
}

#[test]
fn stolen_ticket_is_refused_by_every_node_and_stays_valid_for_its_owner() {
    actix::System::new().block_on(async {
        let world = World::start_keeping(&with_tokens()).await;
        world.nodes[0].network.rooms().create(name("a"), &name("arena")).await.unwrap();
        let player = Player::ws(&world, 1, &format!("a?{}", token("kay"))).await;
        let (player_id, ticket) = (player.id().await, player.ticket().await);
        player.lose(&world, 0).await;
        for node in 0..3 {
            let path = format!("?{}&resume={ticket}", token("bob"));
            let reason = refusals::close_reason(&world, node, &path).await;
            assert!(reason.starts_with(JoinRefusal::WrongPlayer.label()), "node {node}: {reason}");
        }
        let path = format!("?{}&resume={ticket}", token("kay"));
        let again = Player::ws(&world, 2, &path).await;
        again.ticket().await;
        assert_eq!(again.id().await, player_id);
    });
}

#[test]
fn player_with_an_identity_resumes_at_any_node_without_a_ticket() {
    actix::System::new().block_on(async {
        let world = World::start_keeping(&with_tokens()).await;
        world.nodes[0].network.rooms().create(name("a"), &name("arena")).await.unwrap();
        let other = Player::ws(&world, 0, &format!("a?{}", token("bob"))).await;
        let player = Player::ws(&world, 1, &format!("a?{}", token("kay"))).await;
        until_peers(&other.branch, vec![PeerId::SERVER, player.id().await]).await;
        player.lose(&world, 0).await;
        let by_enet = world.enet(2, &format!("room=a&{}", token("kay"))).await.unwrap();
        until_peers(&other.branch, vec![PeerId::SERVER, id(&by_enet).await]).await;
        let stats = world.stats(0).await;
        assert_eq!((stats.resumed, stats.kept_places, stats.players), (1, 0, 2));
    });
}

#[test]
fn seat_is_taken_at_any_node_once() {
    actix::System::new().block_on(async {
        let world = World::start_keeping("").await;
        let _other = world.open().await;
        let rooms = world.nodes[0].network.rooms();
        let room = rooms.find(&name("a")).await.unwrap().unwrap().id;
        let ticket = Ticket::random(&mut Rng::seed_from_u64(1));
        let (verb, request) = (MatchVerb::JoinById(room), MatchRequest::new(name("arena")));
        let seat = rooms.request_seat(Credentials::default(), verb, request, ticket);
        let ticket = seat.await.unwrap().unwrap().unwrap().ticket;
        // A locked room admits its owner alone.
        assert!(rooms.set_locked(room, true).await.unwrap());
        let query = format!("token={}", ticket.reveal());
        let player = Player::ws(&world, 2, &format!("?{query}")).await;
        world.until_players(0, "a", 2).await;
        player.ticket().await;
        for node in 0..3 {
            let reason = refusals::close_reason(&world, node, &format!("?{query}")).await;
            let label = JoinRefusal::InvalidTicket.label();
            assert!(reason.starts_with(label), "node {node}: {reason}");
        }
    });
}

#[test]
fn players_of_a_node_that_ends_receive_a_ticket_and_resume_at_another_one() {
    actix::System::new().block_on(async {
        let world = World::start_keeping("").await;
        let other = world.open().await;
        let player = Player::ws(&world, 1, "a").await;
        let (player_id, first) = (player.id().await, player.ticket().await);
        let by_enet = world.enet(1, "a").await.unwrap();
        let known = vec![PeerId::SERVER, player_id, id(&by_enet).await];
        until_peers(&other.branch, known.clone()).await;
        world.nodes[1].network.rooms().drain(Duration::ZERO).await;
        let notice = player.notices.until("reconnect").await;
        let ticket = notice["ticket"].as_str().unwrap();
        assert!(ticket != first && notice["seconds"] == KEEP.as_secs(), "{notice}");
        let end = tokio::time::timeout(PATIENCE, player.branch.closed()).await.unwrap();
        assert!(matches!(end, EndReason::Disconnected(_)), "{end:?}");
        let end = tokio::time::timeout(PATIENCE, by_enet.closed()).await.unwrap();
        assert!(matches!(end, EndReason::Disconnected(_)), "{end:?}");
        world.until_kept(0, 2).await;
        let again = Player::ws(&world, 2, &format!("?resume={ticket}")).await;
        again.ticket().await;
        assert_eq!(again.id().await, player_id);
        until_peers(&other.branch, known).await;
    });
}

#[test]
fn session_of_a_player_with_an_identity_is_found_from_any_node() {
    actix::System::new().block_on(async {
        let world = World::start_keeping(&with_tokens()).await;
        world.nodes[1].network.rooms().create(name("a"), &name("arena")).await.unwrap();
        let player = Player::ws(&world, 0, &format!("a?{}", token("kay"))).await;
        let (player_id, _) = (player.id().await, player.ticket().await);
        player.lose(&world, 1).await;
        let find = async |node: usize, subject: &str| {
            let mut credentials = Credentials::default();
            let token = token(subject);
            let text = token.strip_prefix("token=").unwrap();
            credentials.token = Some(mp_identity::Token::new(text).unwrap());
            let rooms = world.nodes[node].network.rooms();
            rooms.resume_session(credentials, name("arena")).await.unwrap().unwrap()
        };
        assert_eq!(find(2, "bob").await.err(), Some(MatchRefusal::NotResumable));
        for node in [2, 0, 1] {
            let session = find(node, "kay").await.unwrap();
            assert_eq!((session.room, session.ticket.peer()), (name("a"), player_id));
            assert!(session.time <= KEEP);
            if node == 1 {
                continue;
            }
            let ticket = session.ticket.reveal();
            let path = format!("?{}&resume={ticket}", token("kay"));
            let again = Player::ws(&world, 2 - node, &path).await;
            again.ticket().await;
            assert_eq!(again.id().await, player_id);
            again.lose(&world, 1).await;
        }
    });
}

#[test]
fn players_receive_the_addresses_of_other_nodes_with_their_ticket() {
    actix::System::new().block_on(async {
        let world = World::start_keeping("").await;
        for (number, node) in world.nodes.iter().enumerate() {
            let address = format!("ws://{}/", node.ws).parse().unwrap();
            let contact = NodeContact::default()
                .with_name(format!("node-{number}").parse().ok())
                .with_address(AddressKind::WebSocket, address)
                .with_address(AddressKind::Enet, node.enet.to_string().parse().unwrap());
            node.network.rooms().advertise(contact).await;
        }
        let knows_all = |stats: &ClusterStats| {
            stats.members.values().filter(|it| it.contact.is_reachable()).count() == 3
        };
        for node in 0..3 {
            world.until(node, knows_all).await;
        }
        let player = world.open().await;
        let notice = player.notices.until("resume").await;
        let servers = notice["servers"].as_array().unwrap();
        let urls: Vec<_> =
            servers.iter().map(|server| server["websocket"].as_str().unwrap()).collect();
        let expected = [1, 2].map(|node| world.url(node, ""));
        assert_eq!(urls, expected, "those of the others");
        assert_eq!(servers[0]["name"], "node-1");
        assert_eq!(servers[0]["enet"]["port"], world.nodes[1].enet.port());
        // A player of another node receives that of the room's, too.
        let guest = Player::ws(&world, 1, "a").await;
        let notice = guest.notices.until("resume").await;
        assert_eq!(notice["servers"].as_array().unwrap().len(), 3);
        assert_eq!(notice["servers"][0]["name"], "node-0");
    });
}
