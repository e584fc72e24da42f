//! State that the connections of a peer share.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use mp_core::{
    ConnectionGate, ConnectionStatus, GatePass, GateRefusal, Instant, PeerEvent, PeerId,
    ReasonCounts, Rng,
};

use super::refusal::{MessageRefusal, RequestRefusal};
use super::request::RequestRules;
use super::text::TextSessions;
use crate::options::IdByUrl;

/// Settings, client ids and events of all connections of a peer.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) settings: Settings,
    pub(crate) rules: RequestRules,
    pub(crate) rng: Rng,
    pub(crate) unique_id: PeerId,
    pub(crate) status: ConnectionStatus,
    pub(crate) is_refusing: bool,
    /// Gate of a server that accepts or refuses addresses.
    pub(crate) gate: Option<ConnectionGate>,
    pub(crate) events: VecDeque<PeerEvent>,
    pub(crate) refused_requests: ReasonCounts<RequestRefusal>,
    pub(crate) refused_messages: ReasonCounts<MessageRefusal>,
    /// Bytes received from sockets, with those of TLS and HTTP.
    pub(crate) network_bytes_received: u64,
    /// Bytes written to sockets, with those of TLS and HTTP.
    pub(crate) network_bytes_sent: u64,
    pub(crate) text: TextSessions,
    /// Peer ids of a server's clients, with the number of clients that have each.
    ids: BTreeMap<PeerId, usize>,
    clients: usize,
    /// Chooses the ids of clients by their URLs.
    pub(crate) id_by_url: Option<IdByUrl>,
    /// Last close frame received from a remote peer.
    pub(crate) last_close: Option<LastClose>,
    /// Scratch buffer for decrypted bytes, or for bytes to encrypt.
    pub(crate) plain: Vec<u8>,
}

/// Settings of each connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Size in bytes of the largest received message.
    pub(crate) inbound_max: usize,
    /// Size in bytes of the largest sent packet.
    pub(crate) max_packet_size: usize,
    pub(crate) max_queued_packets: usize,
    pub(crate) reliable_queue_bytes: usize,
    /// Maximum number of queued bytes of all connections.
    pub(crate) buffered_bytes: usize,
    pub(crate) max_clients: usize,
    pub(crate) handshake_timeout: Duration,
    pub(crate) heartbeat_interval: Duration,
    /// Time after which a connection to a silent host is closed. Zero keeps the defaults of the
    /// operating system.
    pub(crate) tcp_timeout: Duration,
}

/// A close frame received from a remote peer (Godot: `WebSocketPeer.get_close_code`,
/// `get_close_reason`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastClose {
    /// The connection that ended.
    pub connection: mp_core::ConnectionId,
    /// Close code; 0 if the frame has none.
    pub code: u16,
    /// Close reason, often empty, at most 123 bytes.
    pub reason: String,
}

impl Session {
    pub(crate) fn new(
        settings: Settings,
        rules: RequestRules,
        mut rng: Rng,
        status: ConnectionStatus,
    ) -> Self {
        let unique_id = match status {
            ConnectionStatus::Connected => PeerId::SERVER,
            // A placeholder: the server assigns the client's id.
            _ => PeerId::generate(&mut rng),
        };
        Self {
            settings,
            rules,
            rng,
            unique_id,
            status,
            is_refusing: false,
            gate: None,
            events: VecDeque::new(),
            refused_requests: ReasonCounts::default(),
            refused_messages: ReasonCounts::default(),
            network_bytes_received: 0,
            network_bytes_sent: 0,
            text: TextSessions::default(),
            ids: BTreeMap::new(),
            clients: 0,
            id_by_url: None,
            last_close: None,
            plain: Vec::new(),
        }
    }

    /// Returns whether the gate accepts a connection of `address`, and its permission if there is a
    /// gate.
    pub(crate) fn enter(
        &self,
        now: Instant,
        address: IpAddr,
    ) -> Result<Option<GatePass>, GateRefusal> {
        let Some(gate) = &self.gate else { return Ok(None) };
        gate.check(now, address)?;
        Ok(Some(gate.enter(now, address)))
    }

    /// Returns whether the gate has not banned an address.
    pub(crate) fn check_ban(&self, address: IpAddr) -> Result<(), GateRefusal> {
        self.gate.as_ref().map_or(Ok(()), |gate| gate.check_ban(address))
    }

    /// Returns whether the server accepts another client.
    pub(crate) fn has_capacity(&self) -> bool {
        self.clients < self.settings.max_clients
    }

    /// Returns the peer id of a new client: the one that the program chooses by its URL, which
    /// another client may have, or one that no client has. (Godot's servers do not check this.)
    pub(crate) fn draw_id(&mut self, url: &str) -> PeerId {
        let chosen = self.id_by_url.as_ref().and_then(|choose| choose.0(url));
        let id = chosen.filter(|id| !id.is_server()).unwrap_or_else(|| {
            loop {
                let id = PeerId::generate(&mut self.rng);
                if !self.ids.contains_key(&id) {
                    break id;
                }
            }
        });
        *self.ids.entry(id).or_default() += 1;
        self.clients += 1;
        id
    }

    pub(crate) fn free_id(&mut self, id: PeerId) {
        let Some(count) = self.ids.get_mut(&id) else { return };
        *count -= 1;
        self.clients -= 1;
        if *count == 0 {
            self.ids.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ServerOptions;

    #[test]
    fn program_chooses_ids_by_url_and_others_are_unused() {
        let chosen = PeerId::new(9).unwrap();
        let options = ServerOptions::default().max_clients(4).id_by_url(move |url| match url {
            "/nine" => Some(chosen),
            "/one" => Some(PeerId::SERVER),
            _ => None,
        });
        let (settings, rules) = options.read().unwrap();
        let (rng, status) = (Rng::seed_from_u64(1), ConnectionStatus::Connected);
        let mut session = Session::new(settings, rules, rng, status);
        session.id_by_url.clone_from(&options.id_by_url);
        assert_eq!((session.draw_id("/nine"), session.draw_id("/nine")), (chosen, chosen));
        let others = [session.draw_id("/"), session.draw_id("/one")];
        assert!(others[0] != others[1] && !others.contains(&PeerId::SERVER));
        assert!(!session.has_capacity());
        // The id is in use until both clients have left.
        session.free_id(chosen);
        assert!(session.has_capacity() && session.ids.contains_key(&chosen));
        session.free_id(chosen);
        assert!(!session.ids.contains_key(&chosen));
    }
}
