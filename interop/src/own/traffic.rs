//! Much at once: reliable in order on two channels, a packet of 300 KB, bursts of unreliable ones.

use std::collections::BTreeSet;
use std::time::Duration;

use mp_scene::prelude::*;

use super::desk::Desk;
use super::pattern;
use crate::report::Report;
use crate::world::{FRAME, Played, World};

const COUNT: usize = 1000;
const LUMP: usize = 300_000;
const SPRAY: usize = 200;
const SPRAY_PER_FRAME: usize = 10;
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
    desk.everyone(world, "sprayed")?;
    world.pause(Duration::from_millis(300))?;
    let Traffic { ordered, unordered, .. } = world.get(traffic);
    let came = [ordered.len(), unordered.len()];
    for count in came {
        let enough = count * 10 >= SPRAY;
        report.check_that(&format!("{count} of {SPRAY} unreliable ones are enough"), enough);
    }

    for n in 0..SPRAY {
        for method in ["spray_o", "spray_u"] {
            world.rpc_id(client, traffic, method, (n as i64, vec![0u8; PAD]))?;
        }
        if n % SPRAY_PER_FRAME == SPRAY_PER_FRAME - 1 {
            world.pause(FRAME)?;
        }
    }
    desk.next(world, "sprayed")?;

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
                    traffic.report.check_that(&format!("spray_o {n} is newer"), grows && n < SPRAY);
                    traffic.ordered.push(n);
                },
            )
            .method(
                "spray_u",
                any_peer.unreliable().channel(1),
                |traffic: &mut Self, _cx, (n, pad): (usize, Vec<u8>)| {
                    traffic.report.check("the padding", pad, vec![0; PAD]);
                    let is_new = traffic.unordered.insert(n);
                    traffic
                        .report
                        .check_that(&format!("spray_u {n} came once"), is_new && n < SPRAY);
                },
            )
    }
}
