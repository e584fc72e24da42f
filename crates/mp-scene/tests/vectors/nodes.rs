//! Scripts of the recorded scenarios, as Rust nodes.

use std::cell::RefCell;
use std::rc::Rc;

use mp_scene::prelude::*;
use mp_scene::rpc::{FromArgs, IntoArgs};
use serde_json::Value;

/// An event at a peer.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Signal {
        peer: i32,
        name: String,
        args: Vec<i32>,
    },
    Bytes {
        peer: i32,
        what: &'static str,
        from: i32,
        hex: String,
    },
    Call {
        peer: i32,
        node: String,
        method: String,
        args: Vec<Variant>,
        sender: i32,
    },
    /// A signal of a spawner or synchronizer, or a call of a spawn function: its name in the
    /// recordings, and the node if recorded.
    Emitted {
        peer: i32,
        what: String,
        node: String,
    },
}

/// The events of all peers of a scenario, in order.
pub type Log = Rc<RefCell<Vec<Event>>>;

/// A node that records its calls.
pub struct Recorder {
    pub log: Log,
    pub peer: i32,
    pub label: String,
    /// Result of `multiplayer.get_remote_sender_id()` in a node of another branch: 0.
    pub foreign: bool,
}

impl Node for Recorder {}

impl Recorder {
    fn write(&self, method: &str, sender: PeerId, args: Vec<Variant>) {
        let sender = if self.foreign { 0 } else { sender.get() };
        let (node, method) = (self.label.clone(), method.to_owned());
        self.log.borrow_mut().push(Event::Call { peer: self.peer, node, method, args, sender });
    }
}

/// Creates a method that records its calls; `A` are its parameters.
fn method<A: FromArgs + IntoArgs>(
    name: &'static str,
) -> impl Fn(&mut Recorder, &mut RpcContext<'_>, A) {
    move |node, cx, args| node.write(name, cx.remote_sender(), args.into_args())
}

/// Any number of arguments of any type.
type Any = Vec<Variant>;

/// Returns the RPC table of a script in the recordings.
pub fn script(name: &str) -> RpcTable<Recorder> {
    let table = RpcTable::new();
    let any = RpcConfig::any_peer();
    match name {
        "rpc_node" => table
            .method("a_default", RpcConfig::authority(), method::<Any>("a_default"))
            .method("b_any_local", any.call_local(), method::<Any>("b_any_local"))
            .method(
                "c_any_unrel_ch3",
                any.unreliable().channel(3),
                method::<Any>("c_any_unrel_ch3"),
            )
            .method(
                "d_any_ord_ch2",
                any.unreliable_ordered().channel(2),
                method::<Any>("d_any_ord_ch2"),
            )
            .method(
                "e_auth_rel_ch1",
                RpcConfig::authority().channel(1),
                method::<Any>("e_auth_rel_ch1"),
            )
            .method("B_upper", any, method::<Any>("B_upper"))
            .callable("z_not_rpc", method::<Any>("z_not_rpc")),
        "other_rpc" => table.method("B_upper", any, method::<Any>("B_upper")).method(
            "other",
            any,
            method::<Any>("other"),
        ),
        "plain" => {
            table.callable("m_a", method::<Any>("m_a")).callable("m_b", method::<Any>("m_b"))
        }
        "derived_rpc" => ["base_m", "zz", "aa_derived", "_under", "Zed", "m10", "m2"]
            .into_iter()
            .fold(table, |table, name| table.method(name, any, method::<Any>(name)))
            .method("over", RpcConfig::authority(), method::<Any>("over(derived)")),
        "one_rpc" => table.method("b_any_remote", any, method::<Any>("b_any_remote")),
        "fixed_args" => table
            .method("two", any, method::<(Variant, Variant)>("two"))
            .method("typed", any, method::<(i64,)>("typed"))
            .method("deflt", any, |node: &mut Recorder, cx, (a, b): (Variant, Option<Variant>)| {
                let b = b.unwrap_or_else(|| 7.into());
                node.write("deflt", cx.remote_sender(), vec![a, b]);
            }),
        "fixed_local" => table.method("two", any.call_local(), method::<(Variant, Variant)>("two")),
        three_hundred if three_hundred.starts_with("300 methods") => (0..300)
            .map(|number| format!("r{number:03}").leak())
            .fold(table, |table, name| table.method(name, any, method::<Any>(name))),
        unknown => panic!("unknown script {unknown:?}"),
    }
}

/// Parses a config in `node_rpc_config` of a recording; `None` if it has no mode.
pub fn config(json: &Value) -> Option<RpcConfig> {
    let mut config = match json["rpc_mode"].as_str()? {
        "any_peer" => RpcConfig::any_peer(),
        "authority" => RpcConfig::authority(),
        "disabled" => RpcConfig::disabled(),
        unknown => panic!("unknown mode {unknown:?}"),
    };
    config.call_local = json["call_local"].as_bool().unwrap_or(false);
    config.channel = Channel(json["channel"].as_u64().unwrap_or(0) as u8);
    if let Some(mode) = json["transfer_mode"].as_str() {
        config.transfer_mode = super::world::mode(mode);
    }
    Some(config)
}
