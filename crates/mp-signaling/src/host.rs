//! [`LobbyHost`]: signaling between WebSocket sessions and a WebRTC peer of this process.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::task::{Context, Poll};

use mp_core::{ConnectionId, ErrorChain, Instant, PeerId, Reason as _, Rng, RunningClock};
use mp_transport_webrtc::{Requester, SdpKind, Signal, Signaling, SignalingError};
use mp_transport_ws::{TextAction, TextService};

use crate::ice_server::IceServer;
use crate::limits::OFFER_TIMEOUT;
use crate::message::{Message, MessageKind};
use crate::output::{CloseReason, Output};
use crate::server::{SignalingOptions, SignalingServer, SignalingStats, SocketId};

/// The signaling of one lobby that this process hosts as peer 1 (feature `host`): the protocol of
/// Godot's demo in [text sessions](TextService) on one side, a WebRTC peer on the other.
///
/// The peer should be ICE-lite: candidates of members are not passed on to it, because it learns
/// their addresses from their checks. A JOIN without a lobby name joins the lobby. A member that
/// makes no offer within [`OFFER_TIMEOUT`] is removed, one whose connection ends loses its session.
/// A member may end its session once it is connected.
#[derive(Debug)]
pub struct LobbyHost {
    name: String,
    ice_servers: IceServerSource,
    server: SignalingServer,
    room: Signaling,
    /// Time by which members must send their offer, by `clock`.
    offers_due: BTreeMap<PeerId, Instant>,
    /// Time in which the process did not run does not count against members.
    clock: RunningClock,
    signals: VecDeque<Signal>,
    actions: VecDeque<TextAction>,
}

impl LobbyHost {
    /// Opens the lobby `name` with room for [`SignalingOptions::max_members`]. `room` commands the
    /// WebRTC peer that hosts it, which may run on another thread.
    pub fn new(name: &str, options: SignalingOptions, room: Signaling, rng: Rng) -> Self {
        let members = options.max_members;
        let mut server = SignalingServer::new(options, rng);
        server.open_lobby(name, members);
        server.set_default_lobby(Some(name.to_owned()));
        let (offers_due, signals) = (BTreeMap::new(), VecDeque::new());
        let (name, actions) = (name.to_owned(), VecDeque::new());
        let clock = RunningClock::default();
        let ice_servers = IceServerSource(Box::new(|_| Vec::new()));
        Self { name, ice_servers, server, room, offers_due, clock, signals, actions }
    }

    /// Sets whether a JOIN with any name joins the lobby, for example with that of a room. The
    /// origin of the connection then has the URL `webrtc:///NAME`. Default: no, so that a JOIN with
    /// another name is refused.
    pub const fn set_any_name(&mut self, accepts: bool) {
        self.server.set_any_name(accepts);
    }

    /// Sets the function that chooses the peer id that a client has in the game, by the URL of its
    /// connection ([`set_any_name`](Self::set_any_name)), for example to resume a session. Several
    /// connections may claim the same id: the program behind the transport decides about them.
    /// `None` (default): an id that no other member has.
    pub fn set_id_by_url(&mut self, choose: impl Fn(&str) -> Option<PeerId> + Send + 'static) {
        self.server.set_id_by_name(move |name| choose(&url_of(name)));
    }

    /// Sets the function that returns the STUN and TURN servers of a member (default: none), which
    /// the host sends with its ID message.
    pub fn set_ice_servers(
        &mut self,
        source: impl FnMut(PeerId) -> Vec<IceServer> + Send + 'static,
    ) {
        self.ice_servers = IceServerSource(Box::new(source));
    }

    /// Returns the time of `clock`.
    fn advance(&mut self, now: Instant) -> Instant {
        let mut clock = self.clock;
        let now = clock.advance(now, || self.offer_turn());
        self.clock = clock;
        now
    }

