//! The turns of gateways visit the links with something to do, and no others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use mp_cluster::limits::{BATCH_BYTES_MAX, BEAT_INTERVAL, QUEUED_BATCHES_MAX, WINDOW_FRAMES};
use mp_cluster::{ClusterId, ClusterNodeId, Epoch, FarLink, GatewayEnd, Gateways, LinkId};
use mp_core::{BranchId, EndpointId, Instant, Rng, ToBranch, ToEndpoint, TransferMode};
use mp_rooms::RoomName;

use crate::pair::{BRANCH, FAR, NEAR, connected, info, outgoing, packet};

/// Two nodes with many rooms on the far one, each with a link.
struct Nodes {
    now: Instant,
    near: Gateways,
    far: Gateways,
    /// True if each turn visits all links.
    visits_all: bool,
    epoch: Option<Epoch>,
    links: Vec<LinkId>,
    /// Messages that the gateways have not accepted.
    of_endpoints: BTreeMap<LinkId, VecDeque<ToBranch>>,
    of_branches: BTreeMap<FarLink, VecDeque<ToEndpoint>>,
    /// Links whose endpoint or branch has sent a message since their last visit.
    ready_near: BTreeSet<LinkId>,
    ready_far: BTreeSet<FarLink>,
    /// True while endpoints and branches accept nothing.
    is_stalled: bool,
    bus: Vec<(ClusterNodeId, Bytes)>,
    /// Everything that was delivered.
    log: Vec<String>,
}

impl Nodes {
    fn new(links: u32, visits_all: bool) -> Self {
        let gateways = |node| Gateways::new(ClusterId::named("test"), node, EndpointId(900));
        let mut nodes = Self {
            now: Instant::from_millis(1_000),
            near: gateways(NEAR).holding(),
            far: gateways(FAR),
            visits_all,
            epoch: Some(Epoch::new(1)),
            links: Vec::new(),
            of_endpoints: BTreeMap::new(),
            of_branches: BTreeMap::new(),
            ready_near: BTreeSet::new(),
            ready_far: BTreeSet::new(),
            is_stalled: false,
            bus: Vec::new(),
            log: Vec::new(),
        };
        for number in 0..links {
            let (room, owner) = (name(number), (FAR, Epoch::new(1)));
            let branch = BranchId(BRANCH.0 + number);
            let link = nodes.near.open(nodes.now, room, owner, branch).unwrap();
            let opened = ToBranch::Opened(EndpointId(3), info());
            let events = ToBranch::Events(EndpointId(3), vec![connected(0)]);
            nodes.links.push(link);
            nodes.push_near(link, opened);
            nodes.push_near(link, events);
        }
        nodes
    }

    fn push_near(&mut self, link: LinkId, message: ToBranch) {
        self.of_endpoints.entry(link).or_default().push_back(message);
        self.ready_near.insert(link);
    }

    fn push_far(&mut self, link: FarLink, message: ToEndpoint) {
        if let Some(mail) = self.of_branches.get_mut(&link) {
            mail.push_back(message);
            self.ready_far.insert(link);
        }
    }

    /// Runs a turn of both nodes. Frames that `is_lost` selects by their number do not arrive.
    fn turn(&mut self, step: Duration, is_lost: impl Fn(usize) -> bool) {
        self.now += step;
        for (number, (to, bytes)) in std::mem::take(&mut self.bus).into_iter().enumerate() {
            let (now, epoch) = (self.now, self.epoch);
            let node = if to == NEAR { &mut self.near } else { &mut self.far };
            if !is_lost(number) {
                node.handle_frame(now, &bytes, |_| epoch);
            }
        }
        self.exchange_near();
        self.exchange_far();
        let (bus, epoch) = (&mut self.bus, self.epoch);
        for node in [&mut self.near, &mut self.far] {
            if self.visits_all {
                node.visit_all();
            }
            node.handle_timeout(self.now);
            node.transmit(self.now, |_| epoch, |to, bytes| bus.push((to, bytes)));
        }
    }

