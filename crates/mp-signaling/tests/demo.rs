//! Sessions of Godot's signaling demo, as recorded with its own server and clients.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use mp_core::{Instant, PeerId, ReasonCounts, Rng};
use mp_signaling::limits::REQUEST_BYTES_MAX;
use mp_signaling::{
    CloseReason, Message, MessageKind, Output, SignalingOptions, SignalingServer, SocketId,
};

const HOST: SocketId = SocketId(1);
const GUEST: SocketId = SocketId(2);
const OTHER: SocketId = SocketId(3);
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Demo {
    server: SignalingServer,
    now: Instant,
    sent: BTreeMap<SocketId, Vec<Message>>,
    order: Vec<(SocketId, Message)>,
    closed: Vec<(SocketId, CloseReason)>,
    /// Sockets closed, by reason.
    counts: ReasonCounts<CloseReason>,
    others: Vec<Output>,
}

impl Demo {
    fn new() -> Self {
        Self::with_options(SignalingOptions::default())
    }

    fn with_options(options: SignalingOptions) -> Self {
        Self {
            server: SignalingServer::new(options, Rng::seed_from_u64(1)),
            now: Instant::from_millis(1_000),
            sent: BTreeMap::new(),
            order: Vec::new(),
            closed: Vec::new(),
            counts: ReasonCounts::default(),
            others: Vec::new(),
        }
    }

    fn run(&mut self) {
        while let Some(output) = self.server.next_output() {
            match output {
                Output::Send { socket, message } => {
                    self.order.push((socket, message.clone()));
                    self.sent.entry(socket).or_default().push(message);
                }
                Output::Close { socket, reason } => {
                    self.closed.push((socket, reason));
                    self.counts.count(reason);
                }
                other => self.others.push(other),
            }
        }
        assert_eq!(self.server.stats().closed_sockets, self.counts);
    }

    fn open(&mut self, socket: SocketId) {
        self.server.handle_opened(self.now, socket, ADDRESS);
        self.run();
    }

    fn send(&mut self, socket: SocketId, kind: MessageKind, id: i32, data: &str) {
        let text = Message::new(kind, id, data).to_text();
        self.server.handle_message(self.now, socket, &text);
        self.run();
    }

    fn advance(&mut self, time: Duration) {
        self.now += time;
        self.server.handle_timeout(self.now);
        self.run();
    }

    /// Creates a lobby with a host and a guest. Returns its name and the guest's id.
    fn lobby(&mut self, mode: i32) -> (String, i32) {
        self.open(HOST);
        self.send(HOST, MessageKind::Join, mode, "");
        let name = self.sent[&HOST][1].data.clone();
        self.open(GUEST);
        self.send(GUEST, MessageKind::Join, mode, &name);
        let id = self.sent[&GUEST][0].id;
        (name, id)
    }

    fn take(&mut self, socket: SocketId) -> Vec<Message> {
        self.sent.remove(&socket).unwrap_or_default()
    }
}

fn message(kind: MessageKind, id: i32, data: &str) -> Message {
    Message::new(kind, id, data)
}

#[test]
fn joining_a_lobby_matches_the_recording() {
    let mut demo = Demo::new();
    let (name, id) = demo.lobby(1);
    assert_eq!(name.len(), 32);
    assert_eq!(
        demo.order,
        [
            (HOST, message(MessageKind::Id, 1, "")),
            (HOST, message(MessageKind::Join, 0, &name)),
            (GUEST, message(MessageKind::Id, id, "")),
            (HOST, message(MessageKind::PeerConnect, id, "")),
            (GUEST, message(MessageKind::PeerConnect, 1, "")),
            (GUEST, message(MessageKind::Join, 0, &name)),
        ]
    );
}

#[test]
fn members_of_a_mesh_are_announced_to_each_other() {
    let mut demo = Demo::new();
    let (name, guest) = demo.lobby(0);
    demo.order.clear();
    demo.open(OTHER);
    demo.send(OTHER, MessageKind::Join, 0, &name);
    let other = demo.sent[&OTHER][0].id;
    assert_eq!(
        demo.order,
        [
            (OTHER, message(MessageKind::Id, other, "true")),
            (HOST, message(MessageKind::PeerConnect, other, "")),
            (OTHER, message(MessageKind::PeerConnect, 1, "")),
            (GUEST, message(MessageKind::PeerConnect, other, "")),
            (OTHER, message(MessageKind::PeerConnect, guest, "")),
            (OTHER, message(MessageKind::Join, 0, &name)),
        ]
    );
}

