//! Much at once: reliable in order on two channels, a packet of 300 KB, bursts of unreliable ones.

use std::collections::BTreeSet;

use mp_scene::prelude::*;

use super::desk::Desk;
use super::pattern;
use crate::report::Report;
use crate::world::{Played, World};

const COUNT: usize = 1000;
const LUMP: usize = 300_000;
const ENOUGH: usize = 100;
const SPRAY_AT_ONCE: usize = 10;
const PAD: usize = 300;

pub(super) fn serve(world: &mut World) -> Played {
    let report = world.report.clone();
    let traffic = world.add("Traffic", Traffic { report: report.clone(), ..Traffic::default() })?;
    let desk = Desk::open(world)?;
    let client = desk.ids[0];

    desk.everyone(world, "sent")?;
    world.until("all of the reliable ones", |world| {
        let traffic = world.get(traffic);
        (traffic.next_count, traffic.next_count2, traffic.lumps) == (COUNT, COUNT, 1)
    })?;

    for n in 0..COUNT as i64 {
        world.rpc_id(client, traffic, "count", (n,))?;
        world.rpc_id(client, traffic, "count2", (n,))?;
    }
    world.rpc_id(client, traffic, "lump", (pattern(LUMP, 2),))?;
    desk.everyone(world, "received")?;

    desk.next(world, "spray")?;
    world.until("enough unreliable ones", |world| {
        let Traffic { ordered, unordered, .. } = world.get(traffic);
        ordered.len() >= ENOUGH && unordered.len() >= ENOUGH
    })?;
    desk.next(world, "enough")?;
    desk.everyone(world, "spray")?;

    let mut numbers = 0i64..;
    world.repeat_until(
        "the client to have enough unreliable ones",
        |world| desk.is_done(world, "enough"),
        |world| {
            for n in numbers.by_ref().take(SPRAY_AT_ONCE) {
                world.rpc_id(client, traffic, "spray_o", (n, vec![0u8; PAD]))?;
                world.rpc_id(client, traffic, "spray_u", (n, vec![0u8; PAD]))?;
            }
            Ok(())
        },
    )?;

    desk.close(world)?;
    let Traffic { next_count, next_count2, lumps, .. } = world.get(traffic);
    let counts = (*next_count, *next_count2, *lumps);
    report.check("the reliable ones in the end", counts, (COUNT, COUNT, 1));
    Ok(())
}

#[derive(Default)]
struct Traffic {
    report: Report,
    next_count: usize,
    next_count2: usize,
    lumps: usize,
    ordered: Vec<usize>,
    unordered: BTreeSet<usize>,
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
                traffic.report.check_that("the lump is the pattern", data == pattern(LUMP, 1));
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
                    traffic.report.check_that(&format!("spray_u {n} came once"), is_new);
                },
            )
    }
}
