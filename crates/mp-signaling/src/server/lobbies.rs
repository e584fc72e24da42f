//! Lobbies: their members join, exchange messages and seal them.

use mp_core::{Instant, PeerId};

use super::{SignalingServer, SocketId};
use crate::limits::{LOBBY_NAME_BYTES_MAX, NAME_ATTEMPTS, REQUEST_BYTES_MAX, SEAL_TIMEOUT};
use crate::lobby::{Host, Lobby};
use crate::message::{Message, MessageKind};
use crate::output::{CloseReason, Output};

impl SignalingServer {
    pub(super) fn join(&mut self, socket: SocketId, message: &Message) {
        let requested = if self.accepts_any_name { &*message.data } else { "" };
        let name = match (&*message.data, &self.default_lobby) {
            ("", Some(name)) => name.clone(),
            (_, Some(name)) if self.accepts_any_name => {
                if requested.len() > REQUEST_BYTES_MAX {
                    return self.close(socket, CloseReason::NoLobby);
                }
                name.clone()
            }
            ("", None) => match self.create_lobby(message.id == 0) {
                Some(name) => name,
                None => return self.close(socket, CloseReason::ServerFull),
            },
            (name, _) => name.to_owned(),
        };
        let Some(lobby) = self.lobbies.get(&name).filter(|_| is_lobby_name(&name)) else {
            return self.close(socket, CloseReason::NoLobby);
        };
        if lobby.is_sealed() {
            return self.close(socket, CloseReason::Sealed);
        }
        if lobby.is_full() {
            return self.close(socket, CloseReason::LobbyFull);
        }
        let is_host = lobby.host() == Host::Member && lobby.members().next().is_none();
        let peer = match is_host {
            true => PeerId::SERVER,
            false => self.draw_id(&name),
        };
        self.admit(socket, &name, peer, requested);
    }

    fn admit(&mut self, socket: SocketId, name: &str, peer: PeerId, requested: &str) {
        let Some(lobby) = self.lobbies.get_mut(name) else { return };
        let is_chosen = |id: &PeerId| lobby.host() == Host::Server && !id.is_server();
        let claimed_id = (self.id_by_name.0)(requested).filter(is_chosen).unwrap_or(peer);
        let mut send = |socket, kind, id: i32, data: &str| {
            let message = Message::new(kind, id, data);
            self.outputs.push_back(Output::Send { socket, message });
        };
        let mesh = if lobby.is_mesh() { "true" } else { "" };
        send(socket, MessageKind::Id, claimed_id.get(), mesh);
        for (neighbour, its_socket) in lobby.neighbours() {
            send(its_socket, MessageKind::PeerConnect, peer.get(), "");
            send(socket, MessageKind::PeerConnect, neighbour.get(), "");
        }
        if lobby.host() == Host::Server {
            send(socket, MessageKind::PeerConnect, PeerId::SERVER.get(), "");
        }
        let joined = if requested.is_empty() { name } else { requested };
        send(socket, MessageKind::Join, 0, joined);
        let host = lobby.host();
        lobby.insert(peer, socket);
        if let Some(state) = self.sockets.get_mut(&socket) {
            if host == Host::Server {
                let (lobby, address) = (name.to_owned(), state.address);
                let requested = requested.to_owned();
                let added = Output::AddPeer { lobby, peer, claimed_id, address, requested };
                self.outputs.push_back(added);
            }
            state.joined = Some((name.to_owned(), peer));
            self.unjoined.remove(&(state.deadline, socket));
        }
    }

    pub(super) fn relay(&mut self, socket: SocketId, name: &str, from: PeerId, message: Message) {
        let Some(lobby) = self.lobbies.get(name) else { return };
        let Some(to) = message.peer() else {
            return self.close(socket, CloseReason::NoDestination);
        };
        if message.kind == MessageKind::Candidate && message.candidate_parts().is_none() {
            self.stats.dropped_candidates += 1;
            return;
        }
        if to.is_server() && lobby.host() == Host::Server {
            self.stats.relayed_messages += 1;
            let lobby = name.to_owned();
            self.outputs.push_back(Output::Deliver { lobby, peer: from, message });
            return;
        }
        let Some(its_socket) = lobby.socket(to).filter(|_| to != from) else {
            return self.close(socket, CloseReason::NoDestination);
        };
        self.stats.relayed_messages += 1;
        let message = Message { id: from.get(), ..message };
        self.outputs.push_back(Output::Send { socket: its_socket, message });
    }

    pub(super) fn seal(&mut self, now: Instant, socket: SocketId, name: &str, peer: PeerId) {
        let Some(lobby) = self.lobbies.get_mut(name) else { return };
        // The member with id 1 is the host. A lobby of the server has no such member.
        if !peer.is_server() || lobby.is_sealed() {
            return self.close(socket, CloseReason::InvalidMessage);
        }
        lobby.seal(now + SEAL_TIMEOUT);
        for (_, socket) in lobby.members() {
            let message = Message::new(MessageKind::Seal, 0, "");
            self.outputs.push_back(Output::Send { socket, message });
        }
    }

    fn create_lobby(&mut self, is_mesh: bool) -> Option<String> {
        if !self.options.creates_lobbies || self.lobbies.len() >= self.options.max_lobbies {
            return None;
        }
        for _ in 0..NAME_ATTEMPTS {
            let name = self.draw_name();
            if !self.lobbies.contains_key(&name) {
                self.stats.lobbies += 1;
                let lobby = Lobby::new(Host::Member, is_mesh, self.options.max_members);
                self.lobbies.insert(name.clone(), lobby);
                return Some(name);
            }
        }
        None
    }

    fn draw_name(&mut self) -> String {
        const LETTERS: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut letter = || LETTERS[self.rng.below(LETTERS.len() as u64) as usize];
        (0..LOBBY_NAME_BYTES_MAX).map(|_| char::from(letter())).collect()
    }

    fn draw_id(&mut self, lobby: &str) -> PeerId {
        // Terminates quickly: a lobby uses few of the 2³¹ ids.
        loop {
            let id = PeerId::generate(&mut self.rng);
            if !self.lobbies.get(lobby).is_some_and(|lobby| lobby.contains(id)) {
                return id;
            }
        }
    }
}

fn is_lobby_name(name: &str) -> bool {
    name.len() <= LOBBY_NAME_BYTES_MAX && !name.is_empty()
}
