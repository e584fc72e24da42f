//! [`SignalingServer`]: sockets, lobbies and the rules of the protocol.
#![expect(clippy::exhaustive_structs, reason = "an id is a number")]

mod lobbies;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::net::IpAddr;

use mp_core::{Instant, PeerId, Rate, ReasonCounts, Rng, RunningClock, TokenBucket};

#[cfg(doc)]
use crate::limits::REQUEST_BYTES_MAX;
use crate::limits::{
    JOIN_TIMEOUT, LOBBIES_MAX, MEMBERS_MAX, MESSAGE_BURST, MESSAGES_PER_SECOND, SOCKETS_MAX,
    SOCKETS_PER_ADDRESS_MAX,
};
use crate::lobby::{Host, Lobby};
use crate::message::{Message, MessageKind};
use crate::output::{CloseReason, Output};

/// The id of a WebSocket session, which the host assigns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// Settings of a [`SignalingServer`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SignalingOptions {
    /// Maximum number of lobbies. Default: [`LOBBIES_MAX`].
    pub max_lobbies: usize,
    /// Maximum number of members of a lobby. Default: [`MEMBERS_MAX`].
    pub max_members: usize,
    /// Maximum number of sockets of one address. Default: [`SOCKETS_PER_ADDRESS_MAX`].
    pub max_sockets_per_address: usize,
    /// True if clients may create lobbies. Default: true.
    pub creates_lobbies: bool,
}

impl Default for SignalingOptions {
    fn default() -> Self {
        Self {
            max_lobbies: LOBBIES_MAX,
            max_members: MEMBERS_MAX,
            max_sockets_per_address: SOCKETS_PER_ADDRESS_MAX,
            creates_lobbies: true,
        }
    }
}

/// Statistics of a [`SignalingServer`] since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignalingStats {
    /// Sockets opened.
    pub sockets: u64,
    /// Lobbies created.
    pub lobbies: u64,
    /// Messages relayed between peers.
    pub relayed_messages: u64,
    /// Candidates dropped because no client could parse them, including end-of-candidates.
    pub dropped_candidates: u64,
    /// Sockets closed by the server, by reason.
    pub closed_sockets: ReasonCounts<CloseReason>,
}

/// The server of Godot's signaling demo.
///
/// The creator of a lobby is its host and has id 1; other members get random ids. The lobby ends
/// when its host leaves. After SEAL no member may join, and the lobby ends after 10 s, when its
/// members have connected to each other.
///
/// A lobby [opened by the server](Self::open_lobby) has no host among its members: the server is
/// peer 1, with a WebRTC peer of its own. Such a lobby cannot be sealed and never ends.
#[derive(Debug)]
pub struct SignalingServer {
    options: SignalingOptions,
    rng: Rng,
    sockets: BTreeMap<SocketId, Socket>,
    /// Sockets that have not joined, by their deadlines.
    unjoined: BTreeSet<(Instant, SocketId)>,
    addresses: HashMap<IpAddr, usize>,
    lobbies: BTreeMap<String, Lobby>,
    /// Lobby for a JOIN without a name.
    default_lobby: Option<String>,
    /// True if a JOIN with another name joins the default lobby, too.
    accepts_any_name: bool,
    id_by_name: IdByName,
    outputs: VecDeque<Output>,
    /// Time in which the process did not run does not count against sockets that have not joined.
    clock: RunningClock,
    stats: SignalingStats,
}

#[derive(Debug)]
struct Socket {
    address: IpAddr,
    rate: TokenBucket,
    /// Time at which the socket is closed unless it has joined a lobby, by the server's clock.
    deadline: Instant,
    joined: Option<(String, PeerId)>,
}

impl SignalingServer {
    /// Returns a server without lobbies. Ids and lobby names are drawn from `rng`.
    pub fn new(options: SignalingOptions, rng: Rng) -> Self {
        Self {
            options,
            rng,
            sockets: BTreeMap::new(),
            unjoined: BTreeSet::new(),
            addresses: HashMap::new(),
            lobbies: BTreeMap::new(),
            default_lobby: None,
            accepts_any_name: false,
            id_by_name: IdByName(Box::new(|_| None)),
            outputs: VecDeque::new(),
            clock: RunningClock::default(),
            stats: SignalingStats::default(),
        }
    }

