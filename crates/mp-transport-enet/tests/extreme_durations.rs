//! Settings with extreme durations: a host neither panics nor requests turns without an effect.

mod common;

use std::time::Duration;

use common::{RawClient, at, reliable, server, transmits};
use mp_core::Instant;
use mp_transport_enet::proto::{Host, HostSettings, PacketFlags, TimeoutConfig};

const EXTREMES: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_micros(u64::MAX),
    Duration::from_millis(u64::MAX / 2),
    Duration::from_millis(u64::MAX),
    Duration::MAX,
];

type Setter = fn(&mut HostSettings, Duration);

const SETTERS: [(&str, Setter); 5] = [
    ("ping_interval", |settings, value| settings.ping_interval = value),
    ("half_open_timeout", |settings, value| settings.half_open_timeout = value),
    ("reliable_progress_timeout", |settings, value| settings.reliable_progress_timeout = value),
    ("minimum", |settings, value| {
        settings.timeout = TimeoutConfig { minimum: value, ..settings.timeout };
    }),
    ("maximum", |settings, value| {
        settings.timeout = TimeoutConfig { maximum: value, ..settings.timeout };
    }),
];

/// Runs the host from one due turn to the next, at most `TURNS` times. Returns the number of turns
/// that were due less than a millisecond after the previous one.
fn idle_turns(host: &mut Host, mut now: Instant) -> usize {
    const TURNS: usize = 200;
    let mut spins = 0;
    for _ in 0..TURNS {
        host.handle_timeout(now);
        host.end_turn(now);
        transmits(host, now);
        let Some(next) = host.poll_timeout() else { break };
        if next.as_micros() < now.as_micros() + 1_000 {
            spins += 1;
        }
        now = now.max(next);
    }
    spins
}

#[test]
fn hosts_with_extreme_durations_do_not_spin() {
    for (name, set) in SETTERS {
        for value in EXTREMES {
            let mut settings = HostSettings::default();
            set(&mut settings, value);
            let mut host = server(settings);
            let now = at(1_000);
            RawClient::half_open(&mut host, now, "10.0.0.3:1", 3);
            let client = RawClient::connect(&mut host, now, "10.0.0.2:1", 2);
            client.send(&mut host, now, &[reliable(0, 1, b"hello")]);
            let payload = bytes::Bytes::from_static(b"hello").into();
            host.send(client.connection, 0, PacketFlags::RELIABLE, payload).unwrap();
            let spins = idle_turns(&mut host, now);
            assert!(spins <= 4, "{name} = {value:?}: {spins} turns without a pause");
        }
    }
}
