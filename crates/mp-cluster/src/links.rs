//! [`Links`]: the gateways of a node on one side, of which those with something to do are visited.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::Instant;

use crate::gateway::{FarGateway, GatewayStats, NearGateway};
use crate::schedule::Schedule;

/// The gateways by their keys. One that neither changes nor is due is not visited.
#[derive(Debug)]
pub(crate) struct Links<K, G> {
    gateways: BTreeMap<K, G>,
    schedule: Schedule<K>,
    /// Gateways with messages for the program, or new capacity for messages of it, and those that
    /// have ended. The program takes them.
    active: BTreeSet<K>,
    visits: u64,
}

/// A [`NearGateway`] or a [`FarGateway`].
pub(crate) trait Gateway {
    fn handle_timeout(&mut self, now: Instant);
    fn poll_timeout(&self) -> Option<Instant>;
    fn has_capacity(&self) -> bool;
    fn has_messages(&self) -> bool;
    fn is_finished(&self) -> bool;
    fn stats(&self) -> GatewayStats;
}

macro_rules! gateway {
    ($type:ty) => {
        impl Gateway for $type {
            fn handle_timeout(&mut self, now: Instant) {
                self.handle_timeout(now);
            }

            fn poll_timeout(&self) -> Option<Instant> {
                self.poll_timeout()
            }

            fn has_capacity(&self) -> bool {
                self.has_capacity()
            }

            fn has_messages(&self) -> bool {
                self.has_messages()
            }

            fn is_finished(&self) -> bool {
                self.is_finished()
            }

            fn stats(&self) -> GatewayStats {
                self.stats()
            }
        }
    };
}

gateway!(NearGateway);
gateway!(FarGateway);

impl<K: Copy + Ord, G: Gateway> Links<K, G> {
    pub(crate) fn new() -> Self {
        let (gateways, schedule) = (BTreeMap::new(), Schedule::new());
        Self { gateways, schedule, active: BTreeSet::new(), visits: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.gateways.len()
    }

    pub(crate) fn insert(&mut self, key: K, gateway: G) {
        self.gateways.insert(key, gateway);
        self.schedule.change(key);
        self.active.insert(key);
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<G> {
        self.schedule.remove(key);
        self.active.remove(&key);
        self.gateways.remove(&key)
    }

    pub(crate) fn get(&self, key: K) -> Option<&G> {
        self.gateways.get(&key)
    }

    /// Returns a gateway that the program may change. It is visited next.
    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut G> {
        let gateway = self.gateways.get_mut(&key)?;
        self.schedule.change(key);
        Some(gateway)
    }

    /// Same as [`get_mut`](Self::get_mut), for changes of which the program does not know.
    pub(crate) fn get_active(&mut self, key: K) -> Option<&mut G> {
        let gateway = self.gateways.get_mut(&key)?;
        self.schedule.change(key);
        self.active.insert(key);
        Some(gateway)
    }

    /// Returns the keys of gateways that have changed since their last visit.
    pub(crate) fn changed(&self) -> impl Iterator<Item = K> {
        self.schedule.changed()
    }

    /// Changes the gateways that `is_of` selects.
    pub(crate) fn change_each(&mut self, is_of: impl Fn(K, &G) -> bool, change: impl Fn(&mut G)) {
        for (&key, gateway) in &mut self.gateways {
            if is_of(key, gateway) {
                change(gateway);
                self.schedule.change(key);
                self.active.insert(key);
            }
        }
    }

    /// Visits all gateways next.
    pub(crate) fn change_all(&mut self) {
        self.gateways.keys().for_each(|&key| self.schedule.change(key));
    }

    pub(crate) fn take_active(&mut self) -> BTreeSet<K> {
        std::mem::take(&mut self.active)
    }

    pub(crate) fn has_active(&self) -> bool {
        !self.active.is_empty()
    }

    /// Does what is due at `now`. Passes each visited gateway to `visited`, and removes those that
    /// are finished.
    pub(crate) fn handle_timeout(&mut self, now: Instant, mut visited: impl FnMut(K, &G)) {
        for key in self.schedule.visits(now) {
            self.visits += 1;
            let Some(gateway) = self.gateways.get_mut(&key) else { continue };
            let had_capacity = gateway.has_capacity();
            gateway.handle_timeout(now);
            let is_finished = gateway.is_finished();
            let has_capacity = !had_capacity && gateway.has_capacity();
            if is_finished || has_capacity || gateway.has_messages() {
                self.active.insert(key);
            }
            visited(key, gateway);
            if is_finished {
                self.gateways.remove(&key);
                self.schedule.remove(key);
            }
        }
    }

    /// Passes each gateway that has a frame to send, or may have one, to `send`, and schedules its
    /// next visit.
    pub(crate) fn transmit(&mut self, now: Instant, mut send: impl FnMut(&mut G)) {
        for key in self.schedule.visits(now) {
            self.visits += 1;
            let Some(gateway) = self.gateways.get_mut(&key) else { continue };
            let had_capacity = gateway.has_capacity();
            send(gateway);
            let has_capacity = !had_capacity && gateway.has_capacity();
            if has_capacity || gateway.has_messages() {
                self.active.insert(key);
            }
            let due = gateway.poll_timeout().or_else(|| gateway.is_finished().then_some(now));
            self.schedule.settle(key, due);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.schedule.poll_timeout()
    }

    /// Returns how often gateways were visited.
    pub(crate) fn visits(&self) -> u64 {
        self.visits
    }

    /// Adds the counters of all gateways.
    pub(crate) fn add_stats(&self, stats: &mut GatewayStats) {
        self.gateways.values().for_each(|gateway| stats.add(&gateway.stats()));
    }
}
