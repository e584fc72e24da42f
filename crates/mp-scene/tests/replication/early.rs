//! Packets that overtake an announcement are deferred until it is received.

use std::time::Duration;

use bytes::Bytes;
use mp_core::{
    ConnectionId, ConnectionOrigin, ConnectionStatus, DisconnectReason, EndpointId, EndpointInfo,
    Instant, Packet, PeerEvent, StateMachine, ToBranch, ToEndpoint,
};
use mp_scene::SetupError;
use mp_scene::limits::{
    DEFERRED_PACKETS_MAX, DEFERRED_TIME, LEVEL_PACKETS_MAX, LEVEL_TIME, TIMER_INTERVAL,
};
use mp_scene::prelude::*;
use mp_scene::testing::Lan;

use crate::game::*;

const ENDPOINT: EndpointId = EndpointId(0);
const LINK: ConnectionId = ConnectionId { slot: 1, generation: 0 };
const START: Instant = Instant::from_millis(1_000);
/// The time of the next tick.
pub const LATER: Instant = Instant::from_millis(1_100);

fn pair() -> (Branch, Branch) {
    pair_of(game)
}

/// Returns a server with one client, whose packets the test carries.
pub fn pair_of(game: fn() -> BranchBuilder) -> (Branch, Branch) {
    let (mut server, mut client) = (game().build().unwrap(), game().build().unwrap());
    for (branch, id, other) in [(&mut server, 1, 2), (&mut client, 2, 1)] {
        let unique_id = PeerId::new(id).unwrap();
        let status =
            if id == 1 { ConnectionStatus::Connected } else { ConnectionStatus::Connecting };
        let (relay_supported, max_packet_size) = (true, 1 << 24);
        let info = EndpointInfo {
            unique_id,
            status,
            relay_supported,
            max_packet_size,
            outlives_program: false,
        };
        branch.handle_input(START, ToBranch::Opened(ENDPOINT, info));
        let claimed_id = PeerId::new(other);
        let origin = ConnectionOrigin::Process;
        receive_event(branch, PeerEvent::Connected { connection: LINK, claimed_id, origin });
    }
    for _ in 0..4 {
        carry(&mut server, &mut client, START, |_| true);
        carry(&mut client, &mut server, START, |_| true);
    }
    (server, client)
}

fn receive_event(branch: &mut Branch, event: PeerEvent) {
    branch.handle_input(START, ToBranch::Events(ENDPOINT, vec![event]));
}

/// Ends a turn of `from`; the packets that `passes` accepts are received by `to`. Returns the
/// others.
pub fn carry(
    from: &mut Branch,
    to: &mut Branch,
    now: Instant,
    passes: impl Fn(&[u8]) -> bool,
) -> Vec<Bytes> {
    let late = take_packets(from, now).into_iter().filter(|packet| {
        let passes = passes(packet);
        if passes {
            receive(to, packet);
        }
        !passes
    });
    late.collect()
}

fn take_packets(branch: &mut Branch, now: Instant) -> Vec<Bytes> {
    branch.end_turn(now);
    let mut packets = Vec::new();
    branch.deliver(&mut |_, message| {
        if let ToEndpoint::Send(batch) = message {
            packets.extend(batch.into_iter().map(|packet| packet.joined()));
        }
        Ok(())
    });
    packets
}

pub fn receive(branch: &mut Branch, payload: &Bytes) {
    let (mode, channel) = (TransferMode::Reliable, Channel(0));
    let packet = Packet { from: LINK, mode, channel, payload: payload.clone() };
    receive_event(branch, PeerEvent::Packet(packet));
}

pub fn is_spawn(packet: &[u8]) -> bool {
    packet[0] & 7 == 4
}

fn add(branch: &mut Branch) {
    let scene = branch.scene();
    let node = scene.add_instance("Units", unit().instantiate().named("U")).unwrap();
    let node: NodeRef<Unit> = NodeRef::new(node);
    scene.get_mut(node).unwrap().position = (1.0, 2.0).into();
    scene.get_mut(node).unwrap().hp = 7;
}

