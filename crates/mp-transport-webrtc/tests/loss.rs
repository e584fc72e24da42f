//! Connections on a network that loses datagrams.

mod common;

use std::time::Duration;

use common::{Pair, end, packets};
use mp_core::link_shaper::LinkConditions;
use mp_core::{CloseMode, DisconnectReason, MultiplayerPeer, TransferMode};

#[test]
fn reliable_packets_arrive_once_and_in_order_at_5_percent_loss() {
    let conditions = LinkConditions {
        delay: Duration::from_millis(10),
        jitter: Duration::from_millis(15),
        loss_permille: 50,
        reordering_permille: 100,
        ..LinkConditions::default()
    };
    for seed in 0..4 {
        let mut pair = Pair::new(seed, conditions);
        pair.connect();
        let sent: Vec<Vec<u8>> = (0..300_u32).map(|n| n.to_le_bytes().repeat(50)).collect();
        for payload in &sent {
            pair.send(true, TransferMode::Reliable, payload.clone());
            pair.send(false, TransferMode::Reliable, payload.clone());
        }
        for _ in 0..12_000 {
            pair.turn();
            if packets(&pair.at_client).len() == 300 && packets(&pair.at_server).len() == 300 {
                break;
            }
        }
        assert_eq!(packets(&pair.at_client), sent, "seed {seed}");
        assert_eq!(packets(&pair.at_server), sent, "seed {seed}");
    }
}

#[test]
fn unreliable_packets_are_not_retransmitted_after_their_lifetime() {
    let mut pair = Pair::new(9, LinkConditions::default());
    pair.connect();
    pair.network.set_conditions(LinkConditions { loss_permille: 200, ..LinkConditions::default() });
    for number in 0..100 {
        pair.send(true, TransferMode::Unreliable, vec![number]);
        pair.turn();
    }
    pair.pass(Duration::from_secs(20));
    let arrived = packets(&pair.at_client).len();
    assert!((1..100).contains(&arrived), "{arrived} of 100 arrived at 20 % loss");
}

#[test]
fn unreliable_packets_are_acknowledged_at_most_once() {
    for delay in [1, 10, 30, 100] {
        let delay = Duration::from_millis(delay);
        let mut pair = Pair::new(3, LinkConditions { delay, ..LinkConditions::default() });
        pair.connect();
        let before = (pair.client.stats(), pair.server.stats());
        for number in 0..600_u32 {
            pair.send(true, TransferMode::Unreliable, number.to_le_bytes().to_vec());
            pair.pass(Duration::from_millis(15));
        }
        pair.pass(Duration::from_secs(1));
        assert_eq!(packets(&pair.at_client).len(), 600, "{delay:?}");
        let at_client = pair.client.stats().received_datagrams - before.0.received_datagrams;
        let at_server = pair.server.stats().received_datagrams - before.1.received_datagrams;
        // Connectivity checks are few.
        assert!(at_client < 650 && at_server < 650, "{delay:?}: {at_client}, {at_server}");
    }
}

#[test]
fn a_graceful_disconnect_is_received_despite_lost_datagrams() {
    for seed in 0..40 {
        let mut pair = Pair::new(seed, LinkConditions::default());
        pair.connect();
        pair.network
            .set_conditions(LinkConditions { loss_permille: 100, ..LinkConditions::default() });
        let connection = pair.to_client.unwrap();
        pair.server.disconnect(connection, DisconnectReason::Kicked, CloseMode::Graceful);
        let mut seconds = 0;
        while end(&pair.at_client).is_none() && seconds < 12 {
            pair.pass(Duration::from_secs(1));
            seconds += 1;
        }
        assert_eq!(end(&pair.at_server), Some(DisconnectReason::Kicked));
        assert_eq!(end(&pair.at_client), Some(DisconnectReason::Remote(0)), "seed {seed}");
    }
}

#[test]
fn packet_is_delivered_when_a_retransmission_of_it_was_acknowledged() {
    let mut pair = Pair::new(3, LinkConditions::default());
    pair.connect();
    let connection = pair.to_client.unwrap();
    pair.pass(Duration::from_secs(1));
    assert!(pair.server.poll_delivered(connection), "nothing was sent");
    pair.network.set_dark(true);
    pair.send(true, TransferMode::Reliable, vec![1]);
    pair.pass(Duration::from_millis(700));
    assert!(!pair.server.poll_delivered(connection), "the packet is lost");
    pair.network.set_dark(false);
    pair.pass(Duration::from_secs(5));
    assert!(pair.server.poll_delivered(connection));
    assert_eq!(packets(&pair.at_client), [[1]]);
}
