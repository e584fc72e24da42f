//! Rooms whose node has died, and that another node adopts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mp_cluster::limits::{HELD_BYTES_MAX, HOLD_TIME, LINK_TIMEOUT};
use mp_cluster::{
    ClusterId, ClusterNodeId, Epoch, FarLink, GatewayEnd, Gateways, LinkId, LinkOpening,
};
use mp_core::{
    ConnectionId, DisconnectReason, EndpointId, Instant, OutgoingPacket, PeerEvent, ToBranch,
    ToEndpoint, TransferMode,
};

use super::pair::{BRANCH, connected, id, info, outgoing, packet, room};

const NEAR: ClusterNodeId = ClusterNodeId::new(1);
const DEAD: ClusterNodeId = ClusterNodeId::new(2);
const ADOPTER: ClusterNodeId = ClusterNodeId::new(3);
const FIRST: Epoch = Epoch::new(1);
const NEXT: Epoch = Epoch::new(5);
const SOCKET: EndpointId = EndpointId(3);
/// The endpoint that the adopter has attached to its branch.
const RESTORED: EndpointId = EndpointId(77);
const RELIABLE: TransferMode = TransferMode::Reliable;

/// Three nodes: a player's socket is on the first, its room on the second, then on the third.
struct World {
    now: Instant,
    nodes: BTreeMap<ClusterNodeId, Gateways>,
    link: LinkId,
    /// True once the second node is dead.
    is_dead: bool,
    /// False while the third node does not have the room.
    has_opened: bool,
    /// True if nothing that the third node sends is received.
    is_mute: bool,
    /// True if the third node receives nothing.
    is_deaf: bool,
    /// True if the third node refuses links that were opened.
    refuses_opened: bool,
    opened: Option<FarLink>,
    to_branch: Vec<ToBranch>,
    to_endpoint: Vec<ToEndpoint>,
}

impl World {
    fn new(holds: bool) -> Self {
        Self::start(holds, true)
    }

    /// `has_opened`: the second node accepts links to the room.
    fn start(holds: bool, has_opened: bool) -> Self {
        let (now, cluster) = (Instant::from_millis(1_000), ClusterId::named("test"));
        let node = |node| {
            let gateways = Gateways::new(cluster, node, EndpointId(900));
            (node, if holds { gateways.holding() } else { gateways })
        };
        let mut nodes = BTreeMap::from([NEAR, DEAD, ADOPTER].map(node));
        let near = nodes.get_mut(&NEAR).unwrap();
        let link = near.open(now, room(), (DEAD, FIRST), BRANCH).unwrap();
        let mut world = Self {
            now,
            nodes,
            link,
            is_dead: false,
            has_opened,
            is_mute: false,
            is_deaf: false,
            refuses_opened: false,
            opened: None,
            to_branch: Vec::new(),
            to_endpoint: Vec::new(),
        };
        world.message(ToBranch::Opened(SOCKET, info()));
        world.events(vec![connected(0), connected(1), connected(2)]);
        world.run(Duration::from_millis(50));
        world.to_branch.clear();
        world
    }

    fn message(&mut self, message: ToBranch) {
        let near = self.nodes.get_mut(&NEAR).unwrap().near_mut(self.link).unwrap();
        near.handle_message(message);
    }

    fn events(&mut self, events: Vec<PeerEvent>) {
        self.message(ToBranch::Events(SOCKET, events));
    }

