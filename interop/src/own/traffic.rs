//! Heavy traffic: ordered reliable calls on two channels, a packet of 300 KB, bursts of unreliable
//! calls.

use std::collections::BTreeSet;
use std::ops::RangeFrom;

use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use super::pattern;
use crate::options::Transport;
use crate::report::Report;
use crate::world::{FRAME, ScenarioResult, World};

const COUNT: usize = 1000;
const LUMP: usize = 300_000;
/// Bytes of a lump over WebRTC; a web client receives at most 65,530.
const WEBRTC_LUMP: usize = 60_000;
/// Seeds of the lumps.
const FROM_CLIENT: usize = 1;
const FROM_SERVER: usize = 2;
const ENOUGH: usize = 100;
const SPRAY_AT_ONCE: usize = 10;
const PAD: usize = 300;

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let traffic = Traffic::new(world, FROM_CLIENT);
    let traffic = world.add("Traffic", traffic)?;
    let desk = Desk::open(world)?;
    let client = desk.ids[0];

    desk.wait_for_all(world, "sent")?;
    world.until("all reliable calls", |world| world.get(traffic).is_complete())?;
    send_reliable(world, traffic, client, FROM_SERVER)?;
    desk.wait_for_all(world, "received")?;

    desk.next(world, "spray")?;
    world.until("enough unreliable calls", |world| world.get(traffic).has_enough())?;
    desk.next(world, "enough")?;
    desk.wait_for_all(world, "spray")?;

    let mut numbers = 0..;
    world.repeat_until(
        "the client to have enough unreliable calls",
        |world| desk.is_done(world, "enough"),
        |world| spray(world, traffic, client, &mut numbers),
    )?;

    desk.close(world)?;
    report.check_that("no late reliable calls", world.get(traffic).is_complete());
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let (report, server) = (world.report.clone(), PeerId::SERVER);
    let traffic = Traffic::new(world, FROM_SERVER);
    let traffic = world.add("Traffic", traffic)?;
    let desk = ClientDesk::enter(world)?;

    send_reliable(world, traffic, server, FROM_CLIENT)?;
    desk.done(world, "sent")?;
    world.until("all reliable calls", |world| world.get(traffic).is_complete())?;
    desk.done(world, "received")?;

    desk.wait_for_next(world, "spray")?;
    let mut numbers = 0..;
    world.repeat_every(
        FRAME,
        "the server to have enough unreliable calls",
        |world| desk.has_next(world, "enough"),
        |world| spray(world, traffic, server, &mut numbers),
    )?;
    desk.done(world, "spray")?;
    world.until("enough unreliable calls", |world| world.get(traffic).has_enough())?;
    desk.done(world, "enough")?;

    desk.close(world)?;
    report.check_that("no late reliable calls", world.get(traffic).is_complete());
    Ok(())
}

fn send_reliable(
    world: &mut World,
    traffic: NodeRef<Traffic>,
    to: PeerId,
    seed: usize,
) -> ScenarioResult {
    for n in 0..COUNT as i64 {
        world.rpc_id(to, traffic, "count", (n,))?;
        world.rpc_id(to, traffic, "count2", (n,))?;
    }
    let lump = pattern(lump_bytes(world), seed);
    world.rpc_id(to, traffic, "lump", (lump,))
}

fn lump_bytes(world: &World) -> usize {
    match world.options.transport {
        Transport::Webrtc => WEBRTC_LUMP,
        _ => LUMP,
    }
}

fn spray(
    world: &mut World,
    traffic: NodeRef<Traffic>,
    to: PeerId,
    numbers: &mut RangeFrom<i64>,
) -> ScenarioResult {
    for n in numbers.take(SPRAY_AT_ONCE) {
        world.rpc_id(to, traffic, "spray_o", (n, vec![0u8; PAD]))?;
        world.rpc_id(to, traffic, "spray_u", (n, vec![0u8; PAD]))?;
    }
    Ok(())
}

#[derive(Default)]
struct Traffic {
    report: Report,
    next_count: usize,
    next_count2: usize,
    lumps: usize,
    /// Lump to receive.
    lump: Vec<u8>,
    ordered: Vec<usize>,
    unordered: BTreeSet<usize>,
}

impl Traffic {
    fn new(world: &World, seed: usize) -> Self {
        let lump = pattern(lump_bytes(world), seed);
        Self { report: world.report.clone(), lump, ..Self::default() }
    }

    /// Returns whether every reliable call was received once.
    fn is_complete(&self) -> bool {
        (self.next_count, self.next_count2, self.lumps) == (COUNT, COUNT, 1)
    }

    /// Returns whether enough unreliable calls were received.
    fn has_enough(&self) -> bool {
        self.ordered.len() >= ENOUGH && self.unordered.len() >= ENOUGH
    }
}

impl Node for Traffic {
    fn rpc_table() -> RpcTable<Self> {
        let any_peer = RpcConfig::any_peer();
        RpcTable::new()
            .method("count", any_peer, |traffic: &mut Self, _cx, (n,): (usize,)| {
                traffic.report.check("count", n, traffic.next_count);
                traffic.next_count += 1;
            })
            .method("count2", any_peer.channel(2), |traffic: &mut Self, _cx, (n,): (usize,)| {
                traffic.report.check("count2", n, traffic.next_count2);
                traffic.next_count2 += 1;
            })
            .method("lump", any_peer, |traffic: &mut Self, _cx, (data,): (Vec<u8>,)| {
                traffic.report.check("counts before the lump", traffic.next_count, COUNT);
                traffic.report.check_that("the lump is the pattern", data == traffic.lump);
                traffic.lumps += 1;
            })
            .method(
                "spray_o",
                any_peer.unreliable_ordered().channel(1),
                |traffic: &mut Self, _cx, (n, pad): (usize, Vec<u8>)| {
                    traffic.report.check("the padding", pad, vec![0; PAD]);
                    let grows = traffic.ordered.last().is_none_or(|&last| n > last);
                    traffic.report.check_that(&format!("spray_o {n} is newer"), grows);
                    traffic.ordered.push(n);
                },
            )
            .method(
                "spray_u",
                any_peer.unreliable().channel(1),
                |traffic: &mut Self, _cx, (n, pad): (usize, Vec<u8>)| {
                    traffic.report.check("the padding", pad, vec![0; PAD]);
                    let is_new = traffic.unordered.insert(n);
                    traffic.report.check_that(&format!("spray_u {n} was received once"), is_new);
                },
            )
    }
}
