//! The decoder of a connection, sans-IO.

mod display;
mod message;
pub(crate) mod paths;
mod replication;
mod spawned;

use std::rc::Rc;

use bytes::Bytes;
use mp_core::PeerId;
use mp_scene::codec::{DecodeError, Limits};
use mp_scene::{CallNode, Codec, ConfirmedNode, RemoteCall, SceneMessage};

pub use self::message::{
    DecodedArgument, DecodedCall, DecodedElement, DecodedPacket, DecodedProperties, NodeName,
    SpawnedFrom, WireMessage,
};
use self::paths::{AnnouncedNode, PathTable, Sender};
use self::spawned::SpawnedNodes;
use crate::Direction;
use crate::limits::ALLOCATION_MAX;
use crate::names::ProjectNames;

/// Decodes the packets of one client's connection, in both directions.
///
/// It follows announced node paths and spawned nodes, so that later packets show paths and names.
/// Memory is bounded by [`limits`](crate::limits): nodes beyond are shown by their ids and counted.
#[derive(Debug)]
pub struct WireDecoder {
    codec: Codec,
    limits: Limits,
    names: Option<Rc<ProjectNames>>,
    paths: PathTable,
    spawned: SpawnedNodes,
    stats: DecoderStats,
}

/// Counters of a decoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecoderStats {
    /// Malformed packets, and packets with malformed arguments or properties.
    pub malformed: u64,
    /// Announced or spawned nodes that did not fit into a table.
    pub not_kept: u64,
}

impl WireDecoder {
    /// Returns a decoder of a connection whose packets have not been observed yet. `names` are
    /// those of the game's project.
    pub fn new(names: Option<Rc<ProjectNames>>) -> Self {
        Self {
            codec: Codec::default(),
            limits: Limits { allocation: ALLOCATION_MAX, ..Limits::default() },
            names,
            paths: PathTable::default(),
            spawned: SpawnedNodes::default(),
            stats: DecoderStats::default(),
        }
    }

    /// Returns the counters.
    pub fn stats(&self) -> DecoderStats {
        self.stats
    }

    /// Returns the names of all methods of the script whose checksum the client has announced for
    /// `path`; `None` if the project has no such script.
    pub fn method_names(&self, path: &Rc<str>) -> Option<Vec<Rc<str>>> {
        let checksum = self.paths.checksum(Sender::Client, path)?;
        let script = self.names.as_ref()?.script(checksum)?;
        Some(script.methods().iter().map(|method| Rc::clone(&method.name)).collect())
    }

    /// Decodes the next packet of a direction.
    pub fn decode(&mut self, direction: Direction, payload: &Bytes) -> DecodedPacket {
        let sender = match direction {
            Direction::ToServer => Sender::Client,
            Direction::ToClient => Sender::Peer(PeerId::SERVER),
        };
        let message = self.codec.decode(payload, &self.limits);
        let packet = match message {
            Ok(SceneMessage::Relay { peer, inner }) => {
                let sender = match direction {
                    Direction::ToServer => Some(Sender::Client),
                    Direction::ToClient => PeerId::new(peer).map(Sender::Peer),
                };
                let message = match (sender, self.codec.decode(&inner, &self.limits)) {
                    (None, _) => malformed(DecodeError::PeerId(peer), &inner),
                    (_, Ok(SceneMessage::Relay { .. })) => {
                        malformed(DecodeError::Invalid("RELAY within a RELAY"), &inner)
                    }
                    (Some(sender), Ok(message)) => self.message(sender, message, Some(peer)),
                    (_, Err(error)) => malformed(error, &inner),
                };
                DecodedPacket { relay: Some(peer), message }
            }
            Ok(message) => {
                DecodedPacket { relay: None, message: self.message(sender, message, None) }
            }
            Err(error) => DecodedPacket { relay: None, message: malformed(error, payload) },
        };
        if packet.has_malformed_part() {
            self.stats.malformed += 1;
        }
        packet
    }