    /// Opens a lobby that this server hosts as peer 1, for up to `capacity` members. Does nothing
    /// if the lobby exists.
    pub fn open_lobby(&mut self, name: &str, capacity: usize) {
        let lobby = Lobby::new(Host::Server, false, capacity);
        self.lobbies.entry(name.to_owned()).or_insert(lobby);
    }

    /// Sets the lobby for a JOIN without a name. `None`: such a JOIN creates a lobby.
    pub fn set_default_lobby(&mut self, name: Option<String>) {
        self.default_lobby = name;
    }

    /// Sets whether a JOIN with any name of up to [`REQUEST_BYTES_MAX`] joins the default lobby.
    /// [`Output::AddPeer`] then has the name, for example that of a room. Default: no.
    pub const fn set_any_name(&mut self, accepts: bool) {
        self.accepts_any_name = accepts;
    }

    /// Sets the function that chooses the id that a member of a lobby of this server has in the
    /// game, by the name in its JOIN ([`set_any_name`](Self::set_any_name)). Several members may
    /// have the same id, which must not be 1. `None` (default): one that no other member has.
    pub fn set_id_by_name(&mut self, choose: impl Fn(&str) -> Option<PeerId> + Send + 'static) {
        self.id_by_name = IdByName(Box::new(choose));
    }

    /// Handles a new WebSocket session.
    pub fn handle_opened(&mut self, now: Instant, socket: SocketId, address: IpAddr) {
        self.stats.sockets += 1;
        let of_address = self.addresses.entry(address).or_default();
        *of_address += 1;
        let is_full =
            *of_address > self.options.max_sockets_per_address || self.sockets.len() >= SOCKETS_MAX;
        let (rate, deadline) = (TokenBucket::default(), self.advance(now) + JOIN_TIMEOUT);
        self.sockets.insert(socket, Socket { address, rate, deadline, joined: None });
        self.unjoined.insert((deadline, socket));
        if is_full {
            self.close(socket, CloseReason::ServerFull);
        }
    }

    /// Handles a text message. Binary messages are invalid: pass an empty text for them.
    pub fn handle_message(&mut self, now: Instant, socket: SocketId, text: &str) {
        let Some(state) = self.sockets.get_mut(&socket) else { return };
        if !state.rate.take(now, MESSAGE_RATE, 1) {
            return self.close(socket, CloseReason::TooManyMessages);
        }
        let joined = state.joined.clone();
        let message = match Message::from_text(text) {
            Ok(message) => message,
            Err(error) => {
                tracing::debug!(?socket, %error, "invalid signaling message");
                return self.close(socket, CloseReason::InvalidMessage);
            }
        };
        match (message.kind, joined) {
            (MessageKind::Join, None) => self.join(socket, &message),
            (MessageKind::Join, Some(_)) => self.close(socket, CloseReason::AlreadyJoined),
            (_, None) => self.close(socket, CloseReason::NotJoined),
            (MessageKind::Seal, Some((lobby, peer))) => self.seal(now, socket, &lobby, peer),
            (
                MessageKind::Offer | MessageKind::Answer | MessageKind::Candidate,
                Some((lobby, peer)),
            ) => self.relay(socket, &lobby, peer, message),
            _ => self.close(socket, CloseReason::InvalidMessage),
        }
    }

    /// Handles the end of a WebSocket session that the remote peer closed.
    pub fn handle_closed(&mut self, socket: SocketId) {
        self.forget(socket);
    }

    /// Sends an answer or candidate of the WebRTC peer that hosts a lobby to one of its members.
    pub fn send_from_host(&mut self, lobby: &str, peer: PeerId, kind: MessageKind, data: String) {
        let lobby = self.lobbies.get(lobby).filter(|lobby| lobby.host() == Host::Server);
        if let Some(socket) = lobby.and_then(|lobby| lobby.socket(peer)) {
            let message = Message::new(kind, PeerId::SERVER.get(), data);
            self.outputs.push_back(Output::Send { socket, message });
        }
    }

