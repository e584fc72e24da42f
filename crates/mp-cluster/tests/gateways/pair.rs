//! Two nodes and the bus between them: the near one has a player's socket, the far one the room.

use std::time::Duration;

use bytes::Bytes;
use mp_cluster::{
    ClusterId, ClusterNodeId, Epoch, FarGateway, FarLink, FrameCodec, Gateways, LinkId, NearGateway,
};
use mp_core::{
    BranchId, Channel, ConnectionId, ConnectionOrigin, ConnectionStatus, EndpointId, EndpointInfo,
    Instant, OutgoingPacket, Packet, PeerEvent, PeerId, Prefix, ToBranch, ToEndpoint, TransferMode,
};
use mp_rooms::RoomName;

pub(crate) const NEAR: ClusterNodeId = ClusterNodeId::new(1);
pub(crate) const FAR: ClusterNodeId = ClusterNodeId::new(2);
pub(crate) const BRANCH: BranchId = BranchId(5);

pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) near: Gateways,
    pub(crate) far: Gateways,
    pub(crate) link: LinkId,
    pub(crate) epoch: Epoch,
    /// Frames on their way, in order, with their receiver.
    pub(crate) bus: Vec<(ClusterNodeId, Bytes)>,
    pub(crate) to_branch: Vec<ToBranch>,
    pub(crate) to_endpoint: Vec<ToEndpoint>,
    /// False while the branch accepts nothing.
    pub(crate) branch_accepts: bool,
    opened: Option<FarLink>,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::of_versions(mp_cluster::VERSION, mp_cluster::VERSION)
    }

    pub(crate) fn of_versions(near: u8, far: u8) -> Self {
        let now = Instant::from_millis(1_000);
        let cluster = ClusterId::named("test");
        let gateways = |node, version| {
            let codec = FrameCodec::new(cluster).with_version(version);
            Gateways::new(cluster, node, EndpointId(900)).with_codec(codec)
        };
        let (mut near, far) = (gateways(NEAR, near), gateways(FAR, far));
        let link = near.open(now, room(), (FAR, Epoch::new(1)), BRANCH).unwrap();
        let mut pair = Self {
            now,
            near,
            far,
            link,
            epoch: Epoch::new(1),
            bus: Vec::new(),
            to_branch: Vec::new(),
            to_endpoint: Vec::new(),
            branch_accepts: true,
            opened: None,
        };
        pair.near().handle_message(ToBranch::Opened(EndpointId(3), info()));
        pair
    }

    pub(crate) fn near(&mut self) -> &mut NearGateway {
        self.near.near_mut(self.link).expect("the link is open")
    }

    pub(crate) fn far(&mut self) -> &mut FarGateway {
        self.far.far_mut(self.opened.expect("a frame has opened the link")).expect("it is open")
    }

    pub(crate) fn events(&mut self, events: Vec<PeerEvent>) {
        self.near().handle_message(ToBranch::Events(EndpointId(3), events));
    }

    /// Lets both nodes send.
    pub(crate) fn send(&mut self) {
        let (bus, epoch) = (&mut self.bus, self.epoch);
        for node in [&mut self.near, &mut self.far] {
            node.handle_timeout(self.now);
            node.transmit(self.now, |_| Some(epoch), |to, bytes| bus.push((to, bytes)));
        }
    }

    /// Delivers all frames on their way.
    pub(crate) fn receive(&mut self) {
        for (to, bytes) in std::mem::take(&mut self.bus) {
            let epoch = self.epoch;
            let node = if to == NEAR { &mut self.near } else { &mut self.far };
            node.handle_frame(self.now, &bytes, |_| Some(epoch));
        }
        if let Some((link, name)) = self.far.next_opened() {
            assert_eq!(name, room());
            self.opened = Some(link);
        }
        self.deliver();
    }

    fn deliver(&mut self) {
        let (to_branch, accepts) = (&mut self.to_branch, self.branch_accepts);
        if let Some(far) = self.opened.and_then(|link| self.far.far_mut(link)) {
            far.deliver(&mut |message| {
                if !accepts {
                    return Err(message);
                }
                to_branch.push(message);
                Ok(())
            });
        }
        let to_endpoint = &mut self.to_endpoint;
        if let Some(near) = self.near.near_mut(self.link) {
            near.deliver(&mut |message| {
                to_endpoint.push(message);
                Ok(())
            });
        }
    }

    /// Exchanges frames for a while.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.send();
            self.receive();
            self.now += Duration::from_millis(10);
        }
    }

    /// Exchanges what is sent now, and the replies.
    pub(crate) fn turn(&mut self) {
        self.run(Duration::from_millis(20));
    }

    /// Removes and returns the events that the branch has received.
    pub(crate) fn received(&mut self) -> Vec<PeerEvent> {
        let mut events = Vec::new();
        for message in std::mem::take(&mut self.to_branch) {
            if let ToBranch::Events(_, batch) = message {
                events.extend(batch);
            }
        }
        events
    }
}

pub(crate) fn room() -> RoomName {
    RoomName::new("arena").unwrap()
}

pub(crate) fn info() -> EndpointInfo {
    EndpointInfo {
        unique_id: PeerId::SERVER,
        status: ConnectionStatus::Connected,
        relay_supported: true,
        max_packet_size: 1 << 24,
        outlives_program: false,
    }
}

pub(crate) fn id(slot: u32) -> ConnectionId {
    ConnectionId { slot, generation: 0 }
}

pub(crate) fn connected(slot: u32) -> PeerEvent {
    let claimed_id = PeerId::new(slot as i32 + 2);
    PeerEvent::Connected { connection: id(slot), claimed_id, origin: ConnectionOrigin::Process }
}

pub(crate) fn packet(slot: u32, mode: TransferMode, text: &str) -> PeerEvent {
    let payload = Bytes::copy_from_slice(text.as_bytes());
    PeerEvent::Packet(Packet { from: id(slot), mode, channel: Channel(0), payload })
}

pub(crate) fn outgoing(slot: u32, text: &str) -> OutgoingPacket {
    OutgoingPacket {
        to: id(slot).into(),
        mode: TransferMode::Reliable,
        channel: Channel(0),
        prefix: Prefix::EMPTY,
        payload: Bytes::copy_from_slice(text.as_bytes()),
    }
}
