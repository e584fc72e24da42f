//! Hosts that come, go, and are refused.

use mp_core::{PeerEvent, TransferMode};
use mp_scene::prelude::*;
use mp_tunnel::{HostOutput, HostRefusal, LinkEvent, TunnelHost};

use crate::world::*;

fn is_connected(raw: &mut Raw) -> bool {
    !raw.events().iter().any(|event| matches!(event, PeerEvent::Disconnected { .. }))
}

#[test]
fn guest_without_a_host_is_disconnected() {
    let mut world = World::new();
    world.host.leave();
    world.settle();
    let guest = world.room.join(game()).unwrap();
    world.settle();
    assert!(signals(&mut world.room, guest).contains(&Signal::ServerDisconnected));
    assert_eq!(world.stats().unhosted_guests, 1);
}

#[test]
fn guests_leave_at_once_when_the_program_stops_or_is_restarted() {
    for is_killed in [false, true] {
        let mut world = World::new();
        let guest = world.join();
        signals(&mut world.room, guest);
        match is_killed {
            true => world.restart(),
            false => world.host.leave(),
        }
        world.settle();
        assert_eq!(world.game.scene(SERVER).peers(), []);
        world.dial();
        world.settle();
        assert!(signals(&mut world.room, guest).contains(&Signal::ServerDisconnected));
        assert_eq!(world.events.last(), Some(&LinkEvent::Hosting { is_resumed: false }));
        let guest = world.join();
        assert_eq!(world.game.scene(SERVER).peers(), [guest]);
    }
}

#[test]
fn another_host_is_refused_while_there_is_one() {
    let mut world = World::new();
    let guest = world.join();
    let mut other = TunnelHost::new();
    let mut raw = Raw::connect(&mut world.room, peer(1_001));
    world.settle();
    raw.events();
    other.link_connected(world.now);
    let Some(HostOutput::ToLink { mode, frame }) = other.next_output() else {
        panic!("no first frame");
    };
    raw.send(mode, Channel(0), frame);
    world.settle();
    for event in raw.events() {
        if let PeerEvent::Packet(packet) = event {
            other.link_packet(packet.payload);
        }
    }
    let outputs: Vec<_> = std::iter::from_fn(|| other.next_output()).collect();
    let refused = LinkEvent::Refused(HostRefusal::HostPresent);
    assert!(outputs.contains(&HostOutput::Event(refused)), "{outputs:?}");
    assert!(world.host.is_hosting());
    assert_eq!(world.game.scene(SERVER).peers(), [guest]);
}

#[test]
fn client_without_the_role_of_a_host_is_refused_as_one() {
    let mut world = World::new();
    let mut raw = Raw::connect(&mut world.room, peer(500));
    world.settle();
    raw.events();
    let mut host = TunnelHost::new();
    host.link_connected(world.now);
    let Some(HostOutput::ToLink { mode, frame }) = host.next_output() else {
        panic!("no first frame");
    };
    raw.send(mode, Channel(0), frame);
    world.settle();
    let events = raw.events();
    let is_ended = |event: &PeerEvent| matches!(event, PeerEvent::Disconnected { .. });
    assert!(events.iter().any(is_ended), "{events:?}");
    assert_eq!(world.stats().refused_hosts, 1);
    assert_eq!(world.game.scene(SERVER).peers(), []);
}

#[test]
fn malformed_frame_ends_the_link_and_its_guests() {
    let mut world = World::new();
    let guest = world.join();
    signals(&mut world.room, guest);
    let link = world.link.as_mut().unwrap();
    link.send(TransferMode::Reliable, Channel(0), b"\xf0 no frame".as_slice().into());
    world.settle();
    assert!(signals(&mut world.room, guest).contains(&Signal::ServerDisconnected));
    assert_eq!(world.stats().malformed_frames, 1);
    assert!(world.link.is_none());
}

#[test]
fn host_that_sends_nothing_is_disconnected() {
    let mut world = World::new();
    let mut raw = Raw::connect(&mut world.room, peer(1_001));
    let start = world.now;
    while world.now - start < mp_tunnel::limits::HELLO_TIMEOUT / 2 {
        world.step();
    }
    assert!(is_connected(&mut raw));
    while world.now - start < mp_tunnel::limits::HELLO_TIMEOUT * 2 {
        world.step();
    }
    assert!(!is_connected(&mut raw));
}

#[test]
fn room_that_does_not_answer_as_one_of_tunnels_is_reported() {
    for answers in [false, true] {
        let mut host = TunnelHost::new();
        host.link_connected(mp_core::Instant::ZERO);
        match answers {
            true => host.link_packet(b"\x07\x01\x02\x00\x00\x00".as_slice().into()),
            false => host.handle_timeout(host.poll_timeout().unwrap()),
        }
        let outputs: Vec<_> = std::iter::from_fn(|| host.next_output()).collect();
        let refused = HostOutput::Event(LinkEvent::Refused(HostRefusal::NoTunnel));
        assert_eq!(outputs[1..], [refused, HostOutput::CloseLink]);
    }
}
