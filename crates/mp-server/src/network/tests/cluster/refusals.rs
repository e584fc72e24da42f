//! Players whom the node of a room refuses.

use mp_core::Reason;
use mp_rooms::{Code, JoinRefusal};

use super::*;

/// Joins over WebSocket, and returns the reason of the close frame.
pub(super) async fn close_reason(world: &World, node: usize, path: &str) -> String {
    let url = world.url(node, path);
    let closed = tokio::task::spawn_blocking(move || {
        let clock = SystemClock::new();
        let limit = clock.now() + PATIENCE;
        let (mut socket, _) = tungstenite::connect(url).expect("the server accepts connections");
        if let tungstenite::stream::MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(PATIENCE)).expect("the time is not zero");
        }
        // A player who is admitted receives packets.
        while clock.now() < limit {
            match socket.read() {
                Ok(tungstenite::Message::Close(frame)) => {
                    return frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                }
                Ok(_) => {}
                Err(error) => return error.to_string(),
            }
        }
        "it is not closed".to_owned()
    });
    closed.await.expect("the thread does not panic")
}

#[test]
fn node_of_the_room_refuses_players_of_others_with_the_reasons_of_its_own() {
    actix::System::new().block_on(async {
        let mut template = Template::new(name("arena"));
        template.auto_create = false;
        let world = World::start_with(template).await;
        let rooms = world.nodes[0].network.rooms();
        let room = rooms.create(name("a"), &name("arena")).await.unwrap();
        let expect = async |refusal: JoinRefusal, path: &str| {
            for node in 0..3 {
                let reason = close_reason(&world, node, path).await;
                assert!(reason.starts_with(refusal.label()), "node {node}: {reason}");
                if node != 0 {
                    // It is rejected over ENet, too.
                    let joined = world.enet(node, path).await;
                    assert!(matches!(joined, Err(StartError::ConnectionFailed(_))), "{joined:?}");
                }
            }
        };
        expect(JoinRefusal::UnknownRoom, "b").await;
        expect(JoinRefusal::UnknownRoom, "other/a").await;
        assert!(rooms.set_locked(room, true).await.unwrap());
        expect(JoinRefusal::RoomLocked, "a").await;
        assert!(rooms.set_locked(room, false).await.unwrap());
        rooms.set_code(room, Some(Code::new("sesame").unwrap())).await.unwrap();
        expect(JoinRefusal::WrongCode, "a").await;
        let guest = world.ws(1, "a?code=sesame").await.unwrap();
        world.until_players(0, "a", 1).await;
        rooms.set_code(room, None).await.unwrap();
        assert!(rooms.set_max_players(room, 1).await.unwrap());
        expect(JoinRefusal::RoomFull, "a").await;
        guest.close().await;
        world.until(0, |stats| stats.guests == 0).await;
        let _guest = world.enet(2, "a").await.unwrap();
        // Nothing was placed for the names that do not exist.
        assert_eq!(world.nodes[0].node.stats.get().unwrap().rooms, 1);
    });
}

#[test]
fn room_of_a_node_that_does_not_answer_is_unreachable() {
    actix::System::new().block_on(async {
        let world = World::start().await;
        world.nodes[0].network.rooms().create(name("a"), &name("arena")).await.unwrap();
        // The node keeps its lease, since it reaches the directory.
        world.cluster.set_bus_connected(world.nodes[0].id, false);
        let reason = close_reason(&world, 1, "a").await;
        assert!(reason.starts_with("unreachable"), "{reason}");
        world.cluster.set_bus_connected(world.nodes[0].id, true);
        let _player = world.ws(1, "a").await.unwrap();
    });
}