#[test]
fn properties_that_overtake_their_announcement_are_set_when_it_is_received() {
    let (mut server, mut client) = pair();
    add(&mut server);
    let late = carry(&mut server, &mut client, LATER, |packet| !is_spawn(packet));
    assert_eq!(late.len(), 1);
    assert!(client.scene().find("Units/U").is_err());
    while client.next_signal().is_some() {}

    receive(&mut client, &late[0]);
    let node: NodeRef<Unit> = NodeRef::new(client.scene().find("Units/U").unwrap());
    let unit = client.scene().get(node).unwrap();
    assert_eq!((unit.hp, unit.position), (7, (1.0, 2.0).into()));
    let mut signals = Vec::new();
    while let Some(signal) = client.next_signal() {
        signals.push(signal);
    }
    let [spawned, synced, changed] = &signals[..] else { panic!("{signals:?}") };
    assert!(matches!(spawned, Signal::Spawned { .. }));
    assert!(matches!(synced, Signal::Synchronized(_)));
    assert!(matches!(changed, Signal::DeltaSynchronized(_)));
}

#[test]
fn only_the_newest_early_sync_is_deferred() {
    let (mut server, mut client) = pair();
    add(&mut server);
    let late = carry(&mut server, &mut client, LATER, |packet| !is_spawn(packet));
    let sync = |time: u16| {
        let mut packet = vec![6];
        packet.extend_from_slice(&time.to_le_bytes());
        packet.extend_from_slice(&[2, 0, 0, 0, 12, 0, 0, 0]);
        packet.extend_from_slice(&[5, 0, 0, 0]);
        packet.extend_from_slice(&f32::from(time).to_le_bytes());
        packet.extend_from_slice(&0.0_f32.to_le_bytes());
        Bytes::from(packet)
    };
    for time in 2..(DEFERRED_PACKETS_MAX as u16 * 4) {
        receive(&mut client, &sync(time));
    }
    assert_eq!(client.scene().stats().refused_elements, 0);
    receive(&mut client, &late[0]);
    let node: NodeRef<Unit> = NodeRef::new(client.scene().find("Units/U").unwrap());
    let newest = f32::from(DEFERRED_PACKETS_MAX as u16 * 4 - 1);
    assert_eq!(client.scene().get(node).unwrap().position.x, newest);
}

#[test]
fn late_properties_are_not_set_when_a_hidden_node_is_shown_again() {
    let (mut server, mut client) = pair();
    add(&mut server);
    let is_sync = |packet: &[u8]| packet[0] == 6;
    let late = carry(&mut server, &mut client, LATER, |packet| !is_sync(packet));
    assert_eq!(late.len(), 1);
    let show = |server: &mut Branch, client: &mut Branch, shown| {
        let sync = server.scene().node::<MultiplayerSynchronizer>("Units/U/Sync").unwrap();
        server.scene().get_mut(sync).unwrap().set_public_visibility(shown);
        carry(server, client, LATER, |packet| !is_sync(packet));
    };
    show(&mut server, &mut client, false);
    assert!(client.scene().find("Units/U").is_err());
    receive(&mut client, &late[0]);

    let unit = server.scene().node::<Unit>("Units/U").unwrap();
    server.scene().get_mut(unit).unwrap().position = (8.0, 9.0).into();
    show(&mut server, &mut client, true);
    let unit = client.scene().node::<Unit>("Units/U").unwrap();
    assert_eq!(client.scene().get(unit).unwrap().position, (8.0, 9.0).into());
}

#[test]
fn early_properties_are_dropped_and_counted_after_the_timeout() {
    let (mut server, mut client) = pair();
    add(&mut server);
    carry(&mut server, &mut client, LATER, |packet| !is_spawn(packet));
    let before = client.scene().stats();
    let mut now = START;
    for (time, expected) in [(DEFERRED_TIME, 1), (LEVEL_TIME, 2)] {
        while now < START + time + 2 * DEFERRED_TIME {
            now += TIMER_INTERVAL;
            client.end_turn(now);
        }
        let dropped = client.scene().stats().refused_elements - before.refused_elements;
        assert_eq!(dropped, expected, "the SYNC is dropped first, the DELTA later");
    }
}

