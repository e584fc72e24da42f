//! A client of Godot's `SceneMultiplayer` that knows no scenes, without I/O.
//!
//! It authenticates, confirms the paths of all nodes, follows announced peers, and reports what it
//! receives. Unlike `mp_scene::Branch` it has no node tree: nodes exist for the server only. A
//! server that replicates to it sees a conforming client, whatever the game is.

mod observation;
mod paths;

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use mp_core::{
    Channel, ConnectionId, DisconnectReason, OutgoingPacket, PeerEvent, PeerId, Prefix,
    TransferMode, Variant,
};
use mp_scene::codec::godot::relay_prefix;
use mp_scene::codec::{Limits, Objects};
use mp_scene::rpc::RpcIds;
use mp_scene::{CallNode, Codec, ConfirmedNode, RemoteCall, SceneMessage};

pub(crate) use self::observation::{Observation, ReceivedCall};
use self::paths::{OwnPaths, RemoteNode, RemotePaths};
use crate::methods::NodeTables;

/// A call to send.
#[derive(Debug)]
pub(crate) struct OutgoingCall<'a> {
    pub(crate) path: &'a str,
    pub(crate) method: &'a str,
    pub(crate) args: Vec<Variant>,
    /// Instead of the mode and channel of the method.
    pub(crate) mode: Option<TransferMode>,
    pub(crate) channel: Option<Channel>,
}

/// The state of a client's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Session {
    Connecting,
    Authenticating { local: bool, remote: bool },
    Admitted,
    Ended,
}

/// The protocol of a client. Packets to send are in [`next_packet`](Self::next_packet).
#[derive(Debug)]
pub(crate) struct Client {
    codec: Codec,
    limits: Limits,
    nodes: Rc<NodeTables>,
    authenticates: bool,
    id: PeerId,
    session: Session,
    server: Option<ConnectionId>,
    /// Other clients, sorted.
    players: Vec<PeerId>,
    own_paths: OwnPaths,
    remote_paths: RemotePaths,
    /// Packets that were received before the server completed the authentication.
    early: Vec<Bytes>,
    out: VecDeque<OutgoingPacket>,
    observations: VecDeque<Observation>,
}

impl Client {
    /// Returns a client that connects as `id`, and authenticates before it is admitted if
    /// `authenticates`.
    pub(crate) fn new(id: PeerId, authenticates: bool, nodes: Rc<NodeTables>) -> Self {
        Self {
            codec: Codec::default(),
            limits: Limits { allocation: ALLOCATION_MAX, ..Limits::default() },
            nodes,
            authenticates,
            id,
            session: Session::Connecting,
            server: None,
            players: Vec::new(),
            own_paths: OwnPaths::default(),
            remote_paths: RemotePaths::default(),
            early: Vec::new(),
            out: VecDeque::new(),
            observations: VecDeque::new(),
        }
    }

    pub(crate) fn id(&self) -> PeerId {
        self.id
    }

    pub(crate) fn is_admitted(&self) -> bool {
        self.session == Session::Admitted
    }

    /// Returns the connection to the server.
    pub(crate) fn server(&self) -> Option<ConnectionId> {
        self.server
    }

    /// Returns the other clients that the server has announced.
    pub(crate) fn players(&self) -> &[PeerId] {
        &self.players
    }

    /// Removes and returns the next packet to send.
    pub(crate) fn next_packet(&mut self) -> Option<OutgoingPacket> {
        self.out.pop_front()
    }

    /// Removes and returns the oldest observation.
    pub(crate) fn next_observation(&mut self) -> Option<Observation> {
        self.observations.pop_front()
    }

