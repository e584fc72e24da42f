//! Nodes of `calls`, which record received calls.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use mp_core::variant::{Array, Dictionary, FromVariantError};
use mp_core::{FromVariant, VariantType};
use mp_scene::prelude::*;

use crate::exact::Exact;
use crate::report::Report;
use crate::tap::TapLog;

/// Method, mode, channel.
pub(super) const MODE_METHODS: [(&str, TransferMode, u8); 6] = [
    ("mode_o0", TransferMode::UnreliableOrdered, 0),
    ("mode_o2", TransferMode::UnreliableOrdered, 2),
    ("mode_r0", TransferMode::Reliable, 0),
    ("mode_r2", TransferMode::Reliable, 2),
    ("mode_u0", TransferMode::Unreliable, 0),
    ("mode_u2", TransferMode::Unreliable, 2),
];

/// Node `Main/Calls`.
pub(super) struct Calls {
    log: SharedLog,
    /// Expected arguments of `value`.
    values: Vec<Exact>,
    pub(super) values_received: Vec<Exact>,
    pub(super) modes_heard: BTreeSet<&'static str>,
}

/// Node below `Main/Calls`.
pub(super) struct Part {
    place: &'static str,
    log: SharedLog,
}

/// A received call.
#[derive(Debug, PartialEq)]
pub(super) struct Received {
    /// Path relative to `Main/Calls`.
    pub(super) place: &'static str,
    pub(super) method: &'static str,
    sender: PeerId,
    args: Vec<Exact>,
}

/// Received calls of all nodes, in order. Clones share the log.
#[derive(Clone)]
pub(super) struct SharedLog(Rc<RefCell<Log>>);

struct Log {
    report: Report,
    tap: TapLog,
    received: Vec<Received>,
    /// True if each call is answered with the same call.
    answering: bool,
}

impl Node for Calls {
    fn rpc_table() -> RpcTable<Self> {
        let any_peer = RpcConfig::any_peer();
        let mut table = RpcTable::new()
            .method("both", any_peer.call_local(), |calls: &mut Self, cx, (tag,): (String,)| {
                calls.log.record(Received::new("", "both", cx.remote_sender(), [tag]));
            })
            .method("many", any_peer, |calls: &mut Self, cx, args: Eight| {
                let (a, b, c, d, e, f, g, h) = args;
                calls.log.record_and_answer(cx, "", "many", vec![a, b, c, d, e, f, g, h]);
            })
            .method("none", any_peer, |calls: &mut Self, cx, (): ()| {
                calls.log.record_and_answer(cx, "", "none", vec![]);
            })
            .method("order", RpcConfig::authority(), |calls: &mut Self, cx, (tag,): (String,)| {
                calls.log.record_and_answer(cx, "", "order", vec![tag.into()]);
            })
            .method("raw", any_peer, |calls: &mut Self, cx, (bytes,): (Option<Vec<u8>>,)| {
                let bytes = bytes.unwrap_or_else(|| vec![9]);
                calls.log.record_and_answer(cx, "", "raw", vec![bytes.into()]);
            })
            .method("typed", any_peer, |calls: &mut Self, cx, (names, ages): (Names, Ages)| {
                calls.log.record_and_answer(cx, "", "typed", vec![names.0.into(), ages.0.into()]);
            })
            .method("value", any_peer, |calls: &mut Self, cx, (k, value): (usize, Variant)| {
                calls.value(cx, k, value);
            });
        for (method, transfer_mode, channel) in MODE_METHODS {
            let config = RpcConfig { transfer_mode, ..any_peer.channel(channel) };
            table = table.method(method, config, move |calls: &mut Self, cx, (n,): (i64,)| {
                calls.log.check_arrival(method, transfer_mode, channel);
                calls.log.report().check(&format!("the argument of {method}"), n, 7);
                calls.modes_heard.insert(method);
                calls.log.answer(cx, method, vec![n.into()]);
            });
        }
        table
    }
}

type Eight = (Variant, Variant, Variant, Variant, Variant, Variant, Variant, Variant);

impl Calls {
    pub(super) fn new(log: SharedLog, values: Vec<Exact>) -> Self {
        Self { log, values, values_received: Vec::new(), modes_heard: BTreeSet::new() }
    }

