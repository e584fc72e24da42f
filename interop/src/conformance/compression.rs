//! Packets of all kinds to the server and back, with the configured compression.

use mp_scene::prelude::*;

use super::big::pattern;
use super::ctl::{ClientCtl, Ctl, LONG};
use crate::report::Report;
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    world.add("Pipe", Pipe { report: world.report.clone(), ..Pipe::default() })?;
    Ctl::open(world)?.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let (report, server) = (world.report.clone(), PeerId::SERVER);
    let pipe = world.add("Pipe", Pipe { report: world.report.clone(), ..Pipe::default() })?;
    let ctl = ClientCtl::enter(world)?;
    let keys: Vec<i64> = (0..7).chain((1340..1400).step_by(4)).collect();
    for &k in &keys {
        world.rpc_id(server, pipe, "there", (k, payload(k)))?;
    }
    world.until_within(LONG, "the echoes", |world| world.get(pipe).echoes.len() >= keys.len())?;
    let echoes = std::mem::take(&mut world.get(pipe).echoes);
    let expected = keys.iter().map(|&k| (k, payload(k))).collect();
    report.check("the echoes", echoes, expected);

    for k in [1, 4, 5, 6] {
        world.repeat_until(
            "an unreliable echo",
            |world| world.get(pipe).loose.iter().any(|echo| echo.0 == k),
            |world| world.rpc_id(server, pipe, "there_u", (k, payload(k))),
        )?;
    }
    for (k, data) in std::mem::take(&mut world.get(pipe).loose) {
        report.check(&format!("the unreliable echo of {k}"), data, payload(k));
    }
    ctl.close(world)?;
    report.check("echoes in the end", world.get(pipe).echoes.len(), 0);
    Ok(())
}

fn payload(k: i64) -> Vec<u8> {
    match k {
        0 => Vec::new(),
        1 => b"hello hello hello hello".to_vec(),
        2 => vec![65; 10_000],
        3 => pattern(10_000, 7),
        4 => b"The quick brown fox jumps over the lazy dog. ".repeat(25),
        5 => pattern(1000, 8),
        6 => [pattern(500, 9), vec![0; 500]].concat(),
        _ => pattern(k as usize, k as u64),
    }
}

#[derive(Default)]
pub(super) struct Pipe {
    report: Report,
    echoes: Vec<(i64, Vec<u8>)>,
    /// Unreliable echoes.
    loose: Vec<(i64, Vec<u8>)>,
}

impl Node for Pipe {
    fn rpc_table() -> RpcTable<Self> {
        let (authority, any_peer) = (RpcConfig::authority(), RpcConfig::any_peer());
        let echo = |method: &'static str| {
            move |pipe: &mut Self, cx: &mut RpcContext<'_>, args: (i64, Vec<u8>)| {
                if let Err(error) = cx.reply(method, args) {
                    pipe.report.fail(format!("{method}: {error}"));
                }
            }
        };
        RpcTable::new()
            .method("back", authority, |pipe: &mut Self, _cx, echo| pipe.echoes.push(echo))
            .method("back_u", authority.unreliable(), |pipe: &mut Self, _cx, echo| {
                pipe.loose.push(echo);
            })
            .method("there", any_peer, echo("back"))
            .method("there_u", any_peer.unreliable(), echo("back_u"))
    }
}