    /// Handles an event of the transport.
    pub(crate) fn handle_event(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::UniqueId(id) => self.id = id,
            PeerEvent::Connected { connection, .. } => {
                self.server = Some(connection);
                if self.authenticates {
                    self.session = Session::Authenticating { local: false, remote: false };
                    self.observe(Observation::Authenticating);
                } else {
                    self.admit();
                }
            }
            PeerEvent::Packet(packet) => {
                let len = packet.payload.len();
                self.observe(Observation::Packet { len });
                self.handle_packet(packet.payload);
            }
            PeerEvent::Disconnected { reason, .. } => self.end(reason),
            _ => {}
        }
    }

    /// Ends the session, for example because the transport has failed to connect.
    pub(crate) fn end(&mut self, reason: DisconnectReason) {
        if self.session != Session::Ended {
            self.session = Session::Ended;
            self.server = None;
            self.observe(Observation::Disconnected(reason));
        }
    }

    /// Sends a packet of the program's authentication protocol.
    pub(crate) fn send_auth(&mut self, data: Bytes) {
        self.send(PeerId::SERVER, &SceneMessage::Auth(data));
    }

    /// Completes the authentication on this side.
    pub(crate) fn complete_auth(&mut self) {
        if let Session::Authenticating { local: false, remote } = self.session {
            self.send(PeerId::SERVER, &SceneMessage::Auth(Bytes::new()));
            self.session = Session::Authenticating { local: true, remote };
            if remote {
                self.admit();
            }
        }
    }

    /// Calls a method on `to`. Returns the transfer mode; `None` if the method is unknown.
    pub(crate) fn call(&mut self, to: &[PeerId], call: OutgoingCall<'_>) -> Option<TransferMode> {
        let ids = Rc::clone(self.nodes.at(call.path)?);
        let (method, config) = ids.by_name(call.method)?;
        let mode = call.mode.unwrap_or(config.transfer_mode);
        let channel = call.channel.unwrap_or(config.channel);
        let id = self.own_paths.id(call.path);
        let mut args = call.args;
        for &peer in to {
            if self.own_paths.announce(peer, id) {
                let (checksum, path) = (*ids.checksum(), call.path.to_owned());
                self.send(peer, &SceneMessage::SimplifyPath { id, checksum, path });
            }
            let node = match self.own_paths.is_confirmed(peer, id) {
                true => CallNode::Id { id, wide: false },
                false => CallNode::Path(call.path.to_owned()),
            };
            let message =
                SceneMessage::RemoteCall(RemoteCall { node, method, args, complete: true });
            self.send_with(peer.get(), &message, mode, channel);
            let SceneMessage::RemoteCall(sent) = message else { unreachable!("it is a call") };
            args = sent.args;
        }
        Some(mode)
    }

    /// Sends bytes to `to`, a number as on the wire: 0 stands for all other peers.
    pub(crate) fn send_bytes(
        &mut self,
        to: i32,
        data: Bytes,
        mode: TransferMode,
        channel: Channel,
    ) {
        self.send_with(to, &SceneMessage::Raw(data), mode, channel);
    }

    fn send(&mut self, to: PeerId, message: &SceneMessage) {
        self.send_with(to.get(), message, TransferMode::Reliable, Channel(0));
    }

    /// Queues a message. The server relays those for other peers.
    fn send_with(&mut self, to: i32, message: &SceneMessage, mode: TransferMode, channel: Channel) {
        let Some(server) = self.server else { return };
        let mut payload = BytesMut::new();
        if self.codec.encode(message, Objects::Ids, &mut payload).is_err() {
            // Only values that are nested too deep cannot be encoded; scenarios have none.
            return self.observe(Observation::Malformed);
        }
        let is_for_server = to == PeerId::SERVER.get();
        let prefix = if is_for_server { Prefix::EMPTY } else { relay_prefix(to) };
        let payload = payload.freeze();
        self.out.push_back(OutgoingPacket { to: server.into(), mode, channel, prefix, payload });
    }

    fn admit(&mut self) {
        self.session = Session::Admitted;
        self.observe(Observation::Admitted);
        for packet in std::mem::take(&mut self.early) {
            self.handle_packet(packet);
        }
    }

    fn observe(&mut self, observation: Observation) {
        self.observations.push_back(observation);
    }

    fn handle_packet(&mut self, packet: Bytes) {
        let message = self.codec.decode(&packet, &self.limits);
        if let Session::Authenticating { local, .. } = self.session {
            return match message {
                Ok(SceneMessage::Auth(data)) if data.is_empty() => {
                    self.session = Session::Authenticating { local, remote: true };
                    if local {
                        self.admit();
                    }
                }
                Ok(SceneMessage::Auth(_)) => {}
                Ok(_) if self.early.len() < EARLY_MAX => self.early.push(packet),
                _ => self.observe(Observation::Malformed),
            };
        }
        if self.session != Session::Admitted {
            return;
        }
        match message {
            Ok(SceneMessage::Relay { peer, inner }) => {
                match (PeerId::new(peer), self.codec.decode(&inner, &self.limits)) {
                    (Some(from), Ok(message)) => self.handle_message(from, message),
                    _ => self.observe(Observation::Malformed),
                }
            }
            Ok(SceneMessage::AddPeer(peer)) => {
                if let Err(index) = self.players.binary_search(&peer)
                    && self.players.len() < PLAYERS_MAX
                {
                    self.players.insert(index, peer);
                    self.observe(Observation::PeerConnected);
                }
            }
            Ok(SceneMessage::DelPeer(peer)) => {
                if let Ok(index) = self.players.binary_search(&peer) {
                    self.players.remove(index);
                    self.own_paths.forget(peer);
                    self.remote_paths.forget(peer);
                    self.observe(Observation::PeerDisconnected);
                }
            }
            Ok(message) => self.handle_message(PeerId::SERVER, message),
            Err(_) => self.observe(Observation::Malformed),
        }
    }

    /// Handles a message of a peer, which is not a SYS message except a late completion of the
    /// authentication.
    fn handle_message(&mut self, from: PeerId, message: SceneMessage) {
        match message {
            SceneMessage::RemoteCall(call) => self.handle_call(from, call),
            SceneMessage::SimplifyPath { id, checksum, path } => {
                let ids = self.nodes.at(&path).cloned();
                // An unknown node has the methods that its sender says.
                let checksum_ok = ids.as_ref().is_none_or(|ids| *ids.checksum() == checksum);
                let path: Rc<str> = path.into();
                if !checksum_ok {
                    self.observe(Observation::MethodsDiffer(path.clone()));
                }
                if !self.remote_paths.insert(from, id, RemoteNode { path, ids }) {
                    return self.observe(Observation::Malformed);
                }
                let node = ConfirmedNode::Id(id);
                self.send(from, &SceneMessage::ConfirmPath { node, checksum_ok });
            }
            SceneMessage::ConfirmPath { node, checksum_ok } => {
                let ConfirmedNode::Id(id) = node else { return };
                let path = self.own_paths.confirm(from, id);
                if !checksum_ok && let Some(path) = path {
                    self.observe(Observation::MethodsDiffer(path));
                }
            }
            SceneMessage::Raw(data) => self.observe(Observation::Raw { len: data.len() }),
            SceneMessage::Spawn(spawn) => self.observe(Observation::Spawn { name: spawn.name }),
            SceneMessage::Despawn(_) => self.observe(Observation::Despawn),
            SceneMessage::Sync { .. } | SceneMessage::Delta(_) => self.observe(Observation::Sync),
            // A completion of the authentication after the admission has no effect.
            SceneMessage::Auth(data) if data.is_empty() => {}
            _ => self.observe(Observation::Malformed),
        }
    }

    fn handle_call(&mut self, from: PeerId, call: RemoteCall) {
        let node = match call.node {
            CallNode::Id { id, .. } => self.remote_paths.get(from, id).cloned(),
            CallNode::Path(path) => {
                let ids = self.nodes.at(&path).cloned();
                Some(RemoteNode { path: path.into(), ids })
            }
        };
        let (path, ids) = node.map_or((None, None), |node| (Some(node.path), node.ids));
        let method = ids.as_deref().and_then(|ids: &RpcIds| ids.by_id(call.method));
        let method = method.map(|(name, _)| name.clone());
        let args = call.args;
        self.observe(Observation::Call(ReceivedCall { from, path, method, args }));
    }
}

/// Maximum memory in bytes of the values of one received packet.
const ALLOCATION_MAX: usize = 1 << 20;
/// Maximum number of packets that are kept until the server completes the authentication.
const EARLY_MAX: usize = 256;
/// Maximum number of announced peers; Godot's ENet has at most 4,095.
const PLAYERS_MAX: usize = 65_536;