#[test]
fn descriptions_and_candidates_are_relayed_with_the_senders_id() {
    let mut demo = Demo::new();
    let (_, guest) = demo.lobby(1);
    demo.take(HOST);
    demo.take(GUEST);
    let candidate = "\n0\n0\ncandidate:1 1 UDP 1 192.0.2.1 9 typ host";
    demo.send(GUEST, MessageKind::Offer, 1, "SDP-OFFER");
    demo.send(HOST, MessageKind::Answer, guest, "SDP-ANSWER");
    demo.send(GUEST, MessageKind::Candidate, 1, candidate);
    assert_eq!(
        demo.take(HOST),
        [
            message(MessageKind::Offer, guest, "SDP-OFFER"),
            message(MessageKind::Candidate, guest, candidate),
        ]
    );
    assert_eq!(demo.take(GUEST), [message(MessageKind::Answer, 1, "SDP-ANSWER")]);
}

#[test]
fn end_of_candidates_is_not_relayed() {
    let mut demo = Demo::new();
    demo.lobby(1);
    demo.take(HOST);
    demo.send(GUEST, MessageKind::Candidate, 1, "\n0\n0\n");
    assert!(demo.take(HOST).is_empty() && demo.closed.is_empty());
    assert_eq!(demo.server.stats().dropped_candidates, 1);
}

#[test]
fn leaving_guest_is_announced_to_all_members() {
    let mut demo = Demo::new();
    let (name, guest) = demo.lobby(1);
    demo.open(OTHER);
    demo.send(OTHER, MessageKind::Join, 1, &name);
    demo.take(HOST);
    demo.take(OTHER);
    demo.server.handle_closed(GUEST);
    demo.run();
    assert_eq!(demo.take(HOST), [message(MessageKind::PeerDisconnect, guest, "")]);
    assert_eq!(demo.take(OTHER), [message(MessageKind::PeerDisconnect, guest, "")]);
}

#[test]
fn lobby_ends_when_its_host_leaves() {
    let mut demo = Demo::new();
    demo.lobby(1);
    demo.server.handle_closed(HOST);
    demo.run();
    assert_eq!(demo.closed, [(GUEST, CloseReason::HostLeft)]);
    assert_eq!((demo.server.lobby_count(), demo.server.socket_count()), (0, 0));
}

#[test]
fn sealed_lobby_rejects_joins_and_ends_after_10_s() {
    let mut demo = Demo::new();
    let (name, _) = demo.lobby(1);
    demo.take(HOST);
    demo.take(GUEST);
    demo.send(HOST, MessageKind::Seal, 0, "");
    assert_eq!(demo.take(HOST), [message(MessageKind::Seal, 0, "")]);
    assert_eq!(demo.take(GUEST), [message(MessageKind::Seal, 0, "")]);
    demo.open(OTHER);
    demo.send(OTHER, MessageKind::Join, 1, &name);
    assert_eq!(demo.closed, [(OTHER, CloseReason::Sealed)]);
    demo.advance(Duration::from_millis(9_999));
    assert_eq!(demo.closed.len(), 1);
    demo.advance(Duration::from_millis(1));
    let complete = CloseReason::SealComplete;
    assert_eq!(demo.closed[1..], [(HOST, complete), (GUEST, complete)]);
    assert_eq!(complete.code(), 1_000);
}

#[test]
fn guest_cannot_seal() {
    let mut demo = Demo::new();
    demo.lobby(1);
    demo.send(GUEST, MessageKind::Seal, 0, "");
    assert_eq!(demo.closed, [(GUEST, CloseReason::InvalidMessage)]);
}

#[test]
fn socket_that_does_not_join_within_a_second_is_closed() {
    let mut demo = Demo::new();
    demo.open(OTHER);
    demo.lobby(1);
    for _ in 0..2 {
        assert_eq!(demo.closed, []);
        assert_eq!(demo.server.poll_timeout(), Some(demo.now + Duration::from_millis(500)));
        demo.advance(Duration::from_millis(500));
    }
    assert_eq!(demo.closed, [(OTHER, CloseReason::NotJoined)]);
}