    /// Returns the time of the next turn for members without an offer, by `clock`: at most a second
    /// after the last one, so that a late one is noticed.
    fn offer_turn(&self) -> Option<Instant> {
        let due = self.offers_due.values().min()?;
        Some((*due).min(self.clock.now() + RunningClock::STALL_MIN))
    }

    /// Counters of the signaling server.
    pub fn stats(&self) -> SignalingStats {
        self.server.stats()
    }

    /// Does what the lobby asks for.
    fn run_outputs(&mut self, now: Instant) {
        while let Some(output) = self.server.next_output() {
            match output {
                Output::Send { socket, message } => {
                    let ice_servers = match (message.kind, message.peer()) {
                        (MessageKind::Id, Some(peer)) => (self.ice_servers.0)(peer),
                        _ => Vec::new(),
                    };
                    let (session, text) = (session_of(socket), message.to_text_with(&ice_servers));
                    self.actions.push_back(TextAction::Send { session, text });
                }
                Output::Close { socket, reason } => {
                    tracing::debug!(?socket, %reason, "signaling ends");
                    let (session, code) = (session_of(socket), reason.code());
                    let reason = reason.text().to_owned();
                    self.actions.push_back(TextAction::Close { session, code, reason });
                }
                Output::AddPeer { peer, claimed_id, address, requested, .. } => {
                    let due = self.advance(now) + OFFER_TIMEOUT;
                    self.offers_due.insert(peer, due);
                    let mut requester = Requester::from(address).claimed_id(claimed_id);
                    if !requested.is_empty() {
                        requester = requester.url(url_of(&requested));
                    }
                    let added = self.room.add_peer_of(peer, UNRELIABLE_LIFETIME_MS, requester);
                    self.check(peer, added);
                }
                Output::Deliver { peer, message, .. } => self.deliver(peer, message),
                Output::PeerLeft { peer, .. } => self.leave(peer),
            }
        }
    }

    fn deliver(&mut self, peer: PeerId, message: Message) {
        let kind = match message.kind {
            MessageKind::Offer => SdpKind::Offer,
            MessageKind::Answer => SdpKind::Answer,
            _ => return,
        };
        self.offers_due.remove(&peer);
        let set = self.room.set_remote_description(peer, kind, message.data);
        self.check(peer, set);
    }

    /// Closes the session of a player for whom the transport takes no command.
    fn check(&mut self, peer: PeerId, result: Result<(), SignalingError>) {
        if result.is_err() {
            self.remove(peer, CloseReason::ServerFull);
        }
    }

    fn handle_signal(&mut self, signal: Signal) {
        match signal {
            Signal::PeerRemoved { peer } => self.remove(peer, CloseReason::ConnectionEnded),
            Signal::Failed { peer, error } => {
                let cause = ErrorChain::new(&error);
                tracing::debug!(%peer, error = %cause, "signaling failed");
                let reason = match error {
                    SignalingError::AddPeer(_) => CloseReason::LobbyFull,
                    _ => CloseReason::InvalidMessage,
                };
                self.remove(peer, reason);
                // For a peer that was not added it does nothing.
                let _ = self.room.remove_peer(peer);
            }
            signal => {
                let Some(message) = Message::from_signal(signal) else { return };
                if let Some(peer) = message.peer() {
                    self.server.send_from_host(&self.name, peer, message.kind, message.data);
                }
            }
        }
    }

    /// Handles the end of a player's session: without an offer nothing can become of it, with one
    /// its connection goes on by itself.
    fn leave(&mut self, peer: PeerId) {
        if self.offers_due.remove(&peer).is_some() {
            let _ = self.room.remove_peer(peer);
        }
    }

    fn remove(&mut self, peer: PeerId, reason: CloseReason) {
        self.offers_due.remove(&peer);
        self.server.remove_member(&self.name, peer, reason);
    }
}

impl TextService for LobbyHost {
    fn handle_opened(&mut self, now: Instant, session: ConnectionId, address: IpAddr) {
        self.server.handle_opened(now, socket_of(session), address);
        self.run_outputs(now);
    }

