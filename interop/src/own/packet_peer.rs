//! ENet without SceneMultiplayer and desk: packet flags, statistics, every kind of disconnect with
//! a number.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mp_core::{ConnectionId, DisconnectReason, Instant};
use mp_transport_enet::proto::command::ThrottleParameters;
use mp_transport_enet::proto::{
    Admission, HostEvent, HostSettings, HostStatistic, PacketFlags, PeerState, PeerStatistic,
};
use mp_transport_enet::{EnetConnection, EnetPacketPeer};
use serde_json::json;

use super::pattern;
use crate::world::{ScenarioError, ScenarioResult, World};

const CHANNELS: u8 = 4;
const ROUNDS: u32 = 6;
/// Channel of echoed packets.
const ECHO: u8 = 2;
const RELIABLE: u8 = 1;
const THROTTLE: ThrottleParameters =
    ThrottleParameters { interval: 2_000, acceleration: 3, deceleration: 4 };
/// Single-byte control messages.
const READY: [u8; 1] = [99];
const YOUR_TURN: [u8; 1] = [98];
const THROTTLED: [u8; 1] = [97];
const THROTTLED_TOO: [u8; 1] = [96];

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let (report, port) = (world.report.clone(), world.options.port);
    let mut raw = Raw::open(world, (Ipv4Addr::LOCALHOST, port).into())?;
    let scenario = &world.options.scenario;
    report.say(&json!({
        "event": "listening", "transport": "enet", "port": port, "scenario": scenario,
    }));
    for round in 0..ROUNDS {
        let greeting = raw.connected(world)?;
        report.check("the greeting", greeting, 100 + round);
        loop {
            let (channel, flags, bytes) = raw.packet(world)?;
            if bytes == READY {
                break;
            }
            if bytes == THROTTLED {
                raw.check_throttle(world)?;
                raw.send(0, RELIABLE, &THROTTLED_TOO)?;
            } else {
                raw.send(channel, flags, &bytes)?;
            }
        }
        if round % 2 == 0 {
            raw.end(world, round)?;
        } else {
            raw.send(0, RELIABLE, &YOUR_TURN)?;
            raw.ended(world, round)?;
        }
    }
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    for round in 0..ROUNDS {
        let mut raw = Raw::open(world, (Ipv4Addr::UNSPECIFIED, 0).into())?;
        let server = (world.options.host, world.options.port).into();
        raw.connection.connect_to_host(server, CHANNELS, 100 + round);
        report.check("the server's greeting", raw.connected(world)?, 0);
        report.check("the state", raw.peer()?.state(), PeerState::Connected);
        report.check("the channels", raw.peer()?.channels(), CHANNELS);
        if round == 0 {
            raw.compare_statistics(world)?;
        }
        for flags in [1, 0, 2, 8] {
            for size in [5, 5_000] {
                raw.echo(world, flags, &pattern(size, (round + u32::from(flags)) as usize))?;
            }
        }
        raw.ignores_echoes = true;
        raw.send(0, RELIABLE, &READY)?;
        if round % 2 == 0 {
            raw.ended(world, round)?;
        } else {
            report.check("the answer", raw.packet(world)?.2, YOUR_TURN.to_vec());
            raw.end(world, round)?;
        }
    }
    Ok(())
}

/// A host with one peer.
struct Raw {
    connection: EnetConnection,
    link: ConnectionId,
    events: VecDeque<HostEvent>,
    /// True to ignore late echoes of repeated packets.
    ignores_echoes: bool,
}

impl Raw {
    fn open(world: &World, at: SocketAddr) -> ScenarioResult<Self> {
        let mut settings = HostSettings::default();
        settings.admission = Admission::Anybody;
        settings.compression = world.options.compression.mode();
        settings.max_peers = 2;
        settings.channel_limit = CHANNELS;
        Ok(Self {
            connection: EnetConnection::create_host_bound(at, settings)?,
            link: ConnectionId { slot: 0, generation: 0 },
            events: VecDeque::new(),
            ignores_echoes: false,
        })
    }