    fn value(&mut self, cx: &mut RpcContext<'_>, k: usize, value: Variant) {
        let report = self.log.report();
        report.check("the number of a value", k, self.values_received.len());
        let received = Exact(value.clone());
        match self.values.get(k) {
            Some(expected) => report.check(&format!("value {k}"), &received, expected),
            None => report.fail(format!("unexpected value {k}: got {received:?}")),
        }
        self.values_received.push(received);
        self.log.answer(cx, "value", vec![Variant::Int(k as i64), value]);
    }
}

impl Node for Part {
    fn rpc_table() -> RpcTable<Self> {
        let int = |method: &'static str| {
            move |part: &mut Self, cx: &mut RpcContext<'_>, (n,): (i64,)| {
                part.log.record_and_answer(cx, part.place, method, vec![n.into()]);
            }
        };
        RpcTable::new()
            .method("order", RpcConfig::authority(), |part: &mut Self, cx, (tag,): (String,)| {
                part.log.record_and_answer(cx, part.place, "order", vec![tag.into()]);
            })
            .method("touch", RpcConfig::any_peer(), int("touch"))
            .callable("budge", int("budge"))
            .callable("nudge", int("nudge"))
    }
}

impl Part {
    pub(super) fn new(place: &'static str, log: SharedLog) -> Self {
        Self { place, log }
    }
}

impl Received {
    pub(super) fn new(
        place: &'static str,
        method: &'static str,
        sender: PeerId,
        args: impl IntoIterator<Item = impl Into<Variant>>,
    ) -> Self {
        Self { place, method, sender, args: args.into_iter().map(Exact::from).collect() }
    }

    /// Returns the arguments.
    pub(super) fn args(&self) -> Vec<Variant> {
        self.args.iter().map(|Exact(arg)| arg.clone()).collect()
    }

    /// Returns a call of `none()`.
    pub(super) fn none(sender: PeerId) -> Self {
        Self { place: "", method: "none", sender, args: vec![] }
    }
}

impl SharedLog {
    pub(super) fn new(report: Report, tap: TapLog) -> Self {
        Self(Rc::new(RefCell::new(Log { report, tap, received: Vec::new(), answering: true })))
    }

    /// Returns the calls received since the last `take`.
    pub(super) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.0.borrow_mut().received)
    }

    /// Returns the number of calls since the last [`take`](Self::take).
    pub(super) fn len(&self) -> usize {
        self.0.borrow().received.len()
    }

    pub(super) fn stop_answering(&self) {
        self.0.borrow_mut().answering = false;
    }

    fn report(&self) -> Report {
        self.0.borrow().report.clone()
    }

    fn record(&self, received: Received) {
        self.0.borrow_mut().received.push(received);
    }

    fn record_and_answer(
        &self,
        cx: &mut RpcContext<'_>,
        place: &'static str,
        method: &'static str,
        args: Vec<Variant>,
    ) {
        self.check_arrival(method, TransferMode::Reliable, 0);
        self.record(Received::new(place, method, cx.remote_sender(), args.iter().cloned()));
        self.answer(cx, method, args);
    }

    fn answer(&self, cx: &mut RpcContext<'_>, method: &str, args: Vec<Variant>) {
        if self.0.borrow().answering
            && let Err(error) = cx.reply(method, args)
        {
            self.report().fail(format!("the answer to {method}: {error}"));
        }
    }

    fn check_arrival(&self, method: &str, mode: TransferMode, channel: u8) {
        let tap = self.0.borrow().tap.clone();
        let (arrival, expected) = (tap.arrival(), tap.as_arriving(mode, channel));
        self.report().check(&format!("mode and channel of {method}"), arrival, expected);
    }
}

/// Parameter of type `Array[String]`.
struct Names(Array);

/// Parameter of type `Dictionary[String, int]`.
struct Ages(Dictionary);

impl FromVariant for Names {
    fn from_variant(value: Variant) -> Result<Self, FromVariantError> {
        value.to::<Array>()?.expect_type(&VariantType::String.into()).map(Self)
    }
}

impl FromVariant for Ages {
    fn from_variant(value: Variant) -> Result<Self, FromVariantError> {
        let (key, value_type) = (VariantType::String.into(), VariantType::Int.into());
        value.to::<Dictionary>()?.expect_type(&key, &value_type).map(Self)
    }
}