    /// Handles the content of a packet, which the server relays for `relay` or to it.
    fn message(
        &mut self,
        sender: Sender,
        message: SceneMessage,
        relay: Option<i32>,
    ) -> WireMessage {
        match message {
            SceneMessage::RemoteCall(call) => WireMessage::Call(self.call(sender, call)),
            SceneMessage::SimplifyPath { id, checksum, path } => {
                let path: Rc<str> = path.into();
                let script = self.names.as_ref().and_then(|names| names.script(&checksum));
                let script = script.map(|script| script.path.as_str().into());
                let node = AnnouncedNode { path: Rc::clone(&path), checksum };
                if !self.paths.insert(sender, id, node) {
                    self.stats.not_kept += 1;
                }
                WireMessage::Announce { id, path, script }
            }
            SceneMessage::ConfirmPath { node, checksum_ok } => {
                let node = match node {
                    ConfirmedNode::Id(id) => self.confirmed(sender, relay, id),
                    ConfirmedNode::Path(path) => NodeName::Path(path.into()),
                };
                WireMessage::Confirm { node, checksum_ok }
            }
            SceneMessage::Raw(bytes) => WireMessage::Raw(bytes),
            SceneMessage::Spawn(spawn) => self.spawn(sender, spawn),
            SceneMessage::Despawn(net_id) => {
                WireMessage::Despawn { net_id, path: self.spawned.remove(sender, net_id) }
            }
            SceneMessage::Sync { time, elements } => match self.sync(sender, elements.clone()) {
                Ok(elements) => WireMessage::Sync { time, elements },
                Err(error) => malformed(error, &elements),
            },
            SceneMessage::Delta(elements) => match self.delta(sender, elements.clone()) {
                Ok(elements) => WireMessage::Delta(elements),
                Err(error) => malformed(error, &elements),
            },
            SceneMessage::Auth(bytes) => WireMessage::Auth(bytes.len()),
            SceneMessage::AddPeer(peer) => WireMessage::AddPeer(peer),
            SceneMessage::DelPeer(peer) => {
                // Only the server announces that a client has left.
                if sender == Sender::Peer(PeerId::SERVER) && relay.is_none() {
                    self.paths.forget(Sender::Peer(peer));
                    self.spawned.forget(Sender::Peer(peer));
                }
                WireMessage::DelPeer(peer)
            }
            other => {
                let error = DecodeError::Invalid("message");
                debug_assert!(false, "{other:?}");
                malformed(error, &Bytes::new())
            }
        }
    }

    fn call(&self, sender: Sender, call: RemoteCall) -> DecodedCall {
        let (node, checksum) = match call.node {
            CallNode::Id { id, .. } => match self.paths.get(sender, id) {
                Some(node) => (NodeName::Path(Rc::clone(&node.path)), Some(&node.checksum)),
                None => (NodeName::Id(id), None),
            },
            CallNode::Path(path) => {
                let path = path.into();
                let checksum = self.paths.checksum(sender, &path);
                (NodeName::Path(path), checksum)
            }
        };
        let names = self.names.as_deref();
        let script = checksum.zip(names).and_then(|(checksum, names)| names.script(checksum));
        let method = script.and_then(|script| script.method(call.method));
        let args = call.args.into_iter().enumerate().map(|(index, value)| {
            let name = method.and_then(|method| method.argument(index)).cloned();
            let is_masked = method.is_some_and(|method| method.is_secret(index));
            DecodedArgument { name, value, is_masked }
        });
        DecodedCall {
            node,
            method: call.method,
            method_name: method.map(|method| Rc::clone(&method.name)),
            args: args.collect(),
            complete: call.complete,
        }
    }

    /// Returns the node whose id `sender` confirms. The id belongs to the receiver.
    fn confirmed(&self, sender: Sender, relay: Option<i32>, id: u32) -> NodeName {
        let receiver = match sender {
            Sender::Client => PeerId::new(relay.unwrap_or(PeerId::SERVER.get())).map(Sender::Peer),
            Sender::Peer(_) => Some(Sender::Client),
        };
        match receiver.and_then(|receiver| self.paths.get(receiver, id)) {
            Some(node) => NodeName::Path(Rc::clone(&node.path)),
            None => NodeName::Id(id),
        }
    }
}

fn malformed(error: DecodeError, bytes: &Bytes) -> WireMessage {
    WireMessage::Malformed { error, bytes: bytes.clone() }
}

impl DecodedPacket {
    fn has_malformed_part(&self) -> bool {
        let is_malformed = |element: &DecodedElement| element.properties.malformed_bytes > 0;
        match &self.message {
            WireMessage::Malformed { .. } => true,
            WireMessage::Call(call) => !call.complete,
            WireMessage::Spawn { state, .. } => state.malformed_bytes > 0,
            WireMessage::Sync { elements, .. } | WireMessage::Delta(elements) => {
                elements.iter().any(is_malformed)
            }
            _ => false,
        }
    }
}
