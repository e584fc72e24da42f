//! Records what a real client does, as a scenario.

mod arguments;
mod scenario;
mod timeline;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{Channel, Instant, TransferMode, Variant};
use mp_wire::{
    ClientNumber, DecodedCall, Direction, NodeName, ProjectNames, WireDecoder, WireEvent,
    WireMessage, WirePacket,
};

use crate::scenario::Receivers;

/// Records the first client of a proxy: its calls, raw packets and pauses.
///
/// [`scenario`](Self::scenario) returns a scenario whose players do the same. Authentication
/// packets and masked arguments are replaced by placeholders.
#[derive(Debug)]
pub struct ScenarioRecorder {
    decoder: WireDecoder,
    /// Client that is recorded.
    client: Option<ClientNumber>,
    /// Peer id of the client as a path segment.
    id: Option<i32>,
    start: Option<Instant>,
    end: Duration,
    /// Lengths of the authentication packets that the client sent.
    auth: Vec<usize>,
    actions: Vec<RecordedAction>,
    /// Bytes of the packets of `actions`.
    bytes: usize,
    /// Names of all methods of nodes by the path of the node.
    nodes: BTreeMap<String, Vec<Rc<str>>>,
    omitted: Omitted,
}

/// Numbers of packets that the scenario does not contain.
#[derive(Clone, Copy, Debug, Default)]
struct Omitted {
    /// Calls of methods whose names are unknown.
    unnamed: u64,
    /// Spawned nodes and synchronized properties, which bots cannot send.
    replication: u64,
    /// Malformed packets.
    malformed: u64,
    /// Packets beyond the limits of a recording.
    excess: u64,
}

/// A call or a raw packet.
#[derive(Clone, Debug, PartialEq)]
struct RecordedAction {
    /// Time since the start.
    at: Duration,
    /// Receivers as numbers on the wire: 1 is the server, 0 all other peers.
    targets: Vec<i32>,
    mode: TransferMode,
    channel: Channel,
    content: RecordedContent,
}

#[derive(Clone, Debug, PartialEq)]
enum RecordedContent {
    Call { path: String, method: Rc<str>, args: Vec<RecordedArgument> },
    Raw(Bytes),
}

#[derive(Clone, Debug, PartialEq)]
struct RecordedArgument {
    value: Variant,
    is_masked: bool,
}

impl ScenarioRecorder {
    /// Returns a recorder. `names` are those of the game's project, without which calls cannot be
    /// recorded.
    pub fn new(names: Option<Rc<ProjectNames>>) -> Self {
        Self {
            decoder: WireDecoder::new(names),
            client: None,
            id: None,
            start: None,
            end: Duration::ZERO,
            auth: Vec::new(),
            actions: Vec::new(),
            bytes: 0,
            nodes: BTreeMap::new(),
            omitted: Omitted::default(),
        }
    }

    /// Handles an event of the proxy. Returns true once the recorded client has left.
    pub fn observe(&mut self, event: &WireEvent) -> bool {
        let client = *self.client.get_or_insert_with(|| event.client());
        if event.client() != client {
            return false;
        }
        let start = *self.start.get_or_insert_with(|| event.at());
        self.end = event.at() - start;
        match event {
            WireEvent::PeerId { id, .. } => self.id = Some(id.get()),
            WireEvent::Packet(packet) => self.packet(packet),
            WireEvent::Closed { .. } => return true,
            _ => {}
        }
        false
    }

    /// Returns the number of recorded calls and raw packets.
    pub fn recorded(&self) -> usize {
        self.actions.len()
    }

    fn packet(&mut self, packet: &WirePacket) {
        let decoded = self.decoder.decode(packet.direction, &packet.payload);
        if packet.direction == Direction::ToClient {
            return;
        }
        let target = decoded.relay.unwrap_or(SERVER);
        let content = match decoded.message {
            WireMessage::Call(call) => match self.call(call) {
                Some(content) => content,
                None => return self.omitted.unnamed += 1,
            },
            WireMessage::Raw(bytes) => RecordedContent::Raw(bytes),
            WireMessage::Auth(len) => {
                if len > 0 && self.auth.len() < AUTH_MAX {
                    self.auth.push(len);
                }
                return;
            }
            WireMessage::Spawn { .. }
            | WireMessage::Despawn { .. }
            | WireMessage::Sync { .. }
            | WireMessage::Delta(_) => return self.omitted.replication += 1,
            WireMessage::Malformed { .. } => return self.omitted.malformed += 1,
            _ => return,
        };
        let (at, mode, channel) = (self.end, packet.mode, packet.channel);
        // A client sends a call to each receiver on its own until all have confirmed the path.
        let recent = self.actions.iter_mut().rev().take_while(|it| at - it.at <= TOGETHER);
        for action in recent {
            let is_new = !action.targets.contains(&target) && !action.targets.contains(&0);
            if is_new
                && action.content == content
                && (action.mode, action.channel) == (mode, channel)
            {
                return action.targets.push(target);
            }
        }
        let len = packet.payload.len();
        if self.actions.len() >= ACTIONS_MAX || self.bytes + len > BYTES_MAX {
            return self.omitted.excess += 1;
        }
        self.bytes += len;
        self.actions.push(RecordedAction { at, targets: vec![target], mode, channel, content });
    }

    /// Returns a call for the scenario; `None` if the node or the method is unknown.
    fn call(&mut self, call: DecodedCall) -> Option<RecordedContent> {
        let (NodeName::Path(path), Some(method)) = (call.node, call.method_name) else {
            return None;
        };
        let methods = self.decoder.method_names(&path)?;
        let id = self.id.map(|id| id.to_string());
        let with_id = |by: &str| {
            let names =
                path.split('/').map(|name| if id.as_deref() == Some(name) { by } else { name });
            names.collect::<Vec<_>>().join("/")
        };
        if self.nodes.len() < NODES_MAX {
            self.nodes.insert(with_id("*"), methods);
        }
        let args = call.args.into_iter();
        let args = args.map(|it| RecordedArgument { value: it.value, is_masked: it.is_masked });
        Some(RecordedContent::Call { path: with_id("{peer}"), method, args: args.collect() })
    }
}

impl RecordedAction {
    fn receivers(&self) -> Receivers {
        match self.targets[..] {
            [SERVER] => Receivers::Server,
            [target] if target > 0 => Receivers::RandomPlayer,
            _ => Receivers::All,
        }
    }
}

/// The server's peer id on the wire.
const SERVER: i32 = 1;
/// Maximum time between two sendings of one call to different receivers.
const TOGETHER: Duration = Duration::from_millis(20);
/// Maximum number of recorded calls and raw packets.
const ACTIONS_MAX: usize = 100_000;
/// Maximum bytes of recorded packets.
const BYTES_MAX: usize = 16 << 20;
/// Maximum number of nodes whose methods are recorded.
const NODES_MAX: usize = 1_024;
/// Maximum number of recorded authentication packets.
const AUTH_MAX: usize = 16;
