//! What the links of one peer share.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use mp_core::{ConnectionStatus, PeerEvent, PeerId, Rng};

use super::request::RequestRules;
use super::text::TextSessions;

/// Settings, the ids that are taken, and the events of all links.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) settings: Settings,
    pub(crate) rules: RequestRules,
    pub(crate) rng: Rng,
    pub(crate) unique_id: PeerId,
    pub(crate) status: ConnectionStatus,
    pub(crate) refusing: bool,
    pub(crate) events: VecDeque<PeerEvent>,
    /// Requests rejected because of the web page that they are from.
    pub(crate) forbidden: u64,
    pub(crate) text: TextSessions,
    /// The clients of a server.
    ids: HashSet<PeerId>,
    /// The last goodbye of another side.
    pub(crate) last_close: Option<LastClose>,
    /// A buffer for what is decrypted or about to be encrypted.
    pub(crate) plain: Vec<u8>,
}

/// What applies to each link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Largest message that is taken.
    pub(crate) inbound_max: usize,
    /// Largest packet that is sent.
    pub(crate) max_packet_size: usize,
    pub(crate) max_queued_packets: usize,
    pub(crate) reliable_queue_bytes: usize,
    /// Bytes of all connections.
    pub(crate) waiting_bytes: usize,
    pub(crate) max_clients: usize,
    pub(crate) handshake_timeout: Duration,
    pub(crate) heartbeat_interval: Duration,
    /// Zero: the system's own.
    pub(crate) tcp_timeout: Duration,
}

/// How another side said goodbye: Godot's `WebSocketPeer.get_close_code` and `get_close_reason`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastClose {
    /// The link that ended.
    pub connection: mp_core::ConnectionId,
    /// The code; 0 when there was none.
    pub code: u16,
    /// The reason, often empty; at most 123 bytes.
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
            // Nobody has it: the server draws the one that counts.
            _ => PeerId::generate(&mut rng),
        };
        Self {
            settings,
            rules,
            rng,
            unique_id,
            status,
            refusing: false,
            events: VecDeque::new(),
            forbidden: 0,
            text: TextSessions::default(),
            ids: HashSet::new(),
            last_close: None,
            plain: Vec::new(),
        }
    }

    /// Whether there is room for one client more.
    pub(crate) fn has_room(&self) -> bool {
        self.ids.len() < self.settings.max_clients
    }

    /// An id that no client has. (Godot's servers do not look whether one has it.)
    pub(crate) fn draw_id(&mut self) -> PeerId {
        loop {
            let id = PeerId::generate(&mut self.rng);
            if self.ids.insert(id) {
                return id;
            }
        }
    }

    pub(crate) fn free_id(&mut self, id: PeerId) {
        self.ids.remove(&id);
    }
}
