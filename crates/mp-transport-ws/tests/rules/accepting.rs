//! Errors of accepting and writing: errors of one connection do not affect others.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::{MultiplayerPeer, PeerEvent, Readiness};
use mp_transport_ws::io::StreamSource;
use mp_transport_ws::limits::{ACCEPT_RETRY, ACCEPT_WARNING_INTERVAL};
use mp_transport_ws::testing::{StreamConditions, VirtualSource, VirtualStream};
use mp_transport_ws::{ServerOptions, WebSocketMultiplayerPeer};
use nix::errno::Errno;

use crate::common::*;

/// A listener whose first accept calls fail.
struct Failing {
    errors: VecDeque<Errno>,
    listener: VirtualSource,
}

impl StreamSource for Failing {
    type Stream = VirtualStream;

    fn poll_stream(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(VirtualStream, SocketAddr)>> {
        match self.errors.pop_front() {
            Some(errno) => Poll::Ready(Err(io::Error::from_raw_os_error(errno as i32))),
            None => self.listener.poll_stream(cx),
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    fn readiness(&self) -> Readiness {
        self.listener.readiness()
    }
}

fn failing(world: &World, errors: &[Errno]) -> WebSocketMultiplayerPeer<Failing> {
    let source = Failing { errors: errors.to_vec().into(), listener: world.network.listener() };
    WebSocketMultiplayerPeer::server(source, seeded(ServerOptions::default())).unwrap()
}

/// Runs a turn of `server`. Returns the number of new connections.
fn connected(server: &mut WebSocketMultiplayerPeer<Failing>, world: &mut World) -> usize {
    world.pass(Duration::from_millis(1));
    server.poll(world.now);
    let events: Vec<_> = std::iter::from_fn(|| server.next_event()).collect();
    server.flush(world.now);
    events.iter().filter(|event| matches!(event, PeerEvent::Connected { .. })).count()
}

#[test]
fn an_error_of_one_connection_does_not_delay_the_next() {
    use Errno::{ECONNABORTED, EHOSTUNREACH, EINTR, ENETDOWN, EPERM, EPROTO};
    let mut world = World::new(StreamConditions::default());
    let errors = [ECONNABORTED, EPERM, EPROTO, ENETDOWN, EHOSTUNREACH, EINTR];
    let mut server = failing(&world, &errors);
    world.raw_peer().send(&request("/", ""));
    assert_eq!(connected(&mut server, &mut world), 1);
    assert_eq!(server.server_stats().accept_errors, 0);
}

#[test]
fn shortage_of_descriptors_is_counted_and_accepting_is_retried() {
    for errno in [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM, Errno::EINVAL] {
        let mut world = World::new(StreamConditions::default());
        let mut server = failing(&world, &[errno, errno]);
        world.raw_peer().send(&request("/", ""));
        for errors in [1, 2] {
            assert_eq!(connected(&mut server, &mut world), 0, "{errno}");
            assert_eq!(server.server_stats().accept_errors, errors);
            assert_eq!(server.poll_timeout(), Some(world.now + ACCEPT_RETRY));
            world.pass(ACCEPT_RETRY);
        }
        assert_eq!(connected(&mut server, &mut world), 1, "{errno}");
    }
}

/// A tracing subscriber that counts warnings.
struct Warnings(Arc<AtomicUsize>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn shortage_is_logged_as_a_warning_at_intervals() {
    let warnings = Arc::new(AtomicUsize::new(0));
    // Tests on other threads reach the warning without a subscriber. If they registered its
    // callsite while a subscriber is installed, that subscriber would not receive it, so register
    // the callsite first.
    let mut world = World::new(StreamConditions::default());
    connected(&mut failing(&world, &[Errno::EMFILE]), &mut world);
    tracing::subscriber::with_default(Warnings(Arc::clone(&warnings)), || {
        let mut world = World::new(StreamConditions::default());
        let mut server = failing(&world, &[Errno::EMFILE; 20]);
        for _ in 0..10 {
            connected(&mut server, &mut world);
            world.pass(ACCEPT_RETRY);
        }
        assert_eq!(server.server_stats().accept_errors, 10);
        assert_eq!(warnings.load(Ordering::Relaxed), 1);
        world.pass(ACCEPT_WARNING_INTERVAL);
        connected(&mut server, &mut world);
        assert_eq!(warnings.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_server_that_stops_accepting_closes_its_port_and_keeps_its_players() {
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default());
    let (mut player, _) = world.joined(&mut server);
    server.stop_accepting();
    assert_eq!(world.network.connect().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    player.send(&masked(0x82, b"still here"));
    let events = world.turn(&mut server);
    assert_eq!(packets(&events), [b"still here"]);
}
