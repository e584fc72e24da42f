//! Allocations of a tick: none for entities and packets in a steady state.

use mp_core::variant::Vector2;

use crate::game::*;

/// Returns the allocations of a turn of the server in which `entities` units move for `clients`
/// clients. Those of the transport are not counted; they are the same for each packet.
fn allocations(entities: usize, clients: usize, moves: bool) -> (u64, u64) {
    let (mut lan, ids) = lan(clients);
    let nodes: Vec<_> = (0..entities).map(|n| add_unit(&mut lan, &format!("U{n}"), 0)).collect();
    lan.settle();
    lan.settle();
    for &peer in &ids {
        assert!(unit_at(&mut lan, peer, "U0").is_some());
    }
    let mut least = u64::MAX;
    let packets = lan.scene(SERVER).stats().packets_received;
    for round in 0..10_u8 {
        if moves {
            for &node in &nodes {
                let unit = lan.scene(SERVER).get_mut(node).unwrap();
                unit.position = Vector2::splat(f32::from(round));
            }
        }
        let info = allocation_counter::measure(|| lan.step_peer(SERVER));
        least = least.min(info.count_total);
        lan.step();
    }
    (least, packets)
}

#[test]
fn tick_allocates_for_packets_and_not_for_entities() {
    let (few, _) = allocations(50, 2, true);
    let (many, _) = allocations(1_000, 2, true);
    // 1,000 units of 20 bytes are 15 packets of 1350 bytes for each peer, 50 units are one.
    let packets = 2 * 15;
    assert!(many <= few + 4 * packets, "{few} for 50 units, {many} for 1,000");
}