#[test]
fn time_in_which_the_process_was_stopped_does_not_close_a_socket() {
    let mut demo = Demo::new();
    demo.open(OTHER);
    demo.advance(Duration::from_secs(60));
    assert_eq!(demo.closed, []);
    // Time in which the process runs counts again.
    demo.advance(Duration::from_millis(500));
    assert_eq!(demo.closed, [(OTHER, CloseReason::NotJoined)]);
}

#[test]
fn protocol_violations_close_the_socket_with_a_reason() {
    let join = |data: &str| Message::new(MessageKind::Join, 0, data).to_text();
    let seal = Message::new(MessageKind::Seal, 0, "").to_text();
    let id = Message::new(MessageKind::Id, 5, "").to_text();
    for (texts, reason) in [
        (vec![join("doesnotexist")], CloseReason::NoLobby),
        (vec![join(&"x".repeat(33))], CloseReason::NoLobby),
        (vec![seal.clone()], CloseReason::NotJoined),
        (vec![String::new()], CloseReason::InvalidMessage),
        (vec![join(""), join("")], CloseReason::AlreadyJoined),
        (vec![join(""), id], CloseReason::InvalidMessage),
        (vec![join(""), seal.clone(), seal], CloseReason::InvalidMessage),
        (
            vec![join(""), Message::new(MessageKind::Offer, 77, "").to_text()],
            CloseReason::NoDestination,
        ),
        (
            vec![join(""), Message::new(MessageKind::Offer, 1, "").to_text()],
            CloseReason::NoDestination,
        ),
    ] {
        let mut demo = Demo::new();
        demo.open(HOST);
        for text in &texts {
            demo.server.handle_message(demo.now, HOST, text);
        }
        demo.run();
        assert_eq!(demo.closed.first(), Some(&(HOST, reason)), "{texts:?}");
    }
}

#[test]
fn floods_are_bounded() {
    let mut demo = Demo::new();
    for number in 0..=64 {
        demo.open(SocketId(number));
    }
    assert_eq!(demo.closed, [(SocketId(64), CloseReason::ServerFull)]);
    let candidate = Message::new(MessageKind::Candidate, 1, "").to_text();
    demo.closed.clear();
    demo.send(SocketId(0), MessageKind::Join, 0, "");
    for _ in 0..1_024 {
        demo.server.handle_message(demo.now, SocketId(0), &candidate);
    }
    demo.run();
    assert_eq!(demo.closed, [(SocketId(0), CloseReason::TooManyMessages)]);
}

#[test]
fn lobbies_and_members_are_bounded() {
    let mut options = SignalingOptions::default();
    (options.max_lobbies, options.max_members) = (1, 2);
    let mut demo = Demo::with_options(options);
    let (name, _) = demo.lobby(1);
    demo.open(OTHER);
    demo.send(OTHER, MessageKind::Join, 1, &name);
    let last = SocketId(4);
    demo.open(last);
    demo.send(last, MessageKind::Join, 1, "");
    assert_eq!(demo.closed, [(OTHER, CloseReason::LobbyFull), (last, CloseReason::ServerFull)]);
}

#[test]
fn server_hosts_a_lobby_itself() {
    let mut demo = Demo::new();
    demo.server.open_lobby("arena", 100);
    demo.server.set_default_lobby(Some("arena".to_owned()));
    demo.open(GUEST);
    demo.send(GUEST, MessageKind::Join, 1, "");
    let messages = demo.take(GUEST);
    let peer = PeerId::new(messages[0].id).unwrap();
    assert_eq!(
        messages,
        [
            message(MessageKind::Id, peer.get(), ""),
            message(MessageKind::PeerConnect, 1, ""),
            message(MessageKind::Join, 0, "arena"),
        ]
    );
    let lobby = || "arena".to_owned();
    let requested = String::new();
    let (lobby_name, claimed_id) = (lobby(), peer);
    let added =
        Output::AddPeer { lobby: lobby_name, peer, claimed_id, address: ADDRESS, requested };
    assert_eq!(demo.others, [added]);
    demo.send(GUEST, MessageKind::Offer, 1, "SDP");
    let offer = message(MessageKind::Offer, 1, "SDP");
    assert_eq!(demo.others[1], Output::Deliver { lobby: lobby(), peer, message: offer });
    demo.server.send_from_host("arena", peer, MessageKind::Answer, "SDP".to_owned());
    demo.run();
    assert_eq!(demo.take(GUEST), [message(MessageKind::Answer, 1, "SDP")]);
    demo.server.handle_closed(GUEST);
    demo.run();
    assert_eq!(demo.others[2], Output::PeerLeft { lobby: lobby(), peer });
    assert_eq!(demo.server.lobby_count(), 1);
}

