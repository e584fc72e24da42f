//! Hosted games that no player can host, and that later rooms go on from.

use std::path::Path;

use mp_identity::Role;
use mp_relay::HostSeat;
use mp_rooms::{HostMigration, NextHost, RoomHost};
use mp_scene::SetupError;

use super::*;
use crate::snapshots::{Folder, SnapshotStore};

const SAVED: &str = r#"mp_room_states_total{result="saved"}"#;
const RESTORED: &str = r#"mp_room_states_total{result="restored"}"#;

/// Starts a server that keeps hosted games in `folder`.
async fn keeping(folder: &Path, change: impl FnOnce(&mut Template)) -> (Network, MemoryAddress) {
    let mut template = Template::new(name("arena"));
    template.host = RoomHost::First;
    template.migration = Some(HostMigration::new(NextHost::LowestRtt));
    template.keep = true;
    change(&mut template);
    let mut rooms = RoomsSettings::default();
    rooms.default_template = Some(name("arena"));
    let relay: RoomType = Arc::new(crate::relay::relay);
    let types = RoomTypes::from([("relay".to_owned(), relay)]);
    let authentication = Authentication::new(&Config::default().identity).unwrap();
    let mut settings = settings(types, Rooms::new(rooms, [template]), authentication);
    let day = Duration::from_secs(86_400);
    let store = SnapshotStore::new(Folder::new(folder.into(), 1 << 20, day));
    settings.metrics.set_snapshots(store.clone());
    settings.snapshots = Some(store);
    serve(settings).await
}

fn unit() -> PackedScene {
    PackedScene::new("res://unit.tscn", || Instance::new("Unit", Group))
}

/// Joins the room `duel`, with a game in which `authority` is the server.
async fn play(address: &MemoryAddress, id: i32, authority: PeerId) -> BranchRef {
    let seat = address.connect(PeerId::new(id).unwrap());
    let game = move || {
        let setup = move |scene: &mut Scene| {
            scene.add("Units", Group)?;
            let spawner = MultiplayerSpawner::new("../Units").with_scene(&unit());
            let spawner = scene.add("Spawner", spawner)?;
            scene.tree_mut().set_multiplayer_authority(spawner, authority, true)?;
            Ok::<_, SetupError>(())
        };
        Branch::builder("/root").setup(setup).build()
    };
    let branch = mp_actor::branch(game).on_peer_authenticating(|request| async move {
        request.send(b"duel").await?;
        request.complete().await
    });
    branch.connect(move || Ok::<_, StartError>(seat)).await.unwrap()
}

/// Joins as the host, 2, and as a guest, 3, and waits until both have a unit of the host.
async fn begin(address: &MemoryAddress) -> (BranchRef, BranchRef) {
    let id = PeerId::new(2).unwrap();
    let host = play(address, 2, id).await;
    let guest = play(address, 3, PeerId::SERVER).await;
    let add = move |scene: &mut Scene| {
        let node = scene.add_instance("Units", unit().instantiate().named("Tank"))?;
        scene.tree_mut().set_multiplayer_authority(node, id, true)
    };
    host.with(add).await.unwrap().unwrap();
    has_unit(&guest).await;
    (host, guest)
}

async fn has_unit(player: &BranchRef) {
    let limit = Duration::from_secs(60);
    player.until_timeout(limit, |scene| scene.find("Units/Tank").is_ok()).await.unwrap();
}

/// Joins a room that goes on from a kept state, and waits until the player is its host. Returns the
/// player.
async fn goes_on(network: &Network, address: &MemoryAddress) -> BranchRef {
    let player = play(address, 5, PeerId::SERVER).await;
    has_unit(&player).await;
    let room = network.rooms().find(&name("duel")).await.unwrap().unwrap().id;
    let room = network.rooms().branch(room).await.unwrap().unwrap();
    let is_host = |scene: &Scene| {
        let seat: Option<&HostSeat> = scene.multiplayer().relay_policy();
        seat.and_then(HostSeat::occupant) == PeerId::new(5)
    };
    room.until_timeout(Duration::from_secs(60), is_host).await.unwrap();
    until_metric(network.rooms(), RESTORED, 1.0).await;
    player
}

#[test]
fn game_that_no_player_can_host_goes_on_after_a_restart() {
    actix::System::new().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (network, address) = keeping(folder.path(), |template| {
            // Players without an identity have no role.
            template.migration = Some(HostMigration::new(NextHost::Role(Role::Host)));
            template.host_grace = Duration::from_millis(50);
        })
        .await;
        let (host, guest) = begin(&address).await;
        host.close().await;
        assert!(matches!(guest.closed().await, EndReason::Disconnected(_)));
        until_metric(network.rooms(), SAVED, 1.0).await;
        drop(network);
        let (network, address) = keeping(folder.path(), |_| {}).await;
        goes_on(&network, &address).await;
    });
}

#[test]
fn room_that_closes_without_a_host_is_kept() {
    actix::System::new().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let change = |template: &mut Template| template.departure_timeout = Some(Duration::ZERO);
        let (network, address) = keeping(folder.path(), change).await;
        let (host, guest) = begin(&address).await;
        host.close().await;
        guest.close().await;
        while network.rooms().find(&name("duel")).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The next room of the name waits until the last one is saved.
        goes_on(&network, &address).await;
        assert_eq!(metric(network.rooms(), SAVED), 1.0);
    });
}

#[test]
fn game_with_a_host_is_kept_at_the_end_of_the_server_only() {
    actix::System::new().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (network, address) = keeping(folder.path(), |_| {}).await;
        let (_host, _guest) = begin(&address).await;
        network.rooms().drain(Duration::ZERO).await;
        assert_eq!(metric(network.rooms(), SAVED), 1.0);

        let (network, address) = keeping(folder.path(), |_| {}).await;
        let _player = goes_on(&network, &address).await;
        let room = network.rooms().find(&name("duel")).await.unwrap().unwrap().id;
        assert!(network.rooms().close(room).await.unwrap());
        // The next room waits until the state of the last one is removed.
        let _next = play(&address, 7, PeerId::new(7).unwrap()).await;
        assert_eq!(metric(network.rooms(), RESTORED), 1.0, "a new game");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    });
}
