//! The protocol of a client that calls the node, or is called.

use bytes::{Bytes, BytesMut};
use mp_core::Variant;
use mp_core::variant::Vector3;
use mp_scene::codec::{Codec, Limits, Objects};
use mp_scene::rpc::{RpcConfig, RpcIds};
use mp_scene::{CallNode, ConfirmedNode, RemoteCall, SceneMessage};

/// State of a client.
#[derive(Debug, Default)]
pub(super) struct Caller {
    /// True if the server was sent the path of the node.
    is_announced: bool,
    /// True if the server has confirmed the path, or has called.
    is_ready: bool,
    calls: i64,
    /// The last tick received.
    newest: i64,
    received: u64,
    /// Received ticks of the measured phase.
    measured: u64,
}

impl Caller {
    pub(super) const fn is_ready(&self) -> bool {
        self.is_ready
    }

    pub(super) const fn newest(&self) -> i64 {
        self.newest
    }

    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    pub(super) const fn measured(&self) -> u64 {
        self.measured
    }

    /// Returns the packet that announces the path of the node, once.
    pub(super) fn announce(&mut self) -> Option<Bytes> {
        if std::mem::replace(&mut self.is_announced, true) {
            return None;
        }
        let config = RpcConfig::any_peer();
        let ids = RpcIds::of_methods([("hit", config), ("tick", config)]);
        let (checksum, path) = (*ids.checksum(), "Game".to_owned());
        Some(encode(&SceneMessage::SimplifyPath { id: NODE, checksum, path }))
    }

    /// Returns the packet of the next call.
    pub(super) fn call(&mut self) -> Bytes {
        self.calls += 1;
        let position = Vector3 { x: 1.5, y: 0.0, z: -7.25 };
        let args = vec![Variant::from(self.calls), position.into(), Variant::from("jump")];
        let node = CallNode::Id { id: NODE, wide: false };
        encode(&SceneMessage::RemoteCall(RemoteCall { node, method: HIT, args, complete: true }))
    }

    /// Handles a packet of the server. `measured` are the ticks before the first and at the end of
    /// the measured phase. Returns the answer.
    pub(super) fn receive(
        &mut self,
        packet: &Bytes,
        measured: [Option<i64>; 2],
    ) -> Result<Option<Bytes>, String> {
        let message = Codec::default().decode(packet, &Limits::default());
        match message.map_err(|error| error.to_string())? {
            SceneMessage::SimplifyPath { id, .. } => {
                let node = ConfirmedNode::Id(id);
                Ok(Some(encode(&SceneMessage::ConfirmPath { node, checksum_ok: true })))
            }
            SceneMessage::ConfirmPath { checksum_ok: true, .. } => {
                self.is_ready = true;
                Ok(None)
            }
            SceneMessage::RemoteCall(RemoteCall { method: TICK, args, .. }) => {
                let [Variant::Int(tick)] = args[..] else {
                    return Err("a call with other arguments".to_owned());
                };
                self.is_ready = true;
                self.received += 1;
                let [first, last] = measured;
                if first.is_some_and(|first| tick > first) && last.is_none_or(|last| tick <= last) {
                    self.measured += 1;
                }
                self.newest = self.newest.max(tick);
                Ok(None)
            }
            _ => Err("a packet that was not expected".to_owned()),
        }
    }
}

fn encode(message: &SceneMessage) -> Bytes {
    let mut packet = BytesMut::new();
    let encoded = Codec::default().encode(message, Objects::Ids, &mut packet);
    encoded.expect("the message can be encoded");
    packet.freeze()
}

/// The client's number of the node.
const NODE: u32 = 1;
/// Numbers of the methods, which are sorted by name.
const HIT: u16 = 0;
const TICK: u16 = 1;