#[test]
fn member_is_removed_from_a_lobby_that_the_server_hosts() {
    let mut demo = Demo::new();
    demo.server.open_lobby("arena", 100);
    demo.open(GUEST);
    demo.send(GUEST, MessageKind::Join, 1, "arena");
    let peer = PeerId::new(demo.take(GUEST)[0].id).unwrap();
    demo.others.clear();
    demo.server.remove_member("arena", peer, CloseReason::ConnectionEnded);
    demo.run();
    assert_eq!(demo.closed, [(GUEST, CloseReason::ConnectionEnded)]);
    assert_eq!(demo.others, [], "the host removed the member itself");
    demo.server.remove_member("arena", peer, CloseReason::ConnectionEnded);
    demo.run();
    assert_eq!((demo.closed.len(), demo.server.socket_count()), (1, 0));
}

#[test]
fn lobby_that_accepts_any_name_reports_it() {
    let mut demo = Demo::new();
    demo.server.open_lobby("rooms", 100);
    demo.server.set_default_lobby(Some("rooms".to_owned()));
    demo.server.set_any_name(true);
    for (socket, name, joined) in [(GUEST, "", "rooms"), (OTHER, "duel/a?code=1", "duel/a?code=1")]
    {
        demo.open(socket);
        demo.send(socket, MessageKind::Join, 1, name);
        let messages = demo.take(socket);
        assert_eq!(messages.last(), Some(&message(MessageKind::Join, 0, joined)));
        let Some(Output::AddPeer { lobby, requested, .. }) = demo.others.last() else {
            panic!("{:?}", demo.others)
        };
        assert_eq!((&**lobby, &**requested), ("rooms", name));
    }
    demo.open(HOST);
    demo.send(HOST, MessageKind::Join, 1, &"x".repeat(REQUEST_BYTES_MAX + 1));
    assert_eq!(demo.closed, [(HOST, CloseReason::NoLobby)]);
}

#[test]
fn members_may_have_an_id_that_the_program_chooses_by_their_name_and_others_have_too() {
    let mut demo = Demo::new();
    demo.server.open_lobby("rooms", 100);
    demo.server.set_default_lobby(Some("rooms".to_owned()));
    demo.server.set_any_name(true);
    let nine = PeerId::new(9).unwrap();
    demo.server.set_id_by_name(move |name| match name {
        "nine" => Some(nine),
        "one" => Some(PeerId::SERVER),
        _ => None,
    });
    let mut added = Vec::new();
    for (socket, name) in [(GUEST, "nine"), (OTHER, "nine"), (HOST, "one")] {
        demo.open(socket);
        demo.send(socket, MessageKind::Join, 1, name);
        let id = demo.take(socket)[0].id;
        let Some(Output::AddPeer { peer, claimed_id, .. }) = demo.others.last() else {
            panic!("{:?}", demo.others)
        };
        assert_eq!(claimed_id.get(), id);
        added.push((*peer, *claimed_id));
    }
    assert_eq!((added[0].1, added[1].1), (nine, nine));
    assert!(added[0].0 != added[1].0 && added[2].0 == added[2].1, "{added:?}");
    // The answers reach the member whose connection they are for.
    demo.server.send_from_host("rooms", added[1].0, MessageKind::Answer, "SDP".to_owned());
    demo.run();
    assert_eq!(demo.take(OTHER), [message(MessageKind::Answer, 1, "SDP")]);
    assert_eq!(demo.take(GUEST), []);
}
