//! Remote procedure calls of the program.

use mp_core::{Target, Variant};

use super::paths::OutgoingCall;
use super::traffic::{Direction, TrafficCount};
use super::{RpcError, SceneMultiplayer};
use crate::api::{Call, RpcOutcome};
use crate::codec::EncodeError;
use crate::tree::{NodeId, NodeTree};

impl SceneMultiplayer {
    /// Sends a call of `method` of `node` to `target`. Returns the local call, too, if `target`
    /// includes the local peer and the method is `call_local`.
    pub(super) fn call(
        &mut self,
        tree: &mut dyn NodeTree,
        target: Target,
        node: NodeId,
        method: &str,
        args: Vec<Variant>,
    ) -> Result<RpcOutcome, RpcError> {
        let ids = tree.rpc_ids(node).ok_or(RpcError::NotInTree)?;
        if !self.session.is_in_session() {
            return Err(RpcError::NotConnected);
        }
        let Some((number, config)) = ids.by_name(method) else {
            let path = tree.path_of(node).ok_or(RpcError::NotInTree)?;
            return Err(RpcError::NoSuchMethod { method: method.to_owned(), path });
        };
        self.sender.record_call();
        let own = self.session.unique_id();
        if target == Target::Peer(own) && !config.call_local {
            return Err(RpcError::NotCallLocal { method: method.to_owned() });
        }
        let is_local = config.call_local && target.includes(own);

        let local_args = if is_local { args.clone() } else { Vec::new() };
        let sent = if target == Target::Peer(own) {
            Ok(())
        } else {
            let call = OutgoingCall::new(node, &ids, number, config);
            self.send_call(tree, target, method, &call, args)
        };
        let local =
            is_local.then(|| Call { node, method: method.into(), args: local_args, sender: own });
        Ok(RpcOutcome { sent, local })
    }

    fn send_call(
        &mut self,
        tree: &mut dyn NodeTree,
        target: Target,
        method: &str,
        call: &OutgoingCall<'_>,
        args: Vec<Variant>,
    ) -> Result<(), RpcError> {
        if args.len() > usize::from(u8::MAX) {
            return Err(EncodeError::TooManyArguments(args.len()).into());
        }
        // Excluding an unknown peer is an error, too.
        if let Target::Peer(peer) | Target::AllExcept(peer) = target
            && !self.sender.routes().contains(peer)
        {
            return Err(RpcError::UnknownPeer(peer));
        }
        let mut peers =
            self.replicating(self.clock.now(), tree, |it, cx| it.callees(cx, call.node, target));
        if peers.is_empty() {
            if let Target::Peer(peer) = target {
                return Err(RpcError::NotVisible(peer));
            }
            return Ok(());
        }
        let routes = self.sender.routes();
        let kept: Vec<_> = peers.extract_if(.., |&mut peer| routes.is_kept(peer)).collect();
        if !kept.is_empty() {
            self.call_kept(tree, &kept, method, call, &args)?;
            if peers.is_empty() {
                return Ok(());
            }
        }
        let method = (call.node, call.number);
        let bytes = self.paths.send_call(&mut self.sender, tree, &peers, call, args)?;
        if let Some(accounts) = self.traffic.accounts() {
            accounts.count_call(
                tree,
                Direction::Sent,
                method,
                TrafficCount::of(peers.len(), bytes),
            );
        }
        Ok(())
    }
}
