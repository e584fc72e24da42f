//! Calls and bytes.

use mp_scene::prelude::*;

use crate::game::*;

#[test]
fn calls_of_the_host_come_from_the_server() {
    let mut lan = hosted_room(2);
    let flag = lan.scene(HOST).find("Flag").unwrap();
    // By path at first, later by id; only the authority may call `order`.
    for number in [1, 2] {
        lan.scene(HOST).rpc(flag, "order", (number,)).unwrap();
        lan.scene(HOST).rpc_id(peer(4), flag, "order", (10 * number,)).unwrap();
        lan.settle();
        assert_eq!(calls(&mut lan, peer(3), "Flag"), [(1, number)]);
        assert_eq!(calls(&mut lan, peer(4), "Flag"), [(1, number), (1, 10 * number)]);
    }
}

#[test]
fn calls_of_the_server_reach_the_host() {
    let mut lan = hosted_room(2);
    for number in [1, 2] {
        call(&mut lan, peer(3), SERVER, "Flag", number);
        call(&mut lan, peer(4), SERVER, "Flag", -number);
        lan.settle();
        assert_eq!(calls(&mut lan, HOST, "Flag"), [(3, number), (4, -number)]);
    }
}

#[test]
fn guests_call_each_other_and_all() {
    let mut lan = hosted_room(3);
    call(&mut lan, peer(3), peer(5), "Flag", 1);
    call(&mut lan, peer(4), Target::All, "Flag", 2);
    lan.settle();
    assert_eq!(calls(&mut lan, HOST, "Flag"), [(4, 2)]);
    assert_eq!(calls(&mut lan, peer(3), "Flag"), [(4, 2)]);
    assert_eq!(calls(&mut lan, peer(4), "Flag"), []);
    assert_eq!(calls(&mut lan, peer(5), "Flag"), [(3, 1), (4, 2)]);
}

#[test]
fn bytes_reach_the_targets_that_godot_defines() {
    let mut lan = hosted_room(3);
    let received = |lan: &mut mp_scene::testing::Lan, id| -> Vec<(i32, u8)> {
        let packets = signals(lan, id).into_iter().filter_map(|signal| match signal {
            Signal::PeerPacket { from, data } => Some((from.get(), data[0])),
            _ => None,
        });
        packets.collect()
    };
    let targets = [Target::All, Target::AllExcept(SERVER), Target::AllExcept(peer(4))];
    let targets = targets.into_iter().chain([Target::Peer(peer(5)), Target::SERVER]);
    for from in [HOST, peer(3)] {
        for (number, target) in targets.clone().enumerate() {
            let data = [number as u8];
            lan.scene(from).send_bytes(&data, target, TransferMode::Reliable, Channel(0)).unwrap();
        }
        lan.settle();
        let seen = if from == HOST { 1 } else { from.get() };
        let of = |numbers: &[u8]| numbers.iter().map(|&it| (seen, it)).collect::<Vec<_>>();
        assert_eq!(received(&mut lan, peer(4)), of(&[0, 1]), "from {from}");
        assert_eq!(received(&mut lan, peer(5)), of(&[0, 1, 2, 3]), "from {from}");
        let (guest, host) = (received(&mut lan, peer(3)), received(&mut lan, HOST));
        let program = received(&mut lan, SERVER);
        if from == HOST {
            assert_eq!((guest, host), (of(&[0, 1, 2]), vec![]));
            // Bytes for peer 1 are for the program of the room.
            assert_eq!(program, [(2, 0), (2, 2), (2, 4)]);
        } else {
            assert_eq!((guest, host), (vec![], of(&[0, 2, 4])));
            assert_eq!(program, []);
        }
    }
}

#[test]
fn packets_between_host_and_guests_are_counted_by_path_for_viewers() {
    let mut lan = hosted_room(2);
    call(&mut lan, peer(3), SERVER, "Flag", 1);
    lan.settle();
    let _viewer = lan.scene(SERVER).multiplayer_mut().view_traffic();
    call(&mut lan, peer(3), SERVER, "Flag", 2);
    lan.settle();
    call(&mut lan, HOST, peer(4), "Flag", 3);
    lan.settle();
    let report = lan.scene(SERVER).multiplayer().traffic().unwrap();
    let calls = report.rows.iter().filter(|row| row.kind == mp_scene::PacketKind::Rpc);
    let calls: Vec<_> =
        calls.map(|row| (&*row.node, row.received.packets, row.sent.packets)).collect();
    assert_eq!(calls, [("Flag", 2, 2)]);
}
