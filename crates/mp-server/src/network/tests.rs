//! Rooms and endpoints over the memory network.

mod cluster;
mod inspection;
mod keeping;
mod moves;

use std::sync::Arc;
use std::time::Duration;

use mp_actor::prelude::*;
use mp_core::{Channel, MemoryAddress, MemoryMultiplayerPeer, TransferMode};
use mp_rooms::{CreateRefusal, RoomName, RoomState, RoomsSettings, Template};

use super::*;
use crate::config::Config;
use crate::metrics::tests::openmetrics::parse;
use crate::rooms::RoomType;
use crate::{CreateRoomError, RoomContext};

fn name(text: &str) -> RoomName {
    RoomName::new(text).unwrap()
}

/// Starts a server with the templates `arena` and `broken`, and the address of its endpoint, whose
/// clients select rooms by authentication packet.
async fn start() -> (Network, MemoryAddress) {
    let arena: RoomType = Arc::new(|_: &RoomContext| Branch::builder("/root").build());
    let broken: RoomType = Arc::new(|_: &RoomContext| panic!("a bug of the builder"));
    let mut templates = [Template::new(name("arena")), Template::new(name("broken"))];
    templates[1].room_type = "broken".to_owned();
    let mut settings = RoomsSettings::default();
    settings.default_template = Some(name("arena"));
    let types = RoomTypes::from([("relay".to_owned(), arena), ("broken".to_owned(), broken)]);
    let authentication = Authentication::new(&Config::default().identity).unwrap();
    start_with(types, Rooms::new(settings, templates), authentication).await
}

/// Starts a server, and returns the address of its endpoint, whose clients select rooms by
/// authentication packet.
async fn start_with(
    types: RoomTypes,
    rooms: Rooms,
    authentication: Authentication,
) -> (Network, MemoryAddress) {
    serve(settings(types, rooms, authentication)).await
}

fn settings(types: RoomTypes, rooms: Rooms, authentication: Authentication) -> NetworkSettings {
    NetworkSettings {
        types,
        rooms,
        max_threads: 2,
        max_lateness: None,
        silence: Duration::ZERO,
        receive_limits: ReceiveLimits::default(),
        authentication,
        bans: BanRegistry::load(ConnectionGate::default(), None).unwrap(),
        gate: ConnectionGate::default(),
        metrics: Metrics::default(),
        snapshots: None,
        is_single_room: false,
        link: None,
    }
}

async fn serve(settings: NetworkSettings) -> (Network, MemoryAddress) {
    let mut network = Network::start(settings).await.unwrap();
    let peer = MemoryMultiplayerPeer::server();
    let address = peer.address();
    let make = move || Ok::<_, StartError>(peer);
    network.listen(TransportKind::Enet, Listener::by_auth(), make).await.unwrap();
    (network, address)
}

/// Joins as the peer `id`.
async fn join(
    address: &MemoryAddress,
    id: i32,
    selection: &'static str,
) -> Result<BranchRef, StartError> {
    let seat = address.connect(PeerId::new(id).unwrap());
    let branch = mp_actor::branch(|| Branch::builder("/root").build());
    let branch = branch.on_peer_authenticating(move |request| async move {
        request.send(selection.as_bytes()).await?;
        request.complete().await
    });
    branch.connect(move || Ok::<_, StartError>(seat)).await
}

fn assert_refused(joined: &Result<BranchRef, StartError>) {
    assert!(matches!(joined, Err(StartError::ConnectionFailed(_))), "{joined:?}");
}

#[test]
fn handle_creates_lists_changes_and_closes_rooms() {
    actix::System::new().block_on(async {
        let (network, address) = start().await;
        let rooms = network.rooms();
        let room = rooms.create(name("a"), &name("arena")).await.unwrap();
        let taken = rooms.create(name("a"), &name("arena")).await;
        assert_eq!(taken, Err(CreateRoomError::Refused(CreateRefusal::NameTaken)));
        let player = join(&address, 7, "a").await.unwrap();
        let info = rooms.find(&name("a")).await.unwrap().unwrap();
        assert_eq!((info.id, info.state, info.players), (room, RoomState::Open, 1));
        assert_eq!(rooms.list().await.unwrap(), [info]);
        assert_eq!(rooms.peer_ids(room).await.unwrap(), [PeerId::new(7).unwrap()]);
        let branch = rooms.branch(room).await.unwrap().unwrap();
        assert_eq!(branch.peers().await.unwrap(), [PeerId::new(7).unwrap()]);

        assert_refused(&join(&address, 7, "a").await);
        assert!(rooms.set_locked(room, true).await.unwrap());
        assert_refused(&join(&address, 8, "a").await);
        assert!(rooms.set_locked(room, false).await.unwrap());
        join(&address, 8, "a").await.unwrap();

        assert!(rooms.close(room).await.unwrap());
        assert!(matches!(player.closed().await, EndReason::Disconnected(_)));
        assert_eq!(rooms.get(room).await.unwrap(), None);
        assert!(!rooms.close(room).await.unwrap());
        // The name is free.
        join(&address, 9, "a").await.unwrap();
    });
}

