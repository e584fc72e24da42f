//! A branch that receives the inputs of the model.

use bytes::Bytes;
use mp_core::{
    ConnectionId, ConnectionOrigin, ConnectionStatus, DisconnectReason, EndpointId, EndpointInfo,
    Instant, Packet, PeerEvent, StateMachine, ToBranch, ToEndpoint, TransferMode,
};
use mp_scene::prelude::*;

use super::model::{Did, Input, State, TIMEOUT_MS, peer};

const ENDPOINT: EndpointId = EndpointId(0);

/// A real peer.
pub struct Side {
    pub branch: Branch,
    id: i32,
}

impl Side {
    pub fn new(id: i32, authenticates: bool) -> Self {
        let mut branch = Branch::builder("/root").build().unwrap();
        branch.scene().multiplayer_mut().set_authentication(authenticates);
        Self { branch, id }
    }

    /// Opens a transport with this status.
    pub fn open_as(&mut self, now: Instant, status: ConnectionStatus) {
        let info = EndpointInfo {
            unique_id: peer(self.id),
            status,
            relay_supported: true,
            max_packet_size: 1 << 24,
            outlives_program: false,
        };
        self.branch.handle_input(now, ToBranch::Opened(ENDPOINT, info));
    }

    pub fn take(&mut self, now: Instant, input: &Input) -> Did {
        let mut did = Did { code: self.hand_over(now, input), ..Did::default() };
        // The results of a call are available after the next input. A turn would also check
        // timeouts.
        self.branch.handle_input(now, ToBranch::Events(ENDPOINT, vec![]));
        did.signals.extend(std::iter::from_fn(|| self.branch.next_signal()));
        self.branch.deliver(&mut |_, message| {
            match message {
                ToEndpoint::Send(packets) => {
                    for packet in packets {
                        assert_eq!((packet.mode, packet.channel.0), (TransferMode::Reliable, 0));
                        for to in packet.to.as_slice() {
                            let bytes = packet.joined().to_vec();
                            did.sent.push((to.slot as i32, to.generation, bytes));
                        }
                    }
                }
                ToEndpoint::Disconnect { connection, .. } => {
                    did.ended.push((connection.slot as i32, connection.generation));
                }
                other => panic!("{other:?}"),
            }
            Ok(())
        });
        did
    }

    /// Runs the branch without events from one time until shortly before another. Nothing may
    /// happen.
    pub fn idle(&mut self, begin_ms: u64, end_ms: u64) {
        for millis in (begin_ms..end_ms).step_by(500) {
            assert_eq!(self.take(at(millis), &Input::Turn), Did::default(), "after {millis} ms");
        }
    }

    pub fn state(&mut self, now: Instant) -> State {
        let timeout = self.branch.poll_timeout();
        let multiplayer = self.branch.scene().multiplayer();
        let stats = multiplayer.stats();
        State {
            authenticating: multiplayer.authenticating_peers().map(PeerId::get).collect(),
            peers: multiplayer.peers().map(PeerId::get).collect(),
            connected: multiplayer.connection_status() == ConnectionStatus::Connected,
            timeout_ms: timeout.map(|due| (due - now).as_millis() as u64),
            malformed: stats.malformed_packets,
            stray: stats.stray_packets,
        }
    }

    /// Applies an input without collecting its results.
    pub fn hand_over(&mut self, now: Instant, input: &Input) -> i32 {
        let multiplayer = self.branch.scene().multiplayer_mut();
        match *input {
            Input::Opened => {
                let status = match self.id {
                    1 => ConnectionStatus::Connected,
                    _ => ConnectionStatus::Connecting,
                };
                self.open_as(now, status);
            }
            Input::Closed => {
                let closed = ToBranch::Closed(ENDPOINT, DisconnectReason::Closed);
                self.branch.handle_input(now, closed);
            }
            Input::Connected(id, link) => {
                let (connection, claimed_id) = (connection(id, link), Some(peer(id)));
                let origin = ConnectionOrigin::Process;
                self.receive(now, PeerEvent::Connected { connection, claimed_id, origin });
            }
            Input::Disconnected(id, link) => {
                let (connection, reason) = (connection(id, link), DisconnectReason::Timeout);
                self.receive(now, PeerEvent::Disconnected { connection, reason });
            }
            Input::Packet(id, link, ref bytes) => {
                let (from, payload) = (connection(id, link), Bytes::copy_from_slice(bytes));
                let (mode, channel) = (TransferMode::Reliable, Channel(0));
                self.receive(now, PeerEvent::Packet(Packet { from, mode, channel, payload }));
            }
            Input::Turn => self.branch.end_turn(now),
            Input::SendAuth(id) => return code(multiplayer.send_auth(peer(id), &[0xA5])),
            Input::Complete(id) => return code(multiplayer.complete_auth(peer(id))),
            Input::Kick(id) => multiplayer.disconnect_peer(peer(id)),
            Input::Say(id) => {
                let (mode, channel) = (TransferMode::Reliable, Channel(0));
                let said = multiplayer.send_bytes(&[0x5A], peer(id), mode, channel);
                return said.err().map_or(0, |error| error.godot_code());
            }
            Input::Clear => multiplayer.clear(),
        }
        0
    }

    fn receive(&mut self, now: Instant, event: PeerEvent) {
        self.branch.handle_input(now, ToBranch::Events(ENDPOINT, vec![event]));
    }
}

/// Returns the time `millis` after the start of a run.
pub fn at(millis: u64) -> Instant {
    Instant::from_millis(TIMEOUT_MS + millis)
}

fn connection(id: i32, link: u32) -> ConnectionId {
    ConnectionId { slot: id as u32, generation: link }
}

fn code(result: Result<(), mp_scene::AuthError>) -> i32 {
    result.err().map_or(0, |error| error.godot_code())
}
