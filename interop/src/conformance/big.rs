//! Large reliable packets in both directions, alone and mixed with small ones.

use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use crate::world::{ScenarioResult, World};

const SIZE: usize = 200 * 1024;
const TEXT: usize = 100_000;
/// Sizes and seeds of the `raw` packets.
const RAWS: [(usize, u64); 4] = [(SIZE, 1), (1, 2), (1400, 3), (65535, 4)];
const BOXED_SEED: u64 = 5;

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let pipe = world.add("Pipe", Pipe::default())?;
    let ctl = Ctl::open(world)?;
    let client = ctl.ids[0];
    world.until("8 packets", |world| world.get(pipe).has_all())?;
    check(world, pipe, client);
    send(world, pipe, client)?;
    ctl.close(world)?;
    check(world, pipe, client);
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let pipe = world.add("Pipe", Pipe::default())?;
    let ctl = ClientCtl::enter(world)?;
    send(world, pipe, PeerId::SERVER)?;
    world.until("8 packets", |world| world.get(pipe).has_all())?;
    check(world, pipe, PeerId::SERVER);
    ctl.close(world)?;
    check(world, pipe, PeerId::SERVER);
    Ok(())
}

fn send(world: &mut World, pipe: NodeRef<Pipe>, to: PeerId) -> ScenarioResult {
    let [first, one, middle, large] = RAWS.map(|(size, seed)| pattern(size, seed));
    world.rpc_id(to, pipe, "small", (1,))?;
    world.rpc_id(to, pipe, "raw", (first,))?;
    world.rpc_id(to, pipe, "small", (2,))?;
    world.rpc_id(to, pipe, "raw", (one,))?;
    world.rpc_id(to, pipe, "raw", (middle,))?;
    world.rpc_id(to, pipe, "raw", (large,))?;
    world.rpc_id(to, pipe, "small", (3,))?;
    world.rpc_id(to, pipe, "boxed", ("box", pattern(SIZE, BOXED_SEED), "s".repeat(TEXT)))
}

fn check(world: &mut World, pipe: NodeRef<Pipe>, sender: PeerId) {
    let report = world.report.clone();
    let Pipe { in_order, boxed } = world.get(pipe).clone();
    let [first, one, middle, large] = RAWS.map(|(size, seed)| Received::Raw(pattern(size, seed)));
    let small = Received::Small;
    let expected = [small(1), first, small(2), one, middle, large, small(3)];
    let expected: Vec<_> = expected.into_iter().map(|received| (sender, received)).collect();
    report.check("channel 0", in_order, expected);
    let expected = ("box".to_owned(), pattern(SIZE, BOXED_SEED), "s".repeat(TEXT));
    report.check("channel 2", boxed, vec![(sender, expected)]);
}

/// Returns the pattern x = (x * 1103515245 + 12345) mod 2^31, byte = (x >> 16) & 255.
pub(super) fn pattern(size: usize, seed: u64) -> Vec<u8> {
    let mut x = seed;
    std::iter::repeat_with(|| {
        x = (x * 1_103_515_245 + 12_345) % (1 << 31);
        (x >> 16) as u8
    })
    .take(size)
    .collect()
}

#[derive(Clone, Default)]
pub(super) struct Pipe {
    in_order: Vec<(PeerId, Received)>,
    boxed: Vec<(PeerId, Boxed)>,
}

/// Arguments of the call on channel 2.
type Boxed = (String, Vec<u8>, String);

/// Received call on channel 0.
#[derive(Clone, Debug, PartialEq)]
enum Received {
    Small(i64),
    Raw(Vec<u8>),
}

impl Pipe {
    fn has_all(&self) -> bool {
        self.in_order.len() + self.boxed.len() >= 8
    }
}

impl Node for Pipe {
    fn rpc_table() -> RpcTable<Self> {
        let any_peer = RpcConfig::any_peer();
        RpcTable::new()
            .method("boxed", any_peer.channel(2), |pipe: &mut Self, cx, boxed| {
                pipe.boxed.push((cx.remote_sender(), boxed));
            })
            .method("raw", any_peer, |pipe: &mut Self, cx, (bytes,)| {
                pipe.in_order.push((cx.remote_sender(), Received::Raw(bytes)));
            })
            .method("small", any_peer, |pipe: &mut Self, cx, (n,)| {
                pipe.in_order.push((cx.remote_sender(), Received::Small(n)));
            })
    }
}
