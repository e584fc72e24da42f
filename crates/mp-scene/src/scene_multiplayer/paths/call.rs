//! Sending calls.

use std::cell::OnceCell;

use mp_core::{PeerId, Prefix, Variant, bug};

use super::super::sender::{SendOptions, Sender};
use super::Paths;
use crate::SceneMessage;
use crate::codec::EncodeError;
use crate::message::{CallNode, RemoteCall};
use crate::rpc::{RpcConfig, RpcIds};
use crate::tree::{NodeId, NodeTree};

/// A call to send.
pub(crate) struct OutgoingCall<'a> {
    pub(crate) node: NodeId,
    checksum: &'a [u8; 32],
    pub(crate) number: u16,
    pub(crate) config: RpcConfig,
    /// The path of the node, once it was needed. Most peers know the node by its path id.
    path: OnceCell<String>,
}

impl<'a> OutgoingCall<'a> {
    /// Returns a call of the method `number` of `node`, whose methods are `ids`.
    pub(crate) fn new(node: NodeId, ids: &'a RpcIds, number: u16, config: RpcConfig) -> Self {
        Self { node, checksum: ids.checksum(), number, config, path: OnceCell::new() }
    }

    /// Returns the path of the node.
    pub(crate) fn path(&self, tree: &dyn NodeTree) -> &str {
        self.path.get_or_init(|| {
            tree.path_of(self.node).unwrap_or_else(|| {
                bug!("{:?} has RPC ids, but no path", self.node);
                String::new()
            })
        })
    }
}

impl Paths {
    /// Sends a call to `peers`: with the path id to those that have confirmed it, and with the path
    /// to the others. Returns the sum of the bytes.
    pub(crate) fn send_call(
        &mut self,
        sender: &mut Sender,
        tree: &dyn NodeTree,
        peers: &[PeerId],
        call: &OutgoingCall<'_>,
        mut args: Vec<Variant>,
    ) -> Result<usize, EncodeError> {
        let &OutgoingCall { node, checksum, number, config, .. } = call;
        let id = self.own.id_of(node);
        // The state of each peer is looked up only if they differ.
        let by_every_peer = self.own.is_confirmed_by_all(id);
        let unannounced = if by_every_peer { &[] } else { peers };
        for &peer in unannounced {
            if self.own.record_announced(peer, id, node) {
                let path = call.path(tree).to_owned();
                let simplify = SceneMessage::SimplifyPath { id, checksum: *checksum, path };
                sender.send_message(&simplify, peer);
            }
        }

        let options = SendOptions { mode: config.transfer_mode, channel: config.channel };
        let confirmed = |peer: &PeerId| by_every_peer || self.own.is_confirmed(*peer, id);
        if let &[peer] = peers {
            let node = if confirmed(&peer) {
                CallNode::Id { id, wide: false }
            } else {
                CallNode::Path(call.path(tree).to_owned())
            };
            let remote = RemoteCall { node, method: number, args, complete: true };
            let packet = sender.wire().encode(&SceneMessage::RemoteCall(remote))?;
            let sent = packet.len();
            // Moved, not shared.
            sender.send_to(peer, options, Prefix::EMPTY, packet);
            return Ok(sent);
        }
        let all_confirmed = peers.iter().all(confirmed);
        // Each form is encoded at most once.
        let (mut by_id, mut by_path) = (None, None);
        let mut sent = 0;
        for run in peers.chunk_by(|a, b| confirmed(a) == confirmed(b)) {
            let is_confirmed = confirmed(&run[0]);
            let form = if is_confirmed { &mut by_id } else { &mut by_path };
            let packet = match form {
                Some(packet) => packet,
                None => {
                    let node = if is_confirmed {
                        CallNode::Id { id, wide: !all_confirmed }
                    } else {
                        CallNode::Path(call.path(tree).to_owned())
                    };
                    let remote = RemoteCall { node, method: number, args, complete: true };
                    let message = SceneMessage::RemoteCall(remote);
                    let packet = sender.wire().encode(&message)?;
                    let SceneMessage::RemoteCall(remote) = message else { unreachable!() };
                    args = remote.args;
                    form.insert(packet)
                }
            };
            let packet = packet.clone();
            sent += run.len() * packet.len();
            sender.send_packet(run, options, Prefix::EMPTY, &packet);
        }
        Ok(sent)
    }
}
