//! The recorded sessions of Godot's signaling demo in `testdata/webrtc`, played again: each client
//! receives what it received from the demo's own server.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use mp_core::{Instant, Rng};
use mp_signaling::{Message, MessageKind, Output, SignalingOptions, SignalingServer, SocketId};
use serde_json::Value;

const RECORDING: &str = include_str!("../../../testdata/webrtc/webrtc_signaling_demo.json");

/// A server, and what is known of the clients `A`, `B` and `C`.
struct Replay {
    server: SignalingServer,
    now: Instant,
    /// Sockets of the clients that are open.
    open: Vec<SocketId>,
    /// Ids of the recording, and those of this server.
    ids: BTreeMap<i64, i64>,
    lobby: String,
    /// Texts of received messages as in the recording, by client.
    received: BTreeMap<char, Vec<String>>,
}

fn socket(client: char) -> SocketId {
    SocketId(u64::from(client))
}

impl Replay {
    fn new() -> Self {
        Self {
            server: SignalingServer::new(SignalingOptions::default(), Rng::seed_from_u64(1)),
            now: Instant::from_millis(1_000),
            open: Vec::new(),
            ids: BTreeMap::from([(0, 0), (1, 1)]),
            lobby: String::new(),
            received: BTreeMap::new(),
        }
    }

    fn send(&mut self, client: char, sent: &Value) {
        if !self.open.contains(&socket(client)) {
            self.open.push(socket(client));
            self.server.handle_opened(self.now, socket(client), IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        let mut sent = sent.clone();
        if sent["type"] == 0 && sent["data"] != "" {
            sent["data"] = self.lobby.clone().into();
        } else if sent["type"] != 0 {
            sent["id"] = self.ids[&sent["id"].as_i64().unwrap()].into();
        }
        self.server.handle_message(self.now, socket(client), &sent.to_string());
        self.run();
    }

    fn run(&mut self) {
        while let Some(output) = self.server.next_output() {
            let Output::Send { socket, message } = output else { panic!("{output:?}") };
            let client = char::from_u32(socket.0 as u32).unwrap();
            let text = self.text(client, &message);
            self.received.entry(client).or_default().push(text);
        }
    }

    fn text(&mut self, client: char, message: &Message) -> String {
        let Message { kind, id, data } = message;
        match kind {
            MessageKind::Id => format!("{client} ID {id} mesh {}", data == "true"),
            MessageKind::Join => {
                self.lobby = data.clone();
                format!("{client} JOIN {}", data.len())
            }
            MessageKind::PeerConnect => format!("{client} PEER_CONNECT {id}"),
            MessageKind::PeerDisconnect => format!("{client} PEER_DISCONNECT {id}"),
            MessageKind::Offer => format!("{client} OFFER from {id}"),
            MessageKind::Answer => format!("{client} ANSWER from {id}"),
            MessageKind::Candidate => format!("{client} CANDIDATE from {id}"),
            MessageKind::Seal => format!("{client} SEAL"),
        }
    }

    /// Checks that a client has received the message that the recording describes next.
    fn expect(&mut self, seen: &str) {
        let client = seen.chars().next().unwrap();
        let words: Vec<&str> = seen.split(' ').collect();
        let received = self.received.get_mut(&client).filter(|texts| !texts.is_empty());
        let received = received.unwrap_or_else(|| panic!("{seen}: nothing was received")).remove(0);
        let ours: Vec<&str> = received.split(' ').collect();
        // The id is the third word, or the fourth after "from". Later words are times and texts.
        let at = if words[2] == "from" { 3 } else { 2 };
        assert_eq!(ours[..at], words[..at], "{seen}");
        let (theirs, own) = (words[at].parse().unwrap(), ours[at].parse().unwrap());
        assert_eq!(*self.ids.entry(theirs).or_insert(own), own, "{seen}: {received}");
        if words[1] == "ID" {
            assert_eq!(ours[3..], words[3..], "{seen}");
        }
    }
}

#[test]
fn recorded_sessions_of_the_demo_are_reproduced() {
    let recording: Value = serde_json::from_str(RECORDING).unwrap();
    for kind in ["client_server", "mesh"] {
        let mut replay = Replay::new();
        // The recording mixes what clients send and receive at the same time.
        let steps = recording[kind].as_array().unwrap();
        let seen = |step: &Value| step["sees"].as_str().unwrap_or_default().to_owned();
        let mut expected = Vec::new();
        for step in steps {
            if let Some(client) = step["client"].as_str() {
                expected.drain(..).for_each(|seen: String| replay.expect(&seen));
                replay.send(client.chars().next().unwrap(), &step["sends"]);
                continue;
            }
            let text = seen(step);
            if text == "-- C stops" {
                expected.drain(..).for_each(|seen| replay.expect(&seen));
                replay.server.handle_closed(socket('C'));
                replay.run();
            } else if [" ID ", " JOIN ", " PEER_", " OFFER ", " ANSWER ", " CANDIDATE "]
                .iter()
                .any(|name| text.contains(name))
            {
                expected.push(text);
            }
        }
        expected.drain(..).for_each(|seen| replay.expect(&seen));
        let left: Vec<_> = replay.received.values().flatten().collect();
        // SEAL goes to both clients that are left; the recording has no line for it.
        assert_eq!(left, ["A SEAL", "B SEAL"], "{kind}");
    }
}
