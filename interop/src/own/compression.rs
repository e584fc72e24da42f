//! Payloads of high, low and no compressibility, to the server and back; runs in every compression
//! mode.

use std::collections::BTreeMap;

use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use super::pattern;
use crate::report::Report;
use crate::world::{ScenarioResult, World};

const PAYLOADS: i64 = 6;

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let echo = Echo::new(&world.report);
    world.add("Compression", echo)?;
    let desk = Desk::open(world)?;
    desk.wait_for_all(world, "echoed")?;
    desk.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let (report, server) = (world.report.clone(), PeerId::SERVER);
    let echo = world.add("Compression", Echo::new(&report))?;
    let desk = ClientDesk::enter(world)?;
    for n in 0..PAYLOADS {
        world.rpc_id(server, echo, "echo", (n, payload(n)))?;
    }
    let count = PAYLOADS as usize;
    world.until("the echoes", |world| world.get(echo).echoes.len() >= count)?;
    let expected: Vec<_> = (0..PAYLOADS).map(|n| (n, payload(n))).collect();
    report.check("the echoes", std::mem::take(&mut world.get(echo).echoes), expected);
    for n in 0..PAYLOADS {
        world.repeat_until(
            "a loose echo",
            |world| world.get(echo).loose.contains_key(&n),
            |world| world.rpc_id(server, echo, "echo_loose", (n, payload(n))),
        )?;
    }
    let loose = std::mem::take(&mut world.get(echo).loose);
    report.check("the loose echoes", loose, (0..PAYLOADS).map(|n| (n, payload(n))).collect());
    desk.done(world, "echoed")?;
    desk.close(world)
}

fn payload(n: i64) -> Vec<u8> {
    match n {
        0 => vec![7],
        1 => b"The quick brown fox jumps over the lazy dog. ".repeat(20),
        2 => vec![0; 20_000],
        3 => pattern(1200, 3),
        4 => noise(1200),
        _ => noise(20_000),
    }
}

/// Returns incompressible bytes.
fn noise(size: usize) -> Vec<u8> {
    let mut x = 1_u64;
    let mut next = || {
        x = (x * 1_103_515_245 + 12_345) & 0x7fff_ffff;
        (x >> 16) as u8
    };
    (0..size).map(|_| next()).collect()
}

struct Echo {
    report: Report,
    echoes: Vec<(i64, Vec<u8>)>,
    /// Unreliable echoes.
    loose: BTreeMap<i64, Vec<u8>>,
}

impl Echo {
    fn new(report: &Report) -> Self {
        Self { report: report.clone(), echoes: Vec::new(), loose: BTreeMap::new() }
    }

    /// Server: checks a payload and sends it back. Returns false on a client.
    fn answer(&mut self, cx: &mut RpcContext<'_>, method: &str, n: i64, data: &[u8]) -> bool {
        if cx.unique_id() != PeerId::SERVER {
            return false;
        }
        self.report.check(&format!("payload {n} of {method}"), data.to_vec(), payload(n));
        if let Err(error) = cx.reply(method, (n, data.to_vec())) {
            self.report.fail(format!("{method}: {error}"));
        }
        true
    }
}

impl Node for Echo {
    fn rpc_table() -> RpcTable<Self> {
        let any_peer = RpcConfig::any_peer();
        RpcTable::new()
            .method("echo", any_peer, |echo: &mut Self, cx, (n, data): (i64, Vec<u8>)| {
                if !echo.answer(cx, "echo", n, &data) {
                    echo.echoes.push((n, data));
                }
            })
            .method(
                "echo_loose",
                any_peer.unreliable().channel(1),
                |echo: &mut Self, cx, (n, data): (i64, Vec<u8>)| {
                    if !echo.answer(cx, "echo_loose", n, &data) {
                        echo.loose.insert(n, data);
                    }
                },
            )
    }
}
