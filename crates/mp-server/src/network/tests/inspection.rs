//! Nodes and traffic of rooms with code.

use mp_scene::PacketKind;

use super::*;

#[derive(Default)]
struct Counter {
    count: Replicated<i64>,
}

impl Node for Counter {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("count", |counter: &mut Self| &mut counter.count)
    }

    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("add", RpcConfig::any_peer(), |it: &mut Self, _, (by,): (i64,)| {
            *it.count += by;
        })
    }
}

fn game() -> BranchBuilder {
    Branch::builder("/root/Game").setup(|scene| {
        let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().on_change(".:count"));
        let counter = Instance::new("<script>", Counter::default());
        scene.add_instance(".", counter.child(Instance::new("Sync", sync)))?;
        Ok(())
    })
}

#[test]
fn room_counts_its_traffic_by_node_while_it_has_a_viewer() {
    actix::System::new().block_on(async {
        let build: RoomType = Arc::new(|_: &RoomContext| game().build());
        let rooms = Rooms::new(RoomsSettings::default(), [Template::new(name("default"))]);
        let authentication = Authentication::new(&Config::default().identity).unwrap();
        let types = RoomTypes::from([("relay".to_owned(), build)]);
        let (network, address) = start_with(types, rooms, authentication).await;
        let rooms = network.rooms();
        let room = rooms.create(name("a"), &name("default")).await.unwrap();
        let inspect = || async { rooms.inspect(room, 10).await.unwrap().unwrap() };
        assert_eq!(inspect().await.traffic, None);

        let viewer = rooms.view_traffic(room).await.unwrap();
        assert!(viewer.is_some());
        let seat = address.connect(PeerId::new(7).unwrap());
        let player =
            mp_actor::branch(|| game().build()).on_peer_authenticating(|request| async move {
                request.send(b"a").await?;
                request.complete().await
            });
        let player = player.connect(move || Ok::<_, StartError>(seat)).await.unwrap();
        let add = |scene: &mut Scene| {
            let counter = scene.find("<script>").unwrap();
            scene.rpc_id(PeerId::SERVER, counter, "add", (42,)).unwrap();
        };
        player.with(add).await.unwrap();
        let has_count = |scene: &Scene| {
            scene.get(scene.node::<Counter>("<script>").unwrap()).is_ok_and(|it| *it.count == 42)
        };
        player.until(has_count).await.unwrap();

        let inspection = inspect().await;
        let sync = inspection.nodes.nodes.iter().find(|node| node.path == "<script>/Sync").unwrap();
        assert_eq!(sync.properties[0].value.as_deref(), Some("42"));
        let traffic = inspection.traffic.unwrap();
        let row = |kind, node: &str, member: &str| {
            let is_row = |row: &&mp_scene::TrafficRow| {
                (row.kind, &*row.node, &*row.member) == (kind, node, member)
            };
            traffic.rows.iter().find(is_row).unwrap().clone()
        };
        let call = row(PacketKind::Rpc, "<script>", "add").received;
        let received = traffic.packets.received;
        assert_eq!((call.packets, call.bytes), (1, received.bytes(PacketKind::Rpc)));
        let sent = row(PacketKind::Delta, "<script>/Sync", ".:count").sent;
        assert_eq!(sent.packets, traffic.packets.sent.packets(PacketKind::Delta));

        drop(viewer);
        assert_eq!(inspect().await.traffic, None, "the accounting ends with the viewer");
    });
}
