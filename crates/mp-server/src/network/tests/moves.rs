//! Moves of players between rooms.

use mp_actor::MovePeerError;
use mp_identity::{Credentials, Identity, Subject, Token, TokenIssuer};
use mp_rooms::{Code, MatchRequest, MatchVerb, MoveRefusal, MoveTarget, RoomId, Ticket};
use mp_scene::{MoveError, Scene};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::MovePlayerError;

/// Key of the players' tokens, at least as long as HS256 needs.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// An event of a room: its name, `expected`, `joined` or `left`, and the subject of the player.
type Event = (String, &'static str, Option<String>);

/// A server with the rooms `lobby` and `arena`, whose players have tokens.
struct World {
    network: Network,
    address: MemoryAddress,
    lobby: RoomId,
    arena: RoomId,
    events: Receiver<Event>,
    /// Contexts of the rooms, in the order of their creation.
    contexts: [RoomContext; 2],
}

impl World {
    async fn start(
        room: impl Fn(&RoomContext, BranchBuilder) -> BranchBuilder + Sync + Send + 'static,
    ) -> Self {
        let (sender, events) = channel(64);
        let (builds, mut built) = channel(2);
        let build: RoomType = Arc::new(move |context: &RoomContext| {
            builds.try_send(context.clone()).unwrap();
            let builder = Branch::builder("/root");
            room(context, reporting(builder, context, &sender)).build()
        });
        let mut template = Template::new(name("default"));
        template.moves = true;
        let mut settings = RoomsSettings::default();
        settings.default_template = Some(name("default"));
        let rooms = Rooms::new(settings, [template]);
        let types = RoomTypes::from([("relay".to_owned(), build)]);
        let config = format!("[identity]\nmethod = \"token\"\nsecret = \"{SECRET}\"");
        let identity = Config::parse(&config).unwrap().identity;
        let authentication = Authentication::new(&identity).unwrap();
        let (network, address) = start_with(types, rooms, authentication).await;
        let rooms = network.rooms();
        let lobby = rooms.create(name("lobby"), &name("default")).await.unwrap();
        let arena = rooms.create(name("arena"), &name("default")).await.unwrap();
        let contexts = [built.recv().await.unwrap(), built.recv().await.unwrap()];
        Self { network, address, lobby, arena, events, contexts }
    }

    /// Joins the lobby.
    async fn join(&self, id: i32, subject: &str) -> BranchRef {
        let selection = format!("room=lobby&token={}", token(subject).as_str());
        join(&self.address, id, selection.leak()).await.unwrap()
    }

    /// Reserves a seat of the arena for a player.
    async fn reserve(&self, subject: &str) -> Ticket {
        let ticket = Ticket::random(&mut Rng::seed_from_u64(1));
        let player = Credentials { token: Some(token(subject)), ..Credentials::default() };
        let (verb, request) = (MatchVerb::JoinById(self.arena), MatchRequest::new(name("default")));
        let seat = self.network.rooms().request_seat(player, verb, request, ticket);
        seat.await.unwrap().unwrap().unwrap().ticket
    }

    async fn move_peer(
        &self,
        from: RoomId,
        id: i32,
        to: impl Into<MoveTarget>,
    ) -> Result<(), MovePlayerError> {
        self.network.rooms().move_peer(from, PeerId::new(id).unwrap(), to).await
    }

    /// Returns the numbers of players of lobby and arena.
    async fn players(&self) -> [usize; 2] {
        let mut players = [0; 2];
        for (room, players) in [self.lobby, self.arena].into_iter().zip(&mut players) {
            *players = self.network.rooms().get(room).await.unwrap().unwrap().players;
        }
        players
    }

    async fn expect(&mut self, room: &str, event: &'static str, subject: Option<&str>) {
        let expected = (room.to_owned(), event, subject.map(str::to_owned));
        assert_eq!(self.events.recv().await.unwrap(), expected);
    }
}

/// Returns a token of a player.
fn token(subject: &str) -> Token {
    let expires = Some(mp_core::host::unix_now() + 3_600);
    let identity = Identity::new(Subject::new(subject).unwrap()).with_expires(expires);
    let issuer = TokenIssuer::secret(SECRET.as_bytes()).unwrap().audience("mp-server");
    issuer.issue(mp_core::host::unix_now(), &identity, None).unwrap()
}

/// Adds hooks that report the players of a room, with the identities that the room knows then.
fn reporting(
    builder: BranchBuilder,
    context: &RoomContext,
    sender: &Sender<Event>,
) -> BranchBuilder {
    let report = |what| {
        let (context, sender) = (context.clone(), sender.clone());
        move |peer| {
            let identity = context.identity(peer);
            let subject = identity.and_then(|it| it.subject().map(ToString::to_string));
            sender.try_send((context.name().to_string(), what, subject)).unwrap();
        }
    };
    let (expected, joined, left) = (report("expected"), report("joined"), report("left"));
    builder
        .on_peer_expected(move |_: &mut Scene, peer| {
            expected(peer);
            true
        })
        .on_peer_connected(move |_, peer| joined(peer))
        .on_peer_disconnected(move |_, peer| left(peer))
}

#[test]
fn moved_player_keeps_its_identity_and_is_counted_in_its_new_room() {
    actix::System::new().block_on(async {
        let mut world = World::start(|_, builder| builder).await;
        let player = world.join(7, "kay").await;
        world.expect("lobby", "joined", Some("kay")).await;
        assert_eq!(world.move_peer(world.lobby, 7, world.arena).await, Ok(()));
        world.expect("arena", "expected", Some("kay")).await;
        world.expect("lobby", "left", Some("kay")).await;
        world.expect("arena", "joined", Some("kay")).await;
        assert_eq!(world.players().await, [0, 1]);
        let rooms = world.network.rooms();
        let peer = PeerId::new(7).unwrap();
        let of = async |room| rooms.identity(room, peer).await.unwrap().is_some();
        assert!(of(world.arena).await && !of(world.lobby).await);
        let known = world.contexts.each_ref().map(|context| context.identity(peer).is_some());
        assert_eq!(known, [false, true]);

        assert_eq!(world.move_peer(world.arena, 7, world.lobby).await, Ok(()));
        assert_eq!(world.players().await, [1, 0]);
        let stats = rooms.stats().await.unwrap();
        assert_eq!((stats.moved, stats.joined, stats.players), (2, 1, 1));
        player.close().await;
        while rooms.stats().await.unwrap().players > 0 {}
        assert_eq!(world.players().await, [0, 0]);
    });
}

#[test]
fn player_whom_the_new_room_refuses_stays_and_its_place_is_free_again() {
    actix::System::new().block_on(async {
        let refusing = |context: &RoomContext, builder: BranchBuilder| {
            let accepts = context.name().as_str() != "arena";
            builder.on_peer_expected(move |_, _| accepts)
        };
        let world = World::start(refusing).await;
        let _player = world.join(7, "kay").await;
        let refused = MovePlayerError::Failed(MovePeerError::Move(MoveError::Refused));
        assert_eq!(world.move_peer(world.lobby, 7, world.arena).await, Err(refused));
        assert_eq!(world.players().await, [1, 0]);
        let rooms = world.network.rooms();
        assert_eq!(rooms.stats().await.unwrap().failed_moves, 1);
        let peer = PeerId::new(7).unwrap();
        assert_eq!(rooms.identity(world.arena, peer).await, Ok(None));
        let lobby = rooms.branch(world.lobby).await.unwrap().unwrap();
        assert_eq!(lobby.peers().await.unwrap(), [peer]);

        assert!(rooms.set_locked(world.arena, true).await.unwrap());
        let locked = MovePlayerError::Refused(MoveRefusal::RoomLocked);
        assert_eq!(world.move_peer(world.lobby, 7, world.arena).await, Err(locked));
    });
}

#[test]
fn room_moves_its_own_players() {
    actix::System::new().block_on(async {
        // A lobby whose players move to the arena when there are two.
        let lobby = |context: &RoomContext, builder: BranchBuilder| {
            let (context, is_lobby) = (context.clone(), context.name().as_str() == "lobby");
            builder.on_peer_connected(move |scene, _| {
                let players: Vec<_> = scene.multiplayer().peers().collect();
                let (rooms, lobby) = (context.rooms().clone(), context.id());
                if is_lobby && players.len() == 2 {
                    actix::spawn(async move {
                        let arena = rooms.find(&name("arena")).await.unwrap().unwrap();
                        for player in players {
                            rooms.move_peer(lobby, player, arena.id).await.unwrap();
                        }
                    });
                }
            })
        };
        let world = World::start(lobby).await;
        let _players = [world.join(7, "kay").await, world.join(8, "lou").await];
        while world.players().await != [0, 2] {}
        let arena = world.network.rooms().branch(world.arena).await.unwrap().unwrap();
        assert_eq!(arena.peers().await.unwrap().len(), 2);
    });
}

#[test]
fn player_that_leaves_while_it_moves_leaves_no_identity_and_no_place() {
    actix::System::new().block_on(async {
        // The room occupies its thread while the player is about to move, so that the registry
        // notices the end of the connection before the end of the move.
        let slow = |_: &RoomContext, builder: BranchBuilder| {
            builder.on_peer_expected(|_, _| {
                std::thread::sleep(Duration::from_millis(300));
                true
            })
        };
        let world = World::start(slow).await;
        let player = world.join(7, "kay").await;
        let rooms = world.network.rooms().clone();
        let (lobby, arena, peer) = (world.lobby, world.arena, PeerId::new(7).unwrap());
        let moving = actix::spawn(async move { rooms.move_peer(lobby, peer, arena).await });
        while world.players().await != [1, 1] {}
        player.close().await;
        while world.network.rooms().stats().await.unwrap().players > 0 {}
        assert_eq!(world.players().await, [0, 0]);
        assert!(matches!(moving.await.unwrap(), Err(MovePlayerError::Failed(_))));
        assert_eq!(world.players().await, [0, 0]);
        assert_eq!(world.network.rooms().identity(arena, peer).await, Ok(None));
    });
}

#[test]
fn full_room_refuses_a_move_until_a_player_has_moved_away() {
    actix::System::new().block_on(async {
        let world = World::start(|_, builder| builder).await;
        let players = [world.join(7, "kay").await, world.join(8, "lou").await];
        let (lobby, arena) = (world.lobby, world.arena);
        assert!(world.network.rooms().set_max_players(arena, 1).await.unwrap());
        assert_eq!(world.move_peer(lobby, 7, arena).await, Ok(()));
        let full = Err(MovePlayerError::Refused(MoveRefusal::RoomFull));
        assert_eq!(world.move_peer(lobby, 8, arena).await, full);
        assert_eq!(world.players().await, [1, 1]);
        assert_eq!(world.move_peer(arena, 7, lobby).await, Ok(()));
        assert_eq!(world.move_peer(lobby, 8, arena).await, Ok(()));
        assert_eq!(world.players().await, [1, 1]);
        for player in players {
            player.close().await;
        }
        while world.network.rooms().stats().await.unwrap().players > 0 {}
        // The thread of each room has as many players as before.
        assert!(world.network.rooms().close(arena).await.unwrap());
        assert_eq!(world.network.rooms().stats().await.unwrap().players, 0);
    });
}

#[test]
fn player_moves_to_a_private_room_with_its_code_and_to_a_locked_one_by_a_seat() {
    actix::System::new().block_on(async {
        let world = World::start(|_, builder| builder).await;
        let _players = [world.join(7, "kay").await, world.join(8, "lou").await];
        let (lobby, arena, rooms) = (world.lobby, world.arena, world.network.rooms());
        let code = |text| Code::new(text).unwrap();
        let ticket = world.reserve("kay").await;
        let refused = |refusal| Err(MovePlayerError::Refused(refusal));
        assert!(rooms.set_code(arena, Some(code("1"))).await.unwrap());
        let with_code = |text| MoveTarget::new(arena).code(code(text));
        let wrong = world.move_peer(lobby, 8, with_code("2")).await;
        assert_eq!(wrong, refused(MoveRefusal::WrongCode));
        assert_eq!(world.move_peer(lobby, 8, with_code("1")).await, Ok(()));
        assert_eq!(world.move_peer(arena, 8, lobby).await, Ok(()));

        assert!(rooms.set_locked(arena, true).await.unwrap());
        let by_seat = || MoveTarget::new(arena).seat(ticket.hash());
        let of_another = world.move_peer(lobby, 8, by_seat()).await;
        assert_eq!(of_another, refused(MoveRefusal::InvalidTicket));
        assert_eq!(world.move_peer(lobby, 7, by_seat()).await, Ok(()));
        assert_eq!(world.players().await, [1, 1]);
        let stats = rooms.stats().await.unwrap();
        assert_eq!((stats.seats, stats.taken_seats), (0, 1));
    });
}

#[test]
fn moved_player_keeps_the_state_of_its_rate_limits() {
    actix::System::new().block_on(async {
        let world = World::start(|_, builder| builder).await;
        let player = world.join(7, "kay").await;
        let mut limits = ReceiveLimits::default();
        limits.bytes = Some(mp_core::Rate::per_second(1).with_burst(10_000));
        world.network.rooms().set_receive_limits(limits).await.unwrap();
        let stats = async || world.network.endpoints[0].stats().await.unwrap();
        let send = |scene: &mut Scene| {
            let (server, mode) = (PeerId::SERVER, TransferMode::Unreliable);
            for size in [1_000; 10].into_iter().chain([1; 600]) {
                scene.send_bytes(&vec![0; size], server, mode, Channel(0)).unwrap();
            }
        };
        player.with(send).await.unwrap();
        let limit = Duration::from_secs(60);
        let exhausted = async { while stats().await.rate_drops < 10 {} };
        tokio::time::timeout(limit, exhausted).await.expect("packets above the rate are accepted");
        assert_eq!(stats().await.rate_pauses, 0);

        // The client confirms the move by a reliable packet, which pauses a connection without
        // capacity.
        assert_eq!(world.move_peer(world.lobby, 7, world.arena).await, Ok(()));
        let paused = async { while stats().await.rate_pauses == 0 {} };
        tokio::time::timeout(limit, paused).await.expect("the rate starts anew");
    });
}