    fn peer(&mut self) -> ScenarioResult<EnetPacketPeer<'_>> {
        let link = self.link;
        self.connection.peer(link).ok_or_else(|| ScenarioError("the peer is disconnected".into()))
    }

    fn send(&mut self, channel: u8, flags: u8, bytes: &[u8]) -> ScenarioResult {
        Ok(self.peer()?.send(channel, bytes.to_vec(), PacketFlags(flags))?)
    }

    fn service(&mut self, now: Instant) {
        while let Some(event) = self.connection.service(now) {
            let is_echo = matches!(event, HostEvent::Packet { channel: ECHO, .. });
            if !(is_echo && self.ignores_echoes) {
                self.events.push_back(event);
            }
        }
        self.connection.flush(now);
    }

    fn next(&mut self, world: &mut World) -> ScenarioResult<HostEvent> {
        world.until("an event of ENet", |world| {
            self.service(world.now());
            !self.events.is_empty()
        })?;
        self.events.pop_front().ok_or_else(|| ScenarioError("no event".into()))
    }

    /// Returns the number that the remote peer connected with.
    fn connected(&mut self, world: &mut World) -> ScenarioResult<u32> {
        match self.next(world)? {
            HostEvent::Connected { connection, data, .. } => {
                self.link = connection;
                Ok(data)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Returns channel, flags and bytes of the next packet.
    fn packet(&mut self, world: &mut World) -> ScenarioResult<(u8, u8, Vec<u8>)> {
        match self.next(world)? {
            HostEvent::Packet { channel, flags, payload, .. } => {
                Ok((channel, flags.0, payload.to_vec()))
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Sends a packet, and waits for its echo. Repeats an unreliable one.
    fn echo(&mut self, world: &mut World, flags: u8, bytes: &[u8]) -> ScenarioResult {
        let is_large = bytes.len() > 1_364;
        // Fragmented packets are reliable unless flagged otherwise.
        let is_reliable = flags == RELIABLE || is_large && flags != 8;
        let arrives = match flags {
            _ if is_reliable => RELIABLE,
            8 if !is_large => 0,
            flags => flags,
        };
        let (mut next, mut sent) = (world.now(), 0);
        let report = world.report.clone();
        world.until("an echo", |world| {
            if world.now() >= next && !(is_reliable && sent > 0) {
                next = world.now() + Duration::from_millis(50);
                sent += 1;
                if let Err(ScenarioError(why)) = self.send(ECHO, flags, bytes) {
                    report.fail(why);
                }
            }
            self.service(world.now());
            std::mem::take(&mut self.events).into_iter().any(|event| match event {
                HostEvent::Packet { channel, flags, payload, .. } if payload == bytes => {
                    report.check("channel and flags", (channel, flags.0), (ECHO, arrives));
                    true
                }
                HostEvent::Packet { .. } => false,
                other => {
                    report.fail(format!("an event: {other:?}"));
                    true
                }
            })
        })
    }

    fn compare_statistics(&mut self, world: &mut World) -> ScenarioResult {
        let report = world.report.clone();
        self.peer()?.throttle_configure(THROTTLE);
        self.peer()?.ping();
        world.until("a round trip", |world| {
            self.service(world.now());
            self.peer().is_ok_and(|peer| peer.statistic(PeerStatistic::RoundTripTime) < 500)
        })?;
        let peer = self.peer()?;
        report.check("the throttle", peer.statistic(PeerStatistic::PacketThrottle), 32);
        report.check("the loss", peer.statistic(PeerStatistic::PacketLoss), 0);
        let sent = HostStatistic::TotalSentPackets;
        report.check_that("datagrams were sent", self.connection.pop_statistic(sent) > 0);
        report.check("datagrams since", self.connection.pop_statistic(sent), 0);
        self.check_throttle(world)?;
        self.send(0, RELIABLE, &THROTTLED)?;
        report.check("the answer", self.packet(world)?.2, THROTTLED_TOO.to_vec());
        Ok(())
    }

    /// Checks that the client's throttle parameters apply here, too.
    fn check_throttle(&mut self, world: &World) -> ScenarioResult {
        let peer = self.peer()?;
        let known = ThrottleParameters {
            interval: peer.statistic(PeerStatistic::PacketThrottleInterval),
            acceleration: peer.statistic(PeerStatistic::PacketThrottleAcceleration),
            deceleration: peer.statistic(PeerStatistic::PacketThrottleDeceleration),
        };
        world.report.check("the throttle's parameters", known, THROTTLE);
        Ok(())
    }

    /// Ends the connection with the disconnect of this round.
    fn end(&mut self, world: &mut World, round: u32) -> ScenarioResult {
        let data = 40 + round;
        if round / 2 == 2 {
            self.send(0, RELIABLE, &pattern(100_000, round as usize))?;
        }
        let mut peer = self.peer()?;
        match round / 2 {
            0 => peer.peer_disconnect(data),
            1 => peer.peer_disconnect_now(data),
            _ => peer.peer_disconnect_later(data),
        }
        self.check_end(world, DisconnectReason::Closed)
    }

    /// Waits for the remote peer's disconnect of this round.
    fn ended(&mut self, world: &mut World, round: u32) -> ScenarioResult {
        if round / 2 == 2 {
            let last = pattern(100_000, round as usize);
            let received = self.packet(world)?.2;
            world.report.check_that("the last packet is complete", received == last);
        }
        self.check_end(world, DisconnectReason::Remote(40 + round))?;
        // Let the acknowledgement leave.
        world.pause(Duration::from_millis(20))?;
        self.service(world.now());
        Ok(())
    }

    fn check_end(&mut self, world: &mut World, expected: DisconnectReason) -> ScenarioResult {
        match self.next(world)? {
            HostEvent::Disconnected { reason, .. } => {
                world.report.check("the number of the disconnect", reason, expected);
                Ok(())
            }
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(event: &HostEvent) -> ScenarioError {
    let mut text = format!("unexpected: {event:?}");
    text.truncate(200);
    ScenarioError(text)
}