    fn has_capacity(&mut self) -> bool {
        self.nodes.get_mut(&NEAR).unwrap().near_mut(self.link).unwrap().has_capacity()
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.step();
            self.now += Duration::from_millis(10);
        }
    }

    fn step(&mut self) {
        let owner = if self.is_dead { (ADOPTER, NEXT) } else { (DEAD, FIRST) };
        let has_opened = self.has_opened;
        let epoch_of = |node| (owner.0 == node && has_opened).then_some(owner.1);
        let mut sent = Vec::new();
        for (&node, gateways) in &mut self.nodes {
            gateways.handle_timeout(self.now);
            let is_mute = self.is_mute && node == ADOPTER;
            gateways.transmit(
                self.now,
                |_| epoch_of(node),
                |to, bytes| {
                    if !is_mute {
                        sent.push((to, bytes));
                    }
                },
            );
        }
        for (to, bytes) in sent {
            if self.is_dead && to == DEAD || self.is_deaf && to == ADOPTER {
                continue;
            }
            let gateways = self.nodes.get_mut(&to).unwrap();
            gateways.handle_frame(self.now, &bytes, |_| epoch_of(to));
        }
        let of_room = self.nodes.get_mut(&owner.0).unwrap();
        if let Some((link, _)) = of_room.next_opened() {
            match self.refuses_opened {
                true => of_room.refuse_opened(link),
                false => self.opened = Some(link),
            }
        }
        if let Some(far) = self.opened.and_then(|link| of_room.far_mut(link)) {
            match far.poll_opening() {
                Some(LinkOpening::Reopened(there)) => {
                    assert_eq!(there, SOCKET);
                    // The third player has joined after the snapshot, and a fourth has left.
                    let known = BTreeSet::from([0, 1, 9].map(id));
                    far.reopen(Some((RESTORED, &known)));
                }
                Some(LinkOpening::New(_)) | None => {}
            }
            far.deliver(&mut |message| {
                self.to_branch.push(message);
                Ok(())
            });
        }
        if let Some(near) = self.nodes.get_mut(&NEAR).unwrap().near_mut(self.link) {
            near.deliver(&mut |message| {
                self.to_endpoint.push(message);
                Ok(())
            });
        }
    }

    /// Lets the second node die, until the first one has noticed.
    fn die(&mut self) {
        self.is_dead = true;
        self.nodes.remove(&DEAD);
        self.opened = None;
        self.run(LINK_TIMEOUT + Duration::from_millis(100));
        self.to_branch.clear();
    }

    fn adopt(&mut self) {
        let near = self.nodes.get_mut(&NEAR).unwrap();
        assert_eq!(near.waiting_rooms(), BTreeSet::from([room()]));
        let former = near.reopen(self.now, &room(), (DEAD, FIRST));
        assert_eq!(former, [], "the directory names the former node");
        let reopened = near.reopen(self.now, &room(), (ADOPTER, NEXT));
        assert_eq!(reopened.len(), 1);
        assert_eq!(reopened[0].0, self.link);
        self.link = reopened[0].1;
        self.run(Duration::from_millis(100));
    }

    fn stats(&self) -> mp_cluster::GatewayStats {
        self.nodes[&NEAR].stats().gateways
    }
}

fn disconnected(connection: ConnectionId) -> PeerEvent {
    PeerEvent::Disconnected { connection, reason: DisconnectReason::Timeout }
}

#[test]
fn connections_stay_until_another_node_has_adopted_the_room() {
    let mut world = World::new(true);
    world.die();
    world.events(vec![
        packet(0, RELIABLE, "held"),
        packet(0, TransferMode::Unreliable, "dropped"),
        disconnected(id(1)),
    ]);
    assert_eq!(world.to_endpoint, []);
    world.adopt();
    let events = |message: &ToBranch| match message {
        ToBranch::Events(RESTORED, events) => events.clone(),
        other => panic!("{other:?}"),
    };
    let received: Vec<_> = world.to_branch.iter().flat_map(events).collect();
    // Of the connection that is gone, then what was held. The third connection is not known.
    assert_eq!(received, [disconnected(id(9)), packet(0, RELIABLE, "held"), disconnected(id(1))]);
    let reason = GatewayEnd::NodeLost.disconnect_reason();
    let closes = |message: &ToEndpoint| {
        matches!(message, ToEndpoint::Disconnect { connection, reason: of, .. }
            if *connection == id(2) && *of == reason)
    };
    assert!(matches!(&world.to_endpoint[..], [message] if closes(message)));
    let stats = world.stats();
    assert_eq!((stats.holds, stats.reopened, stats.held_drops), (1, 1, 1));

    // Both directions go on.
    world.events(vec![packet(0, RELIABLE, "after")]);
    let packets: Vec<OutgoingPacket> = vec![outgoing(0, "reply")];
    let link = world.opened.unwrap();
    let far = world.nodes.get_mut(&ADOPTER).unwrap().far_mut(link).unwrap();
    far.handle_message(ToEndpoint::Send(packets.clone()));
    world.run(Duration::from_millis(50));
    let after = ToBranch::Events(RESTORED, vec![packet(0, RELIABLE, "after")]);
    assert_eq!(world.to_branch.last(), Some(&after));
    assert_eq!(world.to_endpoint.last(), Some(&ToEndpoint::Send(packets)));
}

#[test]
fn connection_ends_although_the_only_message_about_it_after_the_adoption_was_lost() {
    let mut world = World::new(true);
    world.die();
    world.adopt();
    world.to_branch.clear();
    world.is_deaf = true;
    world.events(vec![disconnected(id(0))]);
    world.run(Duration::from_millis(50));
    world.is_deaf = false;
    world.run(Duration::from_secs(1));
    let [ToBranch::Events(RESTORED, events)] = &world.to_branch[..] else {
        panic!("{:?}", world.to_branch);
    };
    let reason = GatewayEnd::DataLost.disconnect_reason();
    assert_eq!(*events, [PeerEvent::Disconnected { connection: id(0), reason }]);
}

