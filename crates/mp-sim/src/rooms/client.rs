//! A client that selects a room by authentication packet, and checks who it meets there.

use std::time::Duration;

use mp_core::{
    Channel, CloseMode, ConnectionStatus, DisconnectReason, Instant, MultiplayerPeer, PeerId, Rng,
    Target, TransferMode,
};
use mp_scene::{Branch, Signal};
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer};

use super::{CODE, PRIVATE, ROOMS, Wishes};
use crate::net::SimulatedNetwork;
use crate::net::socket::SimSocket;
use crate::rng_ext::RngExt;

/// A client of the server.
pub(super) struct Client {
    branch: Branch,
    peer: EnetMultiplayerPeer<SimSocket>,
    room: &'static str,
    /// True if the client knows the code of the private room.
    knows_code: bool,
    is_connected: bool,
    /// Time at which it leaves.
    leaves: Instant,
    /// Time at which it is dropped although it has not finished leaving.
    ends: Option<Instant>,
}

impl Client {
    pub(super) fn new(socket: SimSocket, now: Instant, rng: &mut Rng) -> Self {
        let options = ClientOptions::default().seed(rng.next_seed());
        let server = SimulatedNetwork::server_address(0);
        let peer = EnetMultiplayerPeer::client(socket, server, options).expect("valid options");
        let mut branch = Branch::builder("/root").build().expect("a branch without nodes");
        branch.scene().multiplayer_mut().set_authentication(true);
        let room = rng.pick(&ROOMS).copied().unwrap_or(PRIVATE);
        let stays = rng.duration(Duration::from_millis(200), Duration::from_secs(8));
        let knows_code = rng.chance(500);
        Self {
            branch,
            peer,
            room,
            knows_code,
            is_connected: false,
            leaves: now + stays,
            ends: None,
        }
    }

    pub(super) fn id(&self) -> PeerId {
        self.peer.unique_id()
    }

    pub(super) fn room(&self) -> &'static str {
        self.room
    }

    /// Runs a turn. Returns whether the client has ended; the error is a violation.
    pub(super) fn step(
        &mut self,
        now: Instant,
        is_active: bool,
        wishes: &Wishes,
        rng: &mut Rng,
    ) -> Result<bool, String> {
        self.branch.poll(&mut self.peer, now);
        while let Some(signal) = self.branch.next_signal() {
            self.handle(&signal, wishes)?;
        }
        if self.is_connected && is_active && rng.chance(20) {
            let text = format!("{} of {}", self.id(), self.room);
            let mode = TransferMode::Reliable;
            // A client that is being disconnected cannot send.
            let _ = self.branch.scene().send_bytes(text.as_bytes(), Target::All, mode, Channel(0));
        }
        if (now >= self.leaves || !is_active) && self.ends.is_none() {
            self.ends = Some(now + Duration::from_secs(4));
            self.branch.close(DisconnectReason::Closed, CloseMode::Drain);
        }
        let has_ended = self.peer.connection_status() == ConnectionStatus::Disconnected;
        Ok(has_ended || self.ends.is_some_and(|end| now >= end))
    }

    fn handle(&mut self, signal: &Signal, wishes: &Wishes) -> Result<(), String> {
        match signal {
            Signal::PeerAuthenticating(peer) => {
                let code = if self.knows_code { format!("&code={CODE}") } else { String::new() };
                let data = format!("room={}{code}", self.room);
                let multiplayer = self.branch.scene().multiplayer_mut();
                // The connection may have ended already.
                let _ = multiplayer.send_auth(*peer, data.as_bytes());
                let _ = multiplayer.complete_auth(*peer);
            }
            Signal::ConnectedToServer => {
                self.is_connected = true;
                if self.room == PRIVATE && !self.knows_code {
                    return Err(format!("{} is in the private room without its code", self.id()));
                }
            }
            Signal::PeerConnected(peer) if !peer.is_server() => {
                let other = wishes.get(peer);
                if other != Some(&self.room) {
                    let (id, room) = (self.id(), self.room);
                    return Err(format!(
                        "{id} in room {room} meets {peer}, which selected {other:?}"
                    ));
                }
            }
            Signal::PeerPacket { from, data } if *data != format!("{from} of {}", self.room) => {
                let text = String::from_utf8_lossy(data);
                return Err(format!("{} in room {} receives {text:?}", self.id(), self.room));
            }
            _ => {}
        }
        Ok(())
    }
}
