//! Calls of methods on local nodes, which are checked out of the tree meanwhile.

use std::any::Any;

use mp_core::ErrorChain;

use super::{NodeContext, RpcContext, Scene};
use crate::api::Call;
use crate::limits::BUSY_NODE_CALLS_MAX;
use crate::rpc::MethodCallError;
use crate::tree::{CheckedOut, Node, NodeId, NodeRef, TreeError};

impl Scene {
    /// Makes a received call, when changes were flushed. A call that does not fit the method is
    /// dropped and counted, as in Godot.
    pub(crate) fn call_remote(&mut self, call: Call) {
        let (node, sender, method) = (call.node, call.sender, call.method.clone());
        let result = self.run_flushed(call);
        self.run_deferred(node);
        if let Err(error) = result {
            let error = ErrorChain::new(&error);
            tracing::debug!(%sender, %method, %error, "dropped a call");
            self.failed_calls += 1;
        }
    }

    pub(super) fn call(&mut self, call: Call) -> Result<(), MethodCallError> {
        let node = call.node;
        let result = self.run(call);
        self.run_deferred(node);
        result
    }

    /// Runs `run` with the object of `node`, then the calls that were deferred meanwhile.
    pub(super) fn with_node<N: Node, R>(
        &mut self,
        node: NodeId,
        run: impl FnOnce(&mut N, &mut NodeContext<'_>) -> R,
    ) -> Result<R, TreeError> {
        // Reports a wrong type before anything is checked out.
        self.tree.get(NodeRef::<N>::new(node))?;
        self.flush_changes();
        let result = self.with_checked_out(node, |scene, out| {
            let object: &mut dyn Any = &mut *out.object;
            object.downcast_mut().map(|object| run(object, &mut NodeContext::new(scene, node)))
        })?;
        self.run_deferred(node);
        result.ok_or_else(|| self.tree.wrong_type(NodeRef::<N>::new(node)))
    }

    fn run(&mut self, call: Call) -> Result<(), MethodCallError> {
        // The properties of a node that is checked out cannot be read, so flush changes first.
        self.flush_changes();
        self.run_flushed(call)
    }

    fn run_flushed(&mut self, call: Call) -> Result<(), MethodCallError> {
        if self.tree.is_checked_out(call.node) && self.deferred.len() < BUSY_NODE_CALLS_MAX {
            self.deferred.push_back(call);
            return Ok(());
        }
        self.with_checked_out(call.node, |scene, out| scene.run_method(out, call))
            .unwrap_or(Err(MethodCallError::NodeUnavailable))
    }

    /// Checks a node out while `run` runs.
    pub(super) fn with_checked_out<R>(
        &mut self,
        node: NodeId,
        run: impl FnOnce(&mut Self, &mut CheckedOut) -> R,
    ) -> Result<R, TreeError> {
        let mut out = self.tree.check_out(node)?;
        let result = run(self, &mut out);
        // A node that the method removed is dropped with `out`; run its deferred calls now.
        while !self.tree.contains(node)
            && let Some(deferred) = self.pop_deferred(node)
        {
            let method = deferred.method.clone();
            let result = self.run_method(&mut out, deferred);
            self.record_deferred(&method, result);
        }
        self.tree.check_in(out);
        Ok(result)
    }

    fn run_method(&mut self, out: &mut CheckedOut, call: Call) -> Result<(), MethodCallError> {
        let method = out.method(&call.method).ok_or(MethodCallError::NotImplemented)?;
        let caller = self.remote_sender.replace(call.sender);
        let mut cx = RpcContext::new(NodeContext::new(self, call.node), call.sender);
        let result = method(&mut *out.object, &mut cx, call.args);
        self.remote_sender = caller;
        result
    }

    /// Runs the calls that were deferred while `node` was checked out, unless it still is.
    pub(super) fn run_deferred(&mut self, node: NodeId) {
        while !self.deferred.is_empty()
            && self.tree.is_checked_in(node)
            && let Some(deferred) = self.pop_deferred(node)
        {
            let method = deferred.method.clone();
            let result = self.run(deferred);
            self.record_deferred(&method, result);
        }
    }

    /// Removes and returns the oldest call that is deferred until a method of `node` returns.
    fn pop_deferred(&mut self, node: NodeId) -> Option<Call> {
        let index = self.deferred.iter().position(|deferred| deferred.node == node)?;
        self.deferred.remove(index)
    }

    fn record_deferred(&mut self, method: &str, result: Result<(), MethodCallError>) {
        if let Err(error) = result {
            let error = ErrorChain::new(&error);
            tracing::debug!(%method, %error, "dropped a deferred call");
            self.failed_calls += 1;
        }
    }
}