    fn exchange_near(&mut self) {
        let mut visited = self.near.take_active_near();
        visited.append(&mut self.ready_near);
        if self.visits_all {
            visited.extend(&self.links);
        }
        for link in visited {
            let Some(near) = self.near.near_mut(link) else { continue };
            let mail = self.of_endpoints.entry(link).or_default();
            while near.has_capacity()
                && let Some(message) = mail.pop_front()
            {
                near.handle_message(message);
            }
            let (log, is_stalled) = (&mut self.log, self.is_stalled);
            near.deliver(&mut |message| match is_stalled {
                true => Err(message),
                false => {
                    log.push(short(&format!("{link:?} {message:?}")));
                    Ok(())
                }
            });
            if near.has_capacity() && self.of_endpoints.get(&link).is_some_and(|it| !it.is_empty())
            {
                self.ready_near.insert(link);
            }
        }
    }

    fn exchange_far(&mut self) {
        while let Some((link, _)) = self.far.next_opened() {
            self.of_branches.entry(link).or_default();
        }
        let mut visited = self.far.take_active_far();
        visited.append(&mut self.ready_far);
        if self.visits_all {
            visited.extend(self.of_branches.keys());
        }
        for link in visited {
            let Some(far) = self.far.far_mut(link) else { continue };
            if far.poll_opening().is_none() {
                continue;
            }
            let mail = self.of_branches.entry(link).or_default();
            while far.has_capacity()
                && let Some(message) = mail.pop_front()
            {
                far.handle_message(message);
            }
            let (log, is_stalled) = (&mut self.log, self.is_stalled);
            far.deliver(&mut |message| match is_stalled {
                true => Err(message),
                false => {
                    log.push(short(&format!("{link:?} {message:?}")));
                    Ok(())
                }
            });
            if far.has_capacity() && self.of_branches.get(&link).is_some_and(|it| !it.is_empty()) {
                self.ready_far.insert(link);
            }
        }
    }

    fn visits(&self) -> u64 {
        self.near.stats().visits + self.far.stats().visits
    }
}

fn name(number: u32) -> RoomName {
    RoomName::new(&format!("room-{number}")).unwrap()
}

/// Returns the kind of a message, its length and its last packet.
fn short(message: &str) -> String {
    let end = message.len().saturating_sub(40);
    format!("{} … {} {}", &message[..message.len().min(90)], message.len(), &message[end..])
}

/// Does something at random, equally in each of the worlds.
fn act(rng: &mut Rng, worlds: &mut [Nodes; 2]) {
    let index = rng.below(worlds[0].links.len() as u64) as usize;
    let (kind, count, text) = (rng.below(100), rng.below(4), rng.below(1_000).to_string());
    let mode = TransferMode::ALL[rng.below(3) as usize];
    for nodes in worlds {
        let link = nodes.links[index];
        let far_link = (NEAR, link);
        match kind {
            0..40 => {
                let events = (0..count).map(|_| packet(0, mode, &text)).collect();
                let events = ToBranch::Events(EndpointId(3), events);
                nodes.push_near(link, events);
            }
            40..80 => {
                let packets = (0..count).map(|_| outgoing(0, &text)).collect();
                nodes.push_far(far_link, ToEndpoint::Send(packets));
            }
            80..90 => nodes.is_stalled = !nodes.is_stalled,
            90..93 => {
                if let Some(near) = nodes.near.near_mut(link) {
                    near.end(GatewayEnd::DataLost);
                    // The program visits a link that it has changed.
                    nodes.ready_near.insert(link);
                }
            }
            93..95 => {
                if let Some(far) = nodes.far.far_mut(far_link) {
                    far.freeze();
                }
            }
            95 => nodes.near.abandon(&name(index as u32)),
            96 => nodes.far.forget_node(NEAR),
            97 => {
                let owner = (FAR, Epoch::new(2));
                for (before, after) in nodes.near.reopen(nodes.now, &name(index as u32), owner) {
                    nodes.links.iter_mut().filter(|it| **it == before).for_each(|it| *it = after);
                    if let Some(mail) = nodes.of_endpoints.remove(&before) {
                        nodes.of_endpoints.insert(after, mail);
                        nodes.ready_near.insert(after);
                    }
                }
            }
            98 => {
                nodes.epoch = nodes.epoch.is_none().then_some(Epoch::new(2));
                nodes.far.visit_all();
            }
            _ => {}
        }
    }
}

