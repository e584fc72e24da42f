//! Limits of received calls: the rate per peer, node and method, and the size of arguments.

use mp_core::{Instant, PeerId};
use rustc_hash::FxHashMap;

use super::super::Refusal;
use crate::limits::CALL_LIMITS_MAX;
use crate::rpc::{RpcConfig, TokenBucket};
use crate::tree::NodeId;

/// The rates of the calls of each peer.
#[derive(Debug, Default)]
pub(super) struct CallLimiter {
    buckets: FxHashMap<PeerId, FxHashMap<(NodeId, u16), TokenBucket>>,
}

impl CallLimiter {
    /// Checks a call of `method` of `node` with `size` bytes of arguments, and counts it towards
    /// its rate.
    pub(super) fn check(
        &mut self,
        now: Instant,
        from: PeerId,
        (node, method): (NodeId, u16),
        config: RpcConfig,
        size: usize,
    ) -> Result<(), Refusal> {
        if config.max_bytes.is_some_and(|max| size > max as usize) {
            return Err(Refusal::CallTooLarge);
        }
        let Some(rate) = config.rate else { return Ok(()) };
        let buckets = self.buckets.entry(from).or_default();
        if buckets.len() >= CALL_LIMITS_MAX && !buckets.contains_key(&(node, method)) {
            buckets.retain(|_, bucket| !bucket.is_full(now));
            if buckets.len() >= CALL_LIMITS_MAX {
                return Err(Refusal::CallRateExceeded);
            }
        }
        let bucket = buckets.entry((node, method)).or_insert_with(TokenBucket::new);
        if bucket.take(now, rate) { Ok(()) } else { Err(Refusal::CallRateExceeded) }
    }

    pub(super) fn remove_peer(&mut self, peer: PeerId) {
        self.buckets.remove(&peer);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rpc::RateLimit;
    use crate::tree::Tree;

    #[test]
    fn limits_in_use_by_one_peer_are_bounded() {
        let tree = Tree::new("/root").unwrap();
        let node = crate::tree::NodeTree::find(&tree, ".").unwrap();
        let config = RpcConfig::any_peer().rate(RateLimit::per_second(2));
        let (mut limiter, start) = (CallLimiter::default(), Instant::from_millis(5_000));
        let mut check = |now, peer, method| {
            let peer = PeerId::new(peer).unwrap();
            limiter.check(now, peer, (node, method), config, 0).is_ok()
        };
        let allowed = (0..1_000).filter(|&method| check(start, 2, method)).count();
        assert_eq!(allowed, CALL_LIMITS_MAX);
        assert!(check(start, 3, 999), "another peer has its own limits");
        assert!(check(start, 2, 0) && !check(start, 2, 0), "known limits go on");
        assert!(check(start + Duration::from_secs(1), 2, 999), "full buckets are dropped");
    }
}