#[test]
fn deferred_messages_do_not_time_out_while_the_process_does_not_run() {
    let (mut server, mut client) = pair();
    add(&mut server);
    let late = carry(&mut server, &mut client, LATER, |packet| !is_spawn(packet));
    // The process is stopped for an hour. The announcement stays in the socket.
    client.end_turn(LATER + Duration::from_secs(3_600));
    receive(&mut client, &late[0]);
    let is_sync = |signal: &Signal| matches!(signal, Signal::Synchronized(_));
    assert!(std::iter::from_fn(|| client.next_signal()).any(|signal| is_sync(&signal)));
}

/// Returns properties of a synchronizer that was not announced: all of them, or a change of the
/// first.
fn early(id: u32, is_change: bool) -> Bytes {
    let mut packet = if is_change { vec![0x16] } else { vec![6, 0, 0] };
    packet.extend_from_slice(&id.to_le_bytes());
    if is_change {
        packet.extend_from_slice(&1_u64.to_le_bytes());
    }
    packet.extend_from_slice(&[2, 0, 0, 0, 2, 1]);
    packet.into()
}

#[test]
fn early_properties_of_one_peer_are_bounded() {
    let (_, mut client) = pair();
    for id in 0..(DEFERRED_PACKETS_MAX as u32 + 10) {
        receive(&mut client, &early(1_000 + id, false));
    }
    assert_eq!(client.scene().stats().refused_elements, 10);
}

#[test]
fn newest_early_delta_of_each_property_is_deferred_and_too_many_end_the_session() {
    let (_, mut client) = pair();
    for id in (0..LEVEL_PACKETS_MAX as u32).chain([0, 0, 0]) {
        receive(&mut client, &early(1_000 + id, true));
    }
    assert_eq!(client.scene().stats().refused_elements, 0);
    receive(&mut client, &early(1, true));
    assert_eq!(client.scene().stats().refused_elements, 1);
    let mut leaves = Vec::new();
    client.deliver(&mut |_, message| {
        leaves.extend(
            matches!(message, ToEndpoint::Disconnect { reason: DisconnectReason::QueueFull, .. })
                .then_some(()),
        );
        Ok(())
    });
    assert_eq!(leaves.len(), 1);
}

/// Adds a level that a client loads late.
fn level(scene: &mut Scene) -> Result<(), SetupError> {
    scene.add("Level", Group)?;
    scene.add("Level/Spawner", MultiplayerSpawner::new("../Units").with_scene(&unit()))?;
    scene.add("Level/Units", Group)?;
    Ok(())
}

/// Returns a server with a level and a unit in it, and a client that has joined without the level.
fn before_the_level() -> (Lan, PeerId) {
    let mut lan = Lan::new(Branch::builder("/root").setup(level)).unwrap();
    let scene = lan.scene(SERVER);
    scene.add_instance("Level/Units", unit().instantiate().named("U")).unwrap();
    let client = lan.join(Branch::builder("/root")).unwrap();
    lan.settle();
    (lan, client)
}

#[test]
fn spawns_are_deferred_until_the_level_is_loaded() {
    let (mut lan, client) = before_the_level();
    level(lan.scene(client)).unwrap();
    lan.settle();
    assert!(lan.scene(client).find("Level/Units/U").is_ok());
    let served = lan.scene(SERVER).node::<Unit>("Level/Units/U").unwrap();
    lan.scene(SERVER).get_mut(served).unwrap().hp = 3;
    lan.settle();
    let unit = lan.scene(client).node::<Unit>("Level/Units/U").unwrap();
    assert_eq!(lan.scene(client).get(unit).unwrap().hp, 3);
}

#[test]
fn nodes_despawned_before_the_level_is_loaded_are_not_added() {
    let (mut lan, client) = before_the_level();
    let unit = lan.scene(SERVER).find("Level/Units/U").unwrap();
    lan.scene(SERVER).remove(unit).unwrap();
    lan.settle();
    level(lan.scene(client)).unwrap();
    lan.settle();
    assert!(lan.scene(client).find("Level/Units/U").is_err());
}
