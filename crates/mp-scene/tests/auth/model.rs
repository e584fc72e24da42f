//! A model of one peer's authentication, written from the rules of the protocol.

use bytes::Bytes;
use mp_core::PeerId;
use mp_scene::Signal;

/// Godot's default.
pub const TIMEOUT_MS: u64 = 3_000;

/// Maximum interval between turns while a timeout is pending.
const TURN_MS: u64 = 1_000;

/// A turn that is later than this does not count against peers: the process did not run.
const STALL_MS: u64 = 1_000;

/// An input of a peer: an event of its transport, or a call of its program. A link is identified by
/// the remote peer and a number that is never reused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The transport opens: a server's is connected, a client's is connecting.
    Opened,
    Connected(i32, u32),
    Packet(i32, u32, Vec<u8>),
    Disconnected(i32, u32),
    /// The transport closes.
    Closed,
    /// A turn ends.
    Turn,
    SendAuth(i32),
    Complete(i32),
    Kick(i32),
    /// `send_bytes`.
    Say(i32),
    Clear,
}

/// The results of an input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Did {
    /// Godot's error code of the call.
    pub code: i32,
    pub signals: Vec<Signal>,
    /// Sent packets: the remote peer, the link and the bytes.
    pub sent: Vec<(i32, u32, Vec<u8>)>,
    /// Links that the transport was asked to close.
    pub ended: Vec<(i32, u32)>,
}

/// The observable state of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub authenticating: Vec<i32>,
    pub peers: Vec<i32>,
    pub connected: bool,
    /// Time until the next timeout; `None` without pending peers.
    pub timeout_ms: Option<u64>,
    pub malformed: u64,
    pub stray: u64,
}