#[test]
fn held_messages_are_bounded_and_connections_end_if_no_node_adopts_the_room() {
    let mut world = World::new(true);
    world.die();
    let text = "x".repeat(HELD_BYTES_MAX / 4);
    for _ in 0..4 {
        assert!(world.has_capacity());
        world.events(vec![packet(0, RELIABLE, &text)]);
    }
    assert!(!world.has_capacity(), "the endpoint pauses its connections");
    world.run(HOLD_TIME);
    let reason = GatewayEnd::NodeLost.disconnect_reason();
    let [ToEndpoint::Leave { reason: of, .. }] = &world.to_endpoint[..] else {
        panic!("{:?}", world.to_endpoint);
    };
    assert_eq!(*of, reason);
}

#[test]
fn node_that_has_not_opened_the_room_yet_is_asked_again_with_the_same_messages() {
    let mut world = World::new(true);
    world.die();
    world.events(vec![packet(0, RELIABLE, "held")]);
    world.has_opened = false;
    let near = world.nodes.get_mut(&NEAR).unwrap();
    world.link = near.reopen(world.now, &room(), (ADOPTER, NEXT))[0].1;
    world.run(Duration::from_millis(100));
    world.has_opened = true;
    world.adopt();
    let held = ToBranch::Events(RESTORED, vec![packet(0, RELIABLE, "held")]);
    assert!(world.to_branch.contains(&held), "{:?}", world.to_branch);
}

#[test]
fn link_that_the_program_refuses_stays_refused_although_the_reply_was_lost() {
    let mut world = World::new(true);
    world.die();
    world.events(vec![packet(0, RELIABLE, "held")]);
    (world.refuses_opened, world.is_mute) = (true, true);
    let near = world.nodes.get_mut(&NEAR).unwrap();
    world.link = near.reopen(world.now, &room(), (ADOPTER, NEXT))[0].1;
    world.run(Duration::from_millis(100));
    (world.refuses_opened, world.is_mute) = (false, false);
    // The next frame of the link is answered.
    world.run(LINK_TIMEOUT / 2);
    assert_eq!(world.to_endpoint, []);
    world.adopt();
    let held = ToBranch::Events(RESTORED, vec![packet(0, RELIABLE, "held")]);
    assert!(world.to_branch.contains(&held), "{:?}", world.to_branch);
}

#[test]
fn connections_end_if_it_is_not_known_what_the_next_node_has_received() {
    let mut world = World::new(true);
    world.die();
    world.events(vec![packet(0, RELIABLE, "held")]);
    let near = world.nodes.get_mut(&NEAR).unwrap();
    world.link = near.reopen(world.now, &room(), (ADOPTER, NEXT))[0].1;
    // It receives the message, and dies before it has sent anything.
    world.is_mute = true;
    world.run(LINK_TIMEOUT + Duration::from_millis(100));
    assert!(matches!(world.to_endpoint[..], [ToEndpoint::Leave { .. }]));
    assert_eq!(world.nodes[&NEAR].waiting_rooms(), BTreeSet::new());
}

#[test]
fn program_that_does_not_adopt_rooms_closes_connections_at_once() {
    let mut world = World::new(false);
    world.die();
    assert!(matches!(world.to_endpoint[..], [ToEndpoint::Leave { .. }]));
    assert_eq!(world.nodes[&NEAR].waiting_rooms(), BTreeSet::new());
}

#[test]
fn connections_that_enter_a_room_while_it_moves_are_received_by_its_next_node() {
    let mut world = World::start(true, false);
    world.events(vec![packet(0, RELIABLE, "early"), packet(1, TransferMode::Unreliable, "lost")]);
    assert_eq!(world.to_endpoint, []);
    // The second node has moved it to the third.
    (world.is_dead, world.has_opened) = (true, true);
    world.adopt();
    let [opened, ToBranch::Events(_, events)] = &world.to_branch[..] else {
        panic!("{:?}", world.to_branch);
    };
    assert!(matches!(opened, ToBranch::Opened(..)), "no node has known the endpoint: {opened:?}");
    let early = packet(0, RELIABLE, "early");
    assert_eq!(events[..], [connected(0), connected(1), connected(2), early]);
    assert_eq!(world.to_endpoint, []);
    let stats = world.stats();
    assert_eq!((stats.holds, stats.reopened, stats.held_drops), (0, 0, 1));
}
