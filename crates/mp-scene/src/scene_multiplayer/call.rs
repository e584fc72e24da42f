//! Calls of methods on other peers.

use mp_core::{PeerId, Prefix, Target, Variant};

use super::sender::SendOptions;
use super::{RpcError, SceneMultiplayer};
use crate::SceneMessage;
use crate::api::{Call, Called};
use crate::codec::EncodeError;
use crate::message::{CallNode, RemoteCall};
use crate::rpc::RpcConfig;
use crate::tree::{NodeId, NodeTree};

impl SceneMultiplayer {
    /// Calls `method` of `node` on `target`.
    pub(super) fn call(
        &mut self,
        tree: &mut dyn NodeTree,
        target: Target,
        node: NodeId,
        method: &str,
        args: Vec<Variant>,
    ) -> Result<Called, RpcError> {
        let ids = tree.rpc_ids(node).ok_or(RpcError::NotInTree)?;
        if !self.session.is_in_session() {
            return Err(RpcError::NotConnected);
        }
        let path = tree.path_of(node).ok_or(RpcError::NotInTree)?;
        let Some((number, config)) = ids.by_name(method) else {
            return Err(RpcError::NoSuchMethod { method: method.to_owned(), path });
        };
        self.sender.note_call();
        let own = self.session.unique_id();
        if target == Target::Peer(own) && !config.call_local {
            return Err(RpcError::NotCallLocal { method: method.to_owned() });
        }
        let at_home = config.call_local && target.includes(own);

        let args_at_home = if at_home { args.clone() } else { Vec::new() };
        let sent = if target == Target::Peer(own) {
            Ok(())
        } else {
            let call = OutgoingCall { node, path, checksum: ids.checksum(), number, config };
            self.send_call(tree, target, call, args)
        };
        let local =
            at_home.then(|| Call { node, method: method.into(), args: args_at_home, sender: own });
        Ok(Called { sent, local })
    }

    fn send_call(
        &mut self,
        tree: &mut dyn NodeTree,
        target: Target,
        call: OutgoingCall<'_>,
        args: Vec<Variant>,
    ) -> Result<(), RpcError> {
        if args.len() > usize::from(u8::MAX) {
            return Err(EncodeError::TooManyArguments(args.len()).into());
        }
        // A peer that is excluded must be known too.
        if let Target::Peer(peer) | Target::AllExcept(peer) = target
            && !self.sender.routes().contains(peer)
        {
            return Err(RpcError::UnknownPeer(peer));
        }
        let peers = self.callees(tree, call.node, target);
        if peers.is_empty() {
            if let Target::Peer(peer) = target {
                return Err(RpcError::NotVisible(peer));
            }
            return Ok(());
        }
        let OutgoingCall { node, path, checksum, number, config } = call;
        let id = self.own_paths.id_of(node);
        for &peer in &peers {
            if self.own_paths.note_announced(peer, id, node) {
                let path = path.clone();
                let simplify = SceneMessage::SimplifyPath { id, checksum: *checksum, path };
                self.sender.send_message(&simplify, peer);
            }
        }

        let options = SendOptions { mode: config.transfer_mode, channel: config.channel };
        let confirmed = |peer: &PeerId| self.own_paths.is_confirmed(*peer, id);
        let all_confirmed = peers.iter().all(confirmed);
        let runs: Vec<(bool, Vec<PeerId>)> = peers
            .chunk_by(|a, b| confirmed(a) == confirmed(b))
            .map(|run| (confirmed(&run[0]), run.to_vec()))
            .collect();
        // One form for those who know the number, one with the path for the others; each encoded once.
        let mut args = args;
        let (mut by_id, mut by_path) = (None, None);
        for (knows, run) in runs {
            let form = if knows { &mut by_id } else { &mut by_path };
            let packet = match form {
                Some(packet) => packet,
                None => {
                    let node = if knows {
                        CallNode::Id { id, wide: !all_confirmed }
                    } else {
                        CallNode::Path(path.clone())
                    };
                    let call = RemoteCall { node, method: number, args, complete: true };
                    let message = SceneMessage::RemoteCall(call);
                    let packet = self.sender.wire().try_encode(&message)?;
                    let SceneMessage::RemoteCall(call) = message else { unreachable!() };
                    args = call.args;
                    form.insert(packet)
                }
            };
            let packet = packet.clone();
            self.sender.send_packet(&run, options, Prefix::EMPTY, &packet);
        }
        Ok(())
    }
}

/// A call that is about to be sent.
struct OutgoingCall<'a> {
    node: NodeId,
    path: String,
    checksum: &'a [u8; 32],
    number: u16,
    config: RpcConfig,
}