    /// Removes a member from a lobby that this server hosts, and closes its socket. Does not report
    /// [`Output::PeerLeft`].
    pub fn remove_member(&mut self, lobby: &str, peer: PeerId, reason: CloseReason) {
        let Some(lobby) = self.lobbies.get_mut(lobby) else { return };
        let socket = lobby.socket(peer).filter(|_| lobby.host() == Host::Server);
        let Some(socket) = socket else { return };
        lobby.remove(peer);
        if let Some(state) = self.sockets.get_mut(&socket) {
            state.joined = None;
        }
        self.close(socket, reason);
    }

    /// Closes sockets that have not joined in time, and lobbies whose time after SEAL has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let time = self.advance(now);
        while let Some(&(deadline, socket)) = self.unjoined.first()
            && deadline <= time
        {
            self.unjoined.pop_first();
            self.close(socket, CloseReason::NotJoined);
        }
        let ended = |lobby: &Lobby| lobby.ends().is_some_and(|ends| ends <= now);
        let complete = self.lobbies.iter().filter(|(_, lobby)| ended(lobby));
        for name in complete.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.end_lobby(&name, CloseReason::SealComplete);
        }
    }

    /// Returns the time at which [`handle_timeout`](Self::handle_timeout) is due. While a socket
    /// has not joined, that is at most 500 ms after the last call, so that a late one is noticed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let joins = self.join_turn().map(|at| self.clock.to_program(at));
        joins.into_iter().chain(self.lobbies.values().filter_map(Lobby::ends)).min()
    }

    /// Removes and returns the oldest action.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns the statistics.
    pub const fn stats(&self) -> SignalingStats {
        self.stats
    }

    /// Returns the number of lobbies.
    pub fn lobby_count(&self) -> usize {
        self.lobbies.len()
    }

    /// Returns the number of open sockets.
    pub fn socket_count(&self) -> usize {
        self.sockets.len()
    }

    /// Returns the server's time.
    fn advance(&mut self, now: Instant) -> Instant {
        let mut clock = self.clock;
        let now = clock.advance(now, || self.join_turn());
        self.clock = clock;
        now
    }

    /// Returns the time of the next turn for sockets that have not joined, by the server's clock.
    fn join_turn(&self) -> Option<Instant> {
        let &(deadline, _) = self.unjoined.first()?;
        Some(deadline.min(self.clock.now() + JOIN_TIMEOUT / 2))
    }

    fn close(&mut self, socket: SocketId, reason: CloseReason) {
        if self.sockets.contains_key(&socket) {
            self.stats.closed_sockets.count(reason);
            self.outputs.push_back(Output::Close { socket, reason });
            self.forget(socket);
        }
    }

    /// Removes a socket and notifies the other members of its lobby.
    fn forget(&mut self, socket: SocketId) {
        let Some(state) = self.sockets.remove(&socket) else { return };
        if let Some(count) = self.addresses.get_mut(&state.address) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&state.address);
            }
        }
        self.unjoined.remove(&(state.deadline, socket));
        let Some((name, peer)) = state.joined else { return };
        let Some(lobby) = self.lobbies.get_mut(&name) else { return };
        lobby.remove(peer);
        if lobby.host() == Host::Server {
            self.outputs.push_back(Output::PeerLeft { lobby: name, peer });
        } else if lobby.is_empty() || (peer.is_server() && !lobby.is_sealed()) {
            self.end_lobby(&name, CloseReason::HostLeft);
        } else if !lobby.is_sealed() {
            for (_, socket) in lobby.members() {
                let message = Message::new(MessageKind::PeerDisconnect, peer.get(), "");
                self.outputs.push_back(Output::Send { socket, message });
            }
        }
    }

    fn end_lobby(&mut self, name: &str, reason: CloseReason) {
        let Some(lobby) = self.lobbies.remove(name) else { return };
        for (_, socket) in lobby.members() {
            self.stats.closed_sockets.count(reason);
            self.outputs.push_back(Output::Close { socket, reason });
            self.forget(socket);
        }
    }
}

/// The function that chooses the id of a member by the name in its JOIN.
struct IdByName(Box<ChooseId>);

type ChooseId = dyn Fn(&str) -> Option<PeerId> + Send;

impl fmt::Debug for IdByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdByName")
    }
}

/// Maximum rate of the messages of a socket.
const MESSAGE_RATE: Rate =
    Rate::per_second(MESSAGES_PER_SECOND as u64).with_burst(MESSAGE_BURST as u64);