#[test]
fn room_that_cannot_be_built_refuses_its_players_and_no_others() {
    actix::System::new().block_on(async {
        let (network, address) = start().await;
        let created = network.rooms().create(name("b"), &name("broken")).await;
        assert_eq!(created, Err(CreateRoomError::Failed));
        assert_refused(&join(&address, 2, "broken/b").await);
        let _player = join(&address, 2, "arena/b").await.unwrap();
        let stats = network.rooms().stats().await.unwrap();
        assert_eq!((stats.failed_rooms, stats.open, stats.players), (2, 1, 1));
    });
}

/// Returns the value of a metric, or 0.
fn metric(rooms: &RoomsHandle, sample: &str) -> f64 {
    let parsed = parse(&rooms.metrics()).unwrap_or_else(|error| panic!("{error}"));
    parsed.value(sample).unwrap_or_default()
}

/// Waits until a metric has a value.
async fn until_metric(rooms: &RoomsHandle, sample: &str, value: f64) {
    while metric(rooms, sample) != value {
        assert!(metric(rooms, sample) < value.max(100.0), "{sample}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn metrics_count_players_and_messages_of_all_rooms_and_keep_them_when_rooms_close() {
    actix::System::new().block_on(async {
        let (network, address) = start().await;
        let rooms = network.rooms();
        let _stays = join(&address, 2, "a").await.unwrap();
        let leaves = [join(&address, 3, "b").await.unwrap(), join(&address, 4, "b").await.unwrap()];
        assert_refused(&join(&address, 4, "b").await);
        for player in &leaves {
            for _ in 0..5 {
                let sent = player.with(|scene| {
                    let mode = TransferMode::Reliable;
                    scene.send_bytes(b"1234", PeerId::SERVER, mode, Channel(0))
                });
                sent.await.unwrap().unwrap();
            }
        }
        until_metric(rooms, "mp_messages_received_total{kind=\"raw\"}", 10.0).await;
        assert_eq!(metric(rooms, "mp_message_received_bytes_total{kind=\"raw\"}"), 50.0);

        let room = rooms.find(&name("b")).await.unwrap().unwrap().id;
        assert!(rooms.close(room).await.unwrap());
        until_metric(rooms, "mp_rooms_closed_total{reason=\"closed\"}", 1.0).await;
        let left = "mp_peers_left_total{transport=\"enet\",reason=\"closed\"}";
        until_metric(rooms, left, 2.0).await;
        for (sample, value) in [
            ("mp_messages_received_total{kind=\"raw\"}", 10.0),
            ("mp_peers_joined_total{transport=\"enet\"}", 3.0),
            ("mp_peers{transport=\"enet\"}", 1.0),
            ("mp_rooms", 1.0),
            ("mp_rooms_created_total", 2.0),
            ("mp_admission_refused_total{reason=\"duplicate_id\"}", 1.0),
        ] {
            assert_eq!(metric(rooms, sample), value, "{sample}");
        }
        assert!(metric(rooms, "mp_turn_duration_seconds_count{actor=\"room\"}") > 0.0);
        assert!(metric(rooms, "mp_turn_duration_seconds_count{actor=\"endpoint\"}") > 0.0);
    });
}

#[test]
fn drained_server_refuses_players_closes_its_rooms_and_ends() {
    actix::System::new().block_on(async {
        let (network, address) = start().await;
        let player = join(&address, 2, "a").await.unwrap();
        let rooms = network.rooms().clone();
        let draining = actix::spawn(async move { rooms.drain(Duration::from_secs(60)).await });
        while !network.rooms().is_draining().await.unwrap() {}
        assert_refused(&join(&address, 3, "a").await);
        assert_eq!(player.ended(), None);
        player.close().await;
        draining.await.unwrap();
        assert!(network.rooms().stats().await.is_err());
    });
}

#[test]
fn new_rates_apply_to_players_in_rooms() {
    actix::System::new().block_on(async {
        let (network, address) = start().await;
        let player = join(&address, 2, "a").await.unwrap();
        let mut limits = ReceiveLimits::default();
        limits.packets = Some(mp_core::Rate::per_second(1).with_burst(1));
        network.rooms().set_receive_limits(limits).await.unwrap();
        let send = |scene: &mut Scene| {
            scene.send_bytes(b"x", PeerId::SERVER, TransferMode::Unreliable, Channel(0)).unwrap();
            scene.send_bytes(b"y", PeerId::SERVER, TransferMode::Unreliable, Channel(0)).unwrap();
        };
        player.with(send).await.unwrap();
        while network.endpoints[0].stats().await.unwrap().rate_drops == 0 {}
    });
}