    fn handle_message(&mut self, now: Instant, session: ConnectionId, text: &str) {
        self.server.handle_message(now, socket_of(session), text);
        self.run_outputs(now);
    }

    fn handle_closed(&mut self, now: Instant, session: ConnectionId) {
        self.server.handle_closed(socket_of(session));
        self.run_outputs(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some(signal) = self.signals.pop_front().or_else(|| self.room.next_signal()) {
            self.handle_signal(signal);
        }
        let time = self.advance(now);
        let late = self.offers_due.iter().filter(|(_, due)| **due <= time);
        for peer in late.map(|(&peer, _)| peer).collect::<Vec<_>>() {
            self.remove(peer, CloseReason::NoOffer);
            let _ = self.room.remove_peer(peer);
        }
        self.server.handle_timeout(now);
        self.run_outputs(now);
    }

    fn next_action(&mut self) -> Option<TextAction> {
        self.actions.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let offers = self.offer_turn().map(|at| self.clock.to_program(at));
        [offers, self.server.poll_timeout()].into_iter().flatten().min()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.signals.is_empty()
            && let Poll::Ready(signal) = self.room.poll_signal(cx)
        {
            self.signals.push_back(signal);
        }
        if self.signals.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// The function that returns the STUN and TURN servers of a member.
struct IceServerSource(Box<dyn FnMut(PeerId) -> Vec<IceServer> + Send>);

impl fmt::Debug for IceServerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IceServerSource")
    }
}

/// Returns the URL of the connection of a member that joins with a name.
fn url_of(name: &str) -> String {
    format!("webrtc:///{name}")
}

fn socket_of(session: ConnectionId) -> SocketId {
    SocketId(u64::from(session.slot) << 32 | u64::from(session.generation))
}

fn session_of(SocketId(number): SocketId) -> ConnectionId {
    ConnectionId { slot: (number >> 32) as u32, generation: number as u32 }
}

/// Time in milliseconds for which unreliable packets are repeated: Godot's default.
const UNRELIABLE_LIFETIME_MS: u16 = 1;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use std::time::Duration;

    use mp_core::MultiplayerPeer;
    use mp_transport_webrtc::{WebRtcMultiplayerPeer, WebRtcOptions};

    use super::*;

    const SESSION: ConnectionId = ConnectionId { slot: 7, generation: 9 };

    /// Signaling, and the transport that it commands.
    struct World {
        now: Instant,
        signaling: LobbyHost,
        room: WebRtcMultiplayerPeer,
    }

    impl World {
        fn new() -> Self {
            let address = (Ipv4Addr::LOCALHOST, 0).into();
            let options = WebRtcOptions::default().ice_lite(true);
            let mut room = WebRtcMultiplayerPeer::create_server(address, options).unwrap();
            let (lobby, handle) = (SignalingOptions::default(), room.signaling());
            let signaling = LobbyHost::new("room", lobby, handle, Rng::seed_from_u64(1));
            Self { now: Instant::from_millis(1_000), signaling, room }
        }

        /// Lets `time` pass. Returns the actions of the service.
        fn pass(&mut self, time: Duration) -> Vec<TextAction> {
            self.now += time;
            self.room.poll(self.now);
            self.signaling.handle_timeout(self.now);
            std::iter::from_fn(|| self.signaling.next_action()).collect()
        }

        /// Opens the session and joins the room. Returns the player's id.
        fn join(&mut self) -> PeerId {
            let address = Ipv4Addr::LOCALHOST.into();
            self.signaling.handle_opened(self.now, SESSION, address);
            self.say(MessageKind::Join, "");
            let actions = self.pass(Duration::ZERO);
            let Some(TextAction::Send { session: SESSION, text }) = actions.first() else {
                panic!("{actions:?}")
            };
            self.room.poll(self.now);
            Message::from_text(text).unwrap().peer().unwrap()
        }

