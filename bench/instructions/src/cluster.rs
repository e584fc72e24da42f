//! The turn of two nodes of a cluster, whose gateways are connected in memory.

use std::collections::VecDeque;

use bytes::Bytes;
use mp::core::{
    BranchId, Channel, ConnectionId, ConnectionOrigin, ConnectionStatus, EndpointId, EndpointInfo,
    Instant, OutgoingPacket, Packet, PeerEvent, PeerId, Prefix, ToBranch, ToEndpoint, TransferMode,
};
use mp_cluster::{ClusterId, ClusterNodeId, Epoch, Gateways, LinkId};
use mp_rooms::RoomName;

use crate::{Counts, counted};

/// Sends 64 bytes from an endpoint to its room on the other node, and back, over one of `links` per
/// turn. The time stands still, so that no other link has anything to do.
pub(crate) fn run(turns: u32, links: u32) -> Counts {
    let mut nodes = Nodes::new(links);
    let mut counts = counted(turns, |turn| {
        let link = nodes.links[(turn % links) as usize];
        nodes.send(link);
        nodes.turn();
        0
    });
    // The last reply.
    nodes.turn();
    counts.bytes = nodes.received;
    assert_eq!(nodes.received, 2 * LEN * turns as usize, "every packet is delivered");
    counts
}

/// Two nodes with a link for each room of the second one.
struct Nodes {
    near: Gateways,
    far: Gateways,
    links: Vec<LinkId>,
    /// Frames to each node.
    to_near: Vec<Bytes>,
    to_far: Vec<Bytes>,
    /// Messages that were received in the turn.
    messages: VecDeque<ToBranch>,
    /// Bytes of packets that were received.
    received: usize,
}

impl Nodes {
    fn new(links: u32) -> Self {
        let gateways = |node| Gateways::new(ClusterId::named("bench"), node, EndpointId(1_000_000));
        let mut nodes = Self {
            near: gateways(NEAR),
            far: gateways(FAR),
            links: Vec::new(),
            to_near: Vec::new(),
            to_far: Vec::new(),
            messages: VecDeque::new(),
            received: 0,
        };
        for number in 0..links {
            let room = RoomName::new(&format!("room-{number}")).expect("a valid name");
            let link = nodes.near.open(NOW, room, (FAR, EPOCH), BranchId(number));
            let link = link.expect("fewer links than the limit");
            nodes.links.push(link);
            let info = EndpointInfo {
                unique_id: PeerId::SERVER,
                status: ConnectionStatus::Connected,
                relay_supported: true,
                max_packet_size: 1 << 24,
                outlives_program: false,
            };
            nodes.message(link, ToBranch::Opened(SOCKET, info));
            let (claimed_id, origin) = (PeerId::new(2), ConnectionOrigin::Process);
            let connected = PeerEvent::Connected { connection: PLAYER, claimed_id, origin };
            nodes.message(link, ToBranch::Events(SOCKET, vec![connected]));
        }
        for _ in 0..4 {
            nodes.turn();
        }
        nodes
    }

    fn message(&mut self, link: LinkId, message: ToBranch) {
        self.near.near_mut(link).expect("the link is open").handle_message(message);
    }

    /// Sends a packet of the player.
    fn send(&mut self, link: LinkId) {
        let (mode, channel) = (TransferMode::Reliable, Channel(0));
        let payload = Bytes::from_static(&[7; LEN]);
        let packet = PeerEvent::Packet(Packet { from: PLAYER, mode, channel, payload });
        self.message(link, ToBranch::Events(SOCKET, vec![packet]));
    }

    /// Runs a turn of the node of the players, then one of the node of the rooms, which replies to
    /// each packet.
    fn turn(&mut self) {
        for frame in self.to_near.drain(..) {
            self.near.handle_frame(NOW, &frame, |_| None);
        }
        for link in self.near.take_active_near() {
            let near = self.near.near_mut(link).expect("the link is open");
            near.deliver(&mut |message| {
                if let ToEndpoint::Send(packets) = message {
                    self.received += packets.iter().map(|it| it.payload.len()).sum::<usize>();
                }
                Ok(())
            });
        }
        self.near.handle_timeout(NOW);
        self.near.transmit(NOW, |_| None, |_, frame| self.to_far.push(frame));

        for frame in self.to_far.drain(..) {
            self.far.handle_frame(NOW, &frame, |_| Some(EPOCH));
        }
        while self.far.next_opened().is_some() {}
        for link in self.far.take_active_far() {
            let far = self.far.far_mut(link).expect("the link is open");
            if far.poll_opening().is_none() {
                continue;
            }
            far.deliver(&mut |message| {
                self.messages.push_back(message);
                Ok(())
            });
            for message in self.messages.drain(..) {
                let ToBranch::Events(_, events) = message else { continue };
                for event in events {
                    if let PeerEvent::Packet(packet) = event {
                        self.received += packet.payload.len();
                        far.handle_message(ToEndpoint::Send(vec![reply(packet.payload)]));
                    }
                }
            }
        }
        self.far.handle_timeout(NOW);
        self.far.transmit(NOW, |_| Some(EPOCH), |_, frame| self.to_near.push(frame));
    }
}

fn reply(payload: Bytes) -> OutgoingPacket {
    let (mode, channel) = (TransferMode::Reliable, Channel(0));
    OutgoingPacket { to: PLAYER.into(), mode, channel, prefix: Prefix::EMPTY, payload }
}

const NEAR: ClusterNodeId = ClusterNodeId::new(1);
const FAR: ClusterNodeId = ClusterNodeId::new(2);
const EPOCH: Epoch = Epoch::new(1);
const NOW: Instant = Instant::from_millis(1_000);
const SOCKET: EndpointId = EndpointId(3);
const PLAYER: ConnectionId = ConnectionId { slot: 0, generation: 0 };
const LEN: usize = 64;
