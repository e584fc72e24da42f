//! Every kind of value as an RPC argument and back; forms of argument lists.

use mp_core::variant::{Array, Dictionary, Vector2};
use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use super::values;
use crate::exact::Exact;
use crate::report::Report;
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let echo = world.add("Echo", Echo::new(world))?;
    let count = values::list().len();
    let ctl = Ctl::open(world)?;
    let client = ctl.ids[0];
    ctl.close(world)?;

    let echo = world.get(echo);
    let (values, others, senders) = (echo.values, echo.others.clone(), echo.senders.clone());
    report.check("values", values, count);
    let expected = [
        ("echo_many", many()),
        ("echo_raw", vec![vec![1u8, 2, 3].into()]),
        ("echo_opt", vec![vec![4u8, 5].into()]),
        // A single empty PackedByteArray is encoded as no argument, so the default is used.
        ("echo_opt", vec![vec![9u8].into()]),
        ("echo_opt", vec![vec![9u8].into()]),
        ("ping", vec![]),
    ]
    .map(|(method, args)| (method, Exact::list(args)));
    report.check("calls but `echo`", others, expected.into());
    report.check_that("all senders are the client", senders.iter().all(|id| *id == client));
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let (report, server) = (world.report.clone(), PeerId::SERVER);
    let echo = world.add("Echo", Echo::new(world))?;
    let ctl = ClientCtl::enter(world)?;

    let values = values::list();
    let count = values.len();
    for (k, value) in (0i64..).zip(values) {
        world.rpc_id(server, echo, "echo", (k, value))?;
    }
    world.until("the values", |world| world.get(echo).values == count)?;

    world.rpc_id(server, echo, "echo_many", many())?;
    world.until("back_many", |world| !world.get(echo).others.is_empty())?;
    world.rpc_id(server, echo, "echo_raw", (vec![1u8, 2, 3],))?;
    world.rpc_id(server, echo, "echo_opt", (vec![4u8, 5],))?;
    world.rpc_id(server, echo, "echo_opt", (Vec::<u8>::new(),))?;
    world.rpc_id(server, echo, "echo_opt", ())?;
    world.until("back_raw", |world| world.get(echo).others.len() >= 5)?;
    world.rpc_id(server, echo, "ping", ())?;
    world.until("pong", |world| world.get(echo).others.len() >= 6)?;
    ctl.close(world)?;

    let echo = world.get(echo);
    let (values, others, senders) = (echo.values, echo.others.clone(), echo.senders.clone());
    report.check("values", values, count);
    let mut reversed = many();
    reversed.reverse();
    let expected = [
        ("back_many", reversed),
        ("back_raw", vec![vec![1u8, 2, 3].into()]),
        ("back_raw", vec![vec![4u8, 5].into()]),
        ("back_raw", vec![vec![9u8].into()]),
        ("back_raw", vec![vec![9u8].into()]),
        ("pong", vec![]),
    ]
    .map(|(method, args)| (method, Exact::list(args)));
    report.check("calls but `back`", others, expected.into());
    report.check_that("all senders are the server", senders.iter().all(|id| *id == server));
    Ok(())
}

fn many() -> Vec<Variant> {
    vec![
        1.into(),
        "two".into(),
        3.5.into(),
        Vector2::new(4.0, 4.0).into(),
        Array::from([5]).into(),
        Dictionary::from([("six", 6)]).into(),
        Variant::Nil,
        vec![8u8].into(),
    ]
}

#[derive(Default)]
pub(super) struct Echo {
    report: Report,
    expected: Vec<Exact>,
    /// Number of `echo` calls received; on a client, of `back` calls.
    values: usize,
    others: Vec<(&'static str, Vec<Exact>)>,
    senders: Vec<PeerId>,
}

impl Node for Echo {
    fn rpc_table() -> RpcTable<Self> {
        let (authority, any_peer) = (RpcConfig::authority(), RpcConfig::any_peer());
        RpcTable::new()
            .method("back", authority, |echo: &mut Self, cx, (k, value): (usize, Variant)| {
                echo.record_value(cx, k, &value);
            })
            .method("back_many", authority, |echo: &mut Self, cx, args: Vec<Variant>| {
                echo.record(cx, "back_many", args);
            })
            .method("back_raw", authority, |echo: &mut Self, cx, (bytes,): (Vec<u8>,)| {
                echo.record(cx, "back_raw", vec![bytes.into()]);
            })
            .method("echo", any_peer, |echo: &mut Self, cx, (k, value): (usize, Variant)| {
                echo.record_value(cx, k, &value);
                echo.answer(cx, "back", vec![Variant::Int(k as i64), value]);
            })
            .method("echo_many", any_peer, |echo: &mut Self, cx, args: Eight| {
                let (a, b, c, d, e, f, g, h) = args;
                let mut args = vec![a, b, c, d, e, f, g, h];
                echo.record(cx, "echo_many", args.clone());
                args.reverse();
                echo.answer(cx, "back_many", args);
            })
            .method("echo_opt", any_peer, |echo: &mut Self, cx, (bytes,): (Option<Vec<u8>>,)| {
                let bytes = Variant::from(bytes.unwrap_or_else(|| vec![9]));
                echo.record(cx, "echo_opt", vec![bytes.clone()]);
                echo.answer(cx, "back_raw", vec![bytes]);
            })
            .method("echo_raw", any_peer, |echo: &mut Self, cx, (bytes,): (Vec<u8>,)| {
                let bytes = Variant::from(bytes);
                echo.record(cx, "echo_raw", vec![bytes.clone()]);
                echo.answer(cx, "back_raw", vec![bytes]);
            })
            .method("ping", any_peer, |echo: &mut Self, cx, (): ()| {
                echo.record(cx, "ping", vec![]);
                echo.answer(cx, "pong", vec![]);
            })
            .method("pong", authority, |echo: &mut Self, cx, (): ()| {
                echo.record(cx, "pong", vec![])
            })
    }
}

type Eight = (Variant, Variant, Variant, Variant, Variant, Variant, Variant, Variant);

impl Echo {
    fn new(world: &World) -> Self {
        let mut expected = Exact::list(values::list());
        if world.options.plant_fault {
            expected[3] = "a planted fault".into();
        }
        Self { report: world.report.clone(), expected, ..Self::default() }
    }

    fn record_value(&mut self, cx: &RpcContext<'_>, k: usize, value: &Variant) {
        self.report.check("the number of a value", k, self.values);
        self.values += 1;
        let received = Exact(value.clone());
        match self.expected.get(k) {
            Some(expected) => self.report.check(&format!("value {k}"), &received, expected),
            None => self.report.fail(format!("unexpected value {k}: got {received:?}")),
        }
        self.senders.push(cx.remote_sender());
    }

    fn record(&mut self, cx: &RpcContext<'_>, method: &'static str, args: Vec<Variant>) {
        self.others.push((method, Exact::list(args)));
        self.senders.push(cx.remote_sender());
    }

    fn answer(&self, cx: &mut RpcContext<'_>, method: &str, args: Vec<Variant>) {
        if let Err(error) = cx.reply(method, args) {
            self.report.fail(format!("{method}: {error}"));
        }
    }
}