/// The model of a peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Model {
    pub id: i32,
    authenticates: bool,
    open: bool,
    connected: bool,
    /// True on a client that its server has not admitted yet.
    joining: bool,
    pending: Vec<Pending>,
    peers: Vec<Admitted>,
    malformed: u64,
    stray: u64,
    /// Time since the last input.
    idle_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pending {
    id: i32,
    link: u32,
    local: bool,
    remote: bool,
    age_ms: u64,
    /// Packets received after the local completion and before the remote one.
    overtaking: Vec<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Admitted {
    id: i32,
    /// `None` for relayed peers.
    link: Option<u32>,
}

impl Model {
    pub fn new(id: i32, authenticates: bool) -> Self {
        Self {
            id,
            authenticates,
            open: false,
            connected: true,
            joining: false,
            pending: Vec::new(),
            peers: Vec::new(),
            malformed: 0,
            stray: 0,
            idle_ms: 0,
        }
    }

    pub fn pass(&mut self, millis: u64) {
        self.idle_ms += millis;
    }

    /// Adds the elapsed time to the pending peers, except time in which the process did not run.
    fn count_time(&mut self) {
        let mut counted = std::mem::take(&mut self.idle_ms);
        if let Some(due) = self.due_ms().filter(|due| counted.saturating_sub(*due) > STALL_MS) {
            counted = due;
        }
        for pending in &mut self.pending {
            pending.age_ms = TIMEOUT_MS.min(pending.age_ms + counted);
        }
    }

    /// Returns the delay of the next turn after the last one.
    fn due_ms(&self) -> Option<u64> {
        let first = self.pending.iter().map(|pending| TIMEOUT_MS - pending.age_ms).min();
        first.map(|first| first.min(TURN_MS))
    }

    pub fn state(&self) -> State {
        State {
            authenticating: self.pending.iter().map(|pending| pending.id).collect(),
            peers: self.peers.iter().map(|peer| peer.id).collect(),
            connected: self.connected,
            timeout_ms: self.due_ms(),
            malformed: self.malformed,
            stray: self.stray,
        }
    }

    pub fn take(&mut self, input: &Input) -> Did {
        let mut did = Did::default();
        self.count_time();
        match *input {
            Input::Opened => {
                self.forget();
                self.open = true;
                self.connected = self.is_server();
                self.joining = !self.connected;
            }
            Input::Closed => {
                did.signals.push(match self.joining {
                    true => Signal::ConnectionFailed,
                    false => Signal::ServerDisconnected,
                });
                self.forget();
                self.open = false;
                self.connected = false;
            }
            Input::Connected(id, link) => {
                self.connected |= id == 1;
                if self.authenticates {
                    let (local, remote) = (false, false);
                    let overtaking = Vec::new();
                    self.pending.push(Pending { id, link, local, remote, age_ms: 0, overtaking });
                    did.signals.push(Signal::PeerAuthenticating(peer(id)));
                } else {
                    self.admit(id, Some(link), &mut did);
                }
            }
            Input::Disconnected(id, link) => self.lose(id, Some(link), true, &mut did),
            Input::Packet(id, link, ref packet) => self.receive(id, link, packet, &mut did),
            Input::Turn => {
                while let Some(late) = self.pending.iter().position(|it| it.age_ms == TIMEOUT_MS) {
                    let Pending { id, link, overtaking, .. } = self.pending.remove(late);
                    self.stray += overtaking.len() as u64;
                    did.ended.push((id, link));
                    did.signals.push(Signal::PeerAuthenticationFailed(peer(id)));
                }
            }
            Input::SendAuth(id) => did.code = self.send_auth(id, &mut did.sent),
            Input::Complete(id) => did.code = self.complete(id, &mut did),
            Input::Kick(id) => {
                let pending = self.pending.iter().find(|it| it.id == id).map(|it| it.link);
                let admitted = self.peers.iter().find(|it| it.id == id).and_then(|it| it.link);
                if let Some(link) = pending.or(admitted) {
                    self.lose(id, Some(link), false, &mut did);
                    did.ended.push((id, link));
                }
            }
            Input::Say(id) => match self.peers.iter().find(|it| it.id == id) {
                _ if !self.connected => did.code = 3,
                None => did.code = 47,
                Some(Admitted { link: Some(link), .. }) => {
                    did.sent.push((id, *link, vec![0x03, 0x5A]));
                }
                Some(_) => panic!("send_bytes through the relay is not modeled"),
            },
            Input::Clear => self.forget(),
        }
        did
    }

    fn send_auth(&self, id: i32, sent: &mut Vec<(i32, u32, Vec<u8>)>) -> i32 {
        match self.pending.iter().find(|it| it.id == id) {
            _ if !self.connected => 3,
            None => 31,
            Some(pending) if pending.local || pending.remote => 13,
            Some(pending) => {
                sent.push((id, pending.link, vec![0x07, 0x00, 0xA5]));
                0
            }
        }
    }

    fn complete(&mut self, id: i32, did: &mut Did) -> i32 {
        if !self.connected {
            return 3;
        }
        let Some(at) = self.pending.iter().position(|it| it.id == id) else { return 31 };
        if self.pending[at].local {
            return 13;
        }
        self.pending[at].local = true;
        let link = self.pending[at].link;
        did.sent.push((id, link, vec![0x07, 0x00]));
        if self.pending[at].remote {
            self.pending.remove(at);
            self.admit(id, Some(link), did);
        }
        0
    }

    fn receive(&mut self, from: i32, link: u32, packet: &[u8], did: &mut Did) {
        if let Some(at) = self.pending.iter().position(|it| (it.id, it.link) == (from, link)) {
            match packet {
                [0x07, 0x00] => {
                    self.pending[at].remote = true;
                    if self.pending[at].local {
                        let pending = self.pending.remove(at);
                        self.admit(from, Some(link), did);
                        for packet in pending.overtaking {
                            self.receive(from, link, &packet, did);
                        }
                    }
                }
                [0x07, 0x00, data @ ..] => {
                    let data = Bytes::copy_from_slice(data);
                    did.signals.push(Signal::PeerAuth { from: peer(from), data });
                }
                _ if self.pending[at].local => self.pending[at].overtaking.push(packet.to_vec()),
                _ if !self.pending[at].remote => self.end_one_sided(from, link, did),
                _ => self.malformed += 1,
            }
            return;
        }
        if !self.peers.iter().any(|it| (it.id, it.link) == (from, Some(link))) {
            self.stray += 1;
            return;
        }
        match *packet {
            [0x07, 0x00, ..] if !self.authenticates => self.end_one_sided(from, link, did),
            [0x07, 0x00] => {}
            [0x07, 0x01, a, b, c, d] if !self.is_server() => {
                self.admit(i32::from_le_bytes([a, b, c, d]), None, did);
            }
            [0x07, 0x02, a, b, c, d] if !self.is_server() => {
                self.lose(i32::from_le_bytes([a, b, c, d]), None, true, did);
            }
            [0x03, ref data @ ..] => {
                let data = Bytes::copy_from_slice(data);
                did.signals.push(Signal::PeerPacket { from: peer(from), data });
            }
            _ => self.malformed += 1,
        }
    }

    fn admit(&mut self, id: i32, link: Option<u32>, did: &mut Did) {
        if self.is_server() {
            // Godot interleaves the packets to the new peer and to the others. The order on each
            // link is the same.
            let others = self.peers.iter().map(|it| (it.id, it.link.unwrap()));
            did.sent.extend(others.clone().map(|(other, link)| (other, link, sys(0x01, id))));
            did.sent.extend(others.map(|(other, _)| (id, link.unwrap(), sys(0x01, other))));
        }
        if !self.peers.iter().any(|it| it.id == id) {
            self.peers.push(Admitted { id, link });
        }
        if id == 1 {
            self.joining = false;
            did.signals.push(Signal::ConnectedToServer);
        }
        did.signals.push(Signal::PeerConnected(peer(id)));
    }

    /// Closes a link on which only one peer authenticates.
    fn end_one_sided(&mut self, id: i32, link: u32, did: &mut Did) {
        self.stray += 1;
        did.ended.push((id, link));
        self.lose(id, Some(link), true, did);
    }

    /// Removes the peer on `link`. A link that was removed before has no peer.
    fn lose(&mut self, id: i32, link: Option<u32>, signal: bool, did: &mut Did) {
        if let Some(at) = self.pending.iter().position(|it| (it.id, Some(it.link)) == (id, link)) {
            self.stray += self.pending.remove(at).overtaking.len() as u64;
            if signal {
                did.signals.push(Signal::PeerAuthenticationFailed(peer(id)));
            }
        } else if let Some(at) = self.peers.iter().position(|it| (it.id, it.link) == (id, link)) {
            if self.is_server() {
                for other in self.peers.iter().filter(|other| other.id != id) {
                    did.sent.push((other.id, other.link.unwrap(), sys(0x02, id)));
                }
            }
            // The last peer takes the position of the removed one.
            self.peers.swap_remove(at);
            if signal {
                did.signals.push(Signal::PeerDisconnected(peer(id)));
            }
        }
    }

    fn forget(&mut self) {
        self.pending.clear();
        self.peers.clear();
    }

    fn is_server(&self) -> bool {
        self.id == 1
    }
}

pub fn peer(id: i32) -> PeerId {
    PeerId::new(id).expect("the id must be positive")
}

fn sys(kind: u8, id: i32) -> Vec<u8> {
    let mut packet = vec![0x07, kind];
    packet.extend(id.to_le_bytes());
    packet
}
