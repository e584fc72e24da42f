//! Operations that do not allocate in the long run.

mod common;

use common::{SERVER, address, at, server};
use mp_core::Rng;
use mp_transport_enet::proto::{
    Admission, CompressionMode, Host, HostEvent, HostSettings, PacketFlags,
};

/// Runs `turns` turns of a client that sends text to a server. Returns the allocations of both.
fn allocations(mode: CompressionMode, checksum: bool, turns: u64) -> u64 {
    let mut settings = HostSettings::default();
    settings.compression = mode;
    settings.checksum = checksum;
    settings.admission = Admission::Anybody;
    let mut server = server(settings.clone());
    settings.admission = Admission::Nobody;
    let mut client = Host::new(settings, Rng::seed_from_u64(2));
    let link = client.connect(address(SERVER), 2, 7).unwrap();
    let text = bytes::Bytes::from(b"The quick brown fox jumps over the lazy dog. ".repeat(20));
    let (mut buf, mut now, mut arrived) = ([0; 4_096], 1_000, 0);
    let mut turn = || {
        now += 10;
        client.send(link, 0, PacketFlags::UNSEQUENCED, text.clone().into()).unwrap();
        for is_from_client in [true, false] {
            let (from, to, origin) = if is_from_client {
                (&mut client, &mut server, "10.0.0.2:5000")
            } else {
                (&mut server, &mut client, SERVER)
            };
            from.end_turn(at(now));
            while let Some(transmit) = from.poll_transmit(at(now), &mut buf) {
                to.handle_datagram(at(now), address(origin), &buf[..transmit.len]);
            }
            to.handle_timeout(at(now));
            while let Some(event) = to.poll_event() {
                arrived += u64::from(matches!(event, HostEvent::Packet { .. }));
            }
        }
    };
    for _ in 0..200 {
        turn();
    }
    let info = allocation_counter::measure(|| (0..turns).for_each(|_| turn()));
    assert!(arrived >= turns + 100, "{arrived} packets received");
    info.count_total
}

#[test]
fn compression_and_checksums_allocate_nothing_for_a_datagram() {
    let plain = allocations(CompressionMode::None, false, 1_000);
    for &mode in CompressionMode::ALL {
        for checksum in [false, true] {
            let sealed = allocations(mode, checksum, 1_000);
            assert!(sealed <= plain, "{mode:?}: {sealed} allocations instead of {plain}");
        }
    }
}
