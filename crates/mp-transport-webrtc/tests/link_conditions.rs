//! Simulated link conditions of a connection.

mod common;

use std::time::Duration;

use common::{Pair, packets};
use mp_core::link_shaper::LinkConditions;
use mp_core::{ConnectionConditions, MultiplayerPeer, Rng, TransferMode};

fn connected() -> Pair {
    let mut pair = Pair::new(3, LinkConditions::default());
    pair.connect();
    pair
}

fn set(pair: &mut Pair, conditions: Option<LinkConditions>) {
    let conditions = conditions.map(ConnectionConditions::both);
    let connection = pair.to_client.unwrap();
    pair.server.set_conditions(connection, conditions, &mut Rng::seed_from_u64(4));
}

#[test]
fn a_delay_applies_to_each_direction_of_a_connection() {
    let mut pair = connected();
    let delay = Duration::from_millis(200);
    set(&mut pair, Some(LinkConditions { delay, ..LinkConditions::default() }));
    pair.send(true, TransferMode::Reliable, vec![1]);
    pair.send(false, TransferMode::Reliable, vec![2]);
    pair.pass(Duration::from_millis(190));
    assert_eq!((packets(&pair.at_client).len(), packets(&pair.at_server).len()), (0, 0));
    pair.pass(Duration::from_millis(40));
    assert_eq!((packets(&pair.at_client).len(), packets(&pair.at_server).len()), (1, 1));
    set(&mut pair, None);
    pair.pass(Duration::from_millis(400));
    pair.send(true, TransferMode::Reliable, vec![3]);
    pair.pass(Duration::from_millis(20));
    assert_eq!(packets(&pair.at_client).len(), 2);
}

#[test]
fn lost_datagrams_delay_reliable_packets_but_lose_none() {
    let mut pair = connected();
    set(&mut pair, Some(LinkConditions { loss_permille: 100, ..LinkConditions::default() }));
    let sent: Vec<Vec<u8>> = (0..100_u32).map(|n| n.to_le_bytes().repeat(50)).collect();
    for payload in &sent {
        pair.send(true, TransferMode::Reliable, payload.clone());
        pair.pass(Duration::from_millis(20));
    }
    pair.pass(Duration::from_secs(30));
    assert_eq!(packets(&pair.at_client), sent);
    let (_, stats) = pair.server.conditions(pair.to_client.unwrap()).unwrap();
    assert!(stats.lost > 5, "{stats:?}");
}