#[test]
fn scheduled_links_send_and_deliver_what_all_links_would() {
    for seed in 0..20 {
        let mut rng = Rng::seed_from_u64(seed);
        let mut worlds = [false, true].map(|visits_all| Nodes::new(4, visits_all));
        let mut checked = 0;
        for turn in 0..400 {
            if rng.below(3) == 0 {
                act(&mut rng, &mut worlds);
            }
            let step = Duration::from_millis([0, 1, 10, 300][rng.below(4) as usize]);
            let loses = rng.below(20) == 0;
            let lost = rng.below(4) as usize;
            for nodes in &mut worlds {
                nodes.turn(step, |number| loses && number == lost);
            }
            let [scheduled, all] = &worlds;
            assert!(scheduled.bus == all.bus, "frames of turn {turn}, seed {seed} differ");
            let (one, other) = (&scheduled.log[checked..], &all.log[checked..]);
            assert_eq!(one, other, "deliveries of turn {turn}, seed {seed}");
            checked += one.len();
            assert_eq!(scheduled.near.waiting_rooms(), all.near.waiting_rooms());
        }
    }
}

#[test]
fn turn_visits_the_links_with_packets_and_no_idle_ones() {
    let mut nodes = Nodes::new(1_000, false);
    for _ in 0..5 {
        nodes.turn(Duration::from_millis(1), |_| false);
    }
    let (before, link) = (nodes.visits(), nodes.links[500]);
    for _ in 0..10 {
        let events = vec![packet(0, TransferMode::Reliable, "a")];
        nodes.push_near(link, ToBranch::Events(EndpointId(3), events));
        nodes.turn(Duration::from_millis(1), |_| false);
    }
    let visits = nodes.visits() - before;
    assert!((20..=60).contains(&visits), "{visits} visits of 1,000 links in 10 turns");
    assert!(!nodes.near.has_active() || nodes.near.take_active_near().len() <= 1);
    let idle = nodes.near.poll_timeout().unwrap() - nodes.now;
    assert!(idle > BEAT_INTERVAL / 2, "the next visit is due in {idle:?}");
}

/// Checks that a turn follows in which a link accepts the messages for which it has capacity.
fn check_that_capacity_is_used(nodes: &mut Nodes, link: LinkId) {
    let has_mail = !nodes.of_endpoints[&link].is_empty();
    let has_capacity = nodes.near.near_mut(link).is_some_and(|near| near.has_capacity());
    let is_ready = nodes.near.has_active() || nodes.ready_near.contains(&link);
    assert!(!(has_mail && has_capacity) || is_ready, "messages of an endpoint wait for a frame");
    let link = (NEAR, link);
    let has_mail = !nodes.of_branches[&link].is_empty();
    let has_capacity = nodes.far.far(link).is_some_and(|far| far.has_capacity());
    let is_ready = nodes.far.has_active() || nodes.ready_far.contains(&link);
    assert!(!(has_mail && has_capacity) || is_ready, "messages of a branch wait for a frame");
}

#[test]
fn link_without_capacity_accepts_messages_in_the_turn_after_it_has_some() {
    let mut nodes = Nodes::new(1, false);
    (0..5).for_each(|_| nodes.turn(Duration::from_millis(1), |_| false));
    let (link, text) = (nodes.links[0], "x".repeat(BATCH_BYTES_MAX));
    let count = QUEUED_BATCHES_MAX + WINDOW_FRAMES as usize + 20;
    nodes.is_stalled = true;
    for _ in 0..count {
        let events = vec![packet(0, TransferMode::Reliable, &text)];
        nodes.push_near(link, ToBranch::Events(EndpointId(3), events));
        nodes.push_far((NEAR, link), ToEndpoint::Send(vec![outgoing(0, &text)]));
        nodes.turn(Duration::from_millis(1), |_| false);
    }
    let queued =
        |nodes: &Nodes| (nodes.of_endpoints[&link].len(), nodes.of_branches[&(NEAR, link)].len());
    assert!(queued(&nodes).0 > 0 && queued(&nodes).1 > 0, "{:?}", queued(&nodes));
    nodes.is_stalled = false;
    nodes.log.clear();
    for _ in 0..count {
        nodes.turn(Duration::from_millis(1), |_| false);
        check_that_capacity_is_used(&mut nodes, link);
    }
    assert_eq!(queued(&nodes), (0, 0));
    assert_eq!(nodes.log.len(), 2 * count);
}