        fn say(&mut self, kind: MessageKind, data: &str) {
            let text = Message::new(kind, 1, data).to_text();
            self.signaling.handle_message(self.now, SESSION, &text);
        }
    }

    /// The offer of a client.
    fn offer(id: PeerId) -> String {
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let mut client =
            WebRtcMultiplayerPeer::create_client(address, id, WebRtcOptions::default()).unwrap();
        client.add_peer(PeerId::SERVER, 1).unwrap();
        client.create_offer(PeerId::SERVER).unwrap();
        match client.next_signal() {
            Some(Signal::SessionDescriptionCreated { sdp, .. }) => sdp,
            other => panic!("no offer: {other:?}"),
        }
    }

    #[test]
    fn a_player_who_makes_no_offer_is_removed() {
        let mut world = World::new();
        let peer = world.join();
        assert!(world.room.has_peer(peer));
        let end = world.now + OFFER_TIMEOUT;
        let mut actions = Vec::new();
        while actions.is_empty() {
            assert!(world.room.has_peer(peer) && world.now < end);
            let next = world.signaling.poll_timeout().unwrap();
            actions = world.pass(next - world.now);
        }
        assert_eq!(world.now, end);
        let reason = CloseReason::NoOffer.text().to_owned();
        assert_eq!(actions, [TextAction::Close { session: SESSION, code: 4_000, reason }]);
        world.pass(Duration::ZERO);
        assert!(!world.room.has_peer(peer));
    }

    #[test]
    fn time_in_which_the_process_was_stopped_does_not_remove_a_player() {
        let mut world = World::new();
        let peer = world.join();
        assert_eq!(world.pass(OFFER_TIMEOUT * 2), []);
        assert!(world.room.has_peer(peer));
    }

    #[test]
    fn a_player_who_leaves_before_the_offer_is_removed_and_one_with_an_offer_is_not() {
        for has_offer in [false, true] {
            let mut world = World::new();
            let peer = world.join();
            if has_offer {
                world.say(MessageKind::Offer, &offer(peer));
                world.pass(Duration::ZERO);
            }
            world.signaling.handle_closed(world.now, SESSION);
            world.pass(Duration::ZERO);
            world.pass(Duration::ZERO);
            assert_eq!(world.room.has_peer(peer), has_offer);
            for _ in 0..=OFFER_TIMEOUT.as_secs() {
                world.pass(Duration::from_secs(1));
            }
            assert_eq!(world.room.has_peer(peer), has_offer);
        }
    }

    #[test]
    fn an_offer_is_answered_with_the_rooms_candidate() {
        let mut world = World::new();
        let peer = world.join();
        world.say(MessageKind::Offer, &offer(peer));
        let sent: Vec<_> = world
            .pass(Duration::ZERO)
            .into_iter()
            .filter_map(|action| match action {
                TextAction::Send { text, .. } => Some(Message::from_text(&text).unwrap()),
                TextAction::Close { .. } => None,
            })
            .collect();
        let [answer, candidate] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!((answer.kind, answer.id), (MessageKind::Answer, 1));
        assert!(answer.data.contains("a=ice-lite"), "{}", answer.data);
        let port = world.room.local_addr().unwrap().port().to_string();
        assert_eq!(candidate.kind, MessageKind::Candidate);
        let mid = answer.data.lines().find_map(|line| line.strip_prefix("a=mid:")).unwrap();
        let start = format!("\n{mid}\n0\ncandidate:");
        assert!(candidate.data.starts_with(&start), "{:?}", candidate.data);
        assert!(candidate.data.contains(&port), "{:?}", candidate.data);
    }

    #[test]
    fn a_player_whose_connection_ends_loses_the_session() {
        let mut world = World::new();
        let peer = world.join();
        world.room.remove_peer(peer);
        world.room.poll(world.now);
        let actions = world.pass(Duration::ZERO);
        let reason = CloseReason::ConnectionEnded.text().to_owned();
        assert_eq!(actions, [TextAction::Close { session: SESSION, code: 4_000, reason }]);
    }
}
