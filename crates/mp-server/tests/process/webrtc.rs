//! WebRTC players: signaling on the WebSocket port, and the room that they share with others.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mp_actor::prelude::*;
use mp_core::host::SystemClock;
use mp_signaling::{IceServer, Message, MessageKind};
use mp_tls::rustls::pki_types::ServerName;
use mp_tls::rustls::{ClientConnection, StreamOwned};
use mp_tls::{ClientTlsOptions, DevelopmentCertificate};
use mp_transport_webrtc::io::TokioUdpSocket;
use mp_transport_webrtc::{CreateError, SdpKind, Signaling, WebRtcMultiplayerPeer, WebRtcOptions};
use serde_json::Value;
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, WebSocket};

use crate::players::{connect, join, join_by_url, until};
use crate::server::{PATIENCE, Server};

type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// A signaling session.
pub(crate) struct Session<S = TcpStream>(WebSocket<S>);

impl Session {
    pub(crate) fn open(ws: SocketAddr) -> Self {
        let url = format!("ws://{ws}/webrtc");
        let (socket, _) = tungstenite::client(url, connect(ws)).expect("a signaling session");
        Self(socket)
    }
}

impl Session<TlsStream> {
    pub(crate) fn open_over_tls(ws: SocketAddr, tls: &ClientTlsOptions) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        let tls = ClientConnection::new(tls.client_config().unwrap(), name).unwrap();
        let stream = StreamOwned::new(tls, connect(ws));
        let url = format!("wss://localhost:{}/webrtc", ws.port());
        let (socket, _) = tungstenite::client(url, stream).expect("a signaling session");
        Self(socket)
    }
}

impl<S: Read + Write> Session<S> {
    fn send(&mut self, kind: MessageKind, id: i32, data: &str) {
        let text = Message::new(kind, id, data).to_text();
        self.0.send(text.into()).unwrap();
    }

    /// Receives the next message; `None` if none is available.
    fn receive(&mut self) -> Result<Option<Message>, Option<CloseFrame>> {
        match self.0.read() {
            Ok(tungstenite::Message::Text(text)) => Ok(Some(Message::from_text(&text).unwrap())),
            Ok(tungstenite::Message::Close(frame)) => Err(frame),
            Ok(_) => Ok(None),
            Err(Error::Io(error)) if is_for_now(&error) => Ok(None),
            Err(_) => Err(None),
        }
    }

    /// Waits for a message.
    fn message(&mut self) -> Message {
        loop {
            if let Some(message) = self.receive().expect("an open session") {
                return message;
            }
        }
    }

    /// Waits for the end of the session. Returns the close code and reason.
    pub(crate) fn end(&mut self) -> (u16, String) {
        loop {
            if let Err(frame) = self.receive() {
                let frame = frame.expect("a code");
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    /// Joins the room. Returns the assigned peer id.
    pub(crate) fn join(&mut self) -> PeerId {
        self.join_lobby("", "room")
    }

    /// Sends the name of a lobby, and expects that `joined` is confirmed. Returns the assigned peer
    /// id.
    fn join_lobby(&mut self, name: &str, joined: &str) -> PeerId {
        self.send(MessageKind::Join, 1, name);
        let kinds = [MessageKind::Id, MessageKind::PeerConnect, MessageKind::Join];
        let [id, server, lobby] = kinds.map(|kind| {
            let message = self.message();
            assert_eq!(message.kind, kind);
            message
        });
        assert_eq!((server.id, &*id.data, &*lobby.data), (1, "", joined));
        id.peer().unwrap()
    }
}

fn is_for_now(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Returns a branch that has joined over WebRTC.
pub(crate) async fn join_by_webrtc(ws: SocketAddr) -> BranchRef {
    let mut session = Session::open(ws);
    let id = session.join();
    connect_by_webrtc(session, id).await.expect("a connection")
}

/// Joins over WebRTC with the name of a room.
pub(crate) async fn join_room_by_webrtc(
    ws: SocketAddr,
    room: &str,
) -> Result<BranchRef, StartError> {
    let mut session = Session::open(ws);
    let id = session.join_lobby(room, room);
    connect_by_webrtc(session, id).await
}

/// A player over WebRTC that selects by the name of its lobby.
pub(crate) struct LobbyPlayer {
    pub(crate) id: PeerId,
    /// Fails if the player was rejected at once; else it may be rejected later.
    pub(crate) branch: Result<BranchRef, StartError>,
    notices: mpsc::Receiver<Value>,
}

impl LobbyPlayer {
    pub(crate) async fn join(ws: SocketAddr, name: &str) -> Self {
        let mut session = Session::open(ws);
        let id = session.join_lobby(name, name);
        let (sender, notices) = mpsc::sync_channel(16);
        let remember = move |_: &mut Scene, signal: &Signal| {
            if let Signal::PeerPacket { from: PeerId::SERVER, data } = signal {
                let _ = sender.try_send(serde_json::from_slice(data).unwrap());
            }
        };
        let build = move || Branch::builder("/root").on_signal(remember).build();
        Self { id, branch: connect_with(build, session, id).await, notices }
    }

    /// Waits for a notice of the server, a raw packet, and returns its data.
    pub(crate) async fn notice(&self) -> Value {
        let mut notice = None;
        until(|| {
            notice = self.notices.try_recv().ok();
            notice.is_some()
        })
        .await;
        notice.unwrap_or_default()
    }
}

async fn connect_by_webrtc(session: Session, id: PeerId) -> Result<BranchRef, StartError> {
    connect_with(|| Branch::builder("/root").build(), session, id).await
}

async fn connect_with(
    build: impl FnOnce() -> Result<Branch, BuildError> + Send + 'static,
    session: Session,
    id: PeerId,
) -> Result<BranchRef, StartError> {
    let (sender, told) = mpsc::sync_channel(1);
    std::thread::spawn(move || signal(session, &told.recv().unwrap()));
    let make = move || -> Result<_, CreateError> {
        let socket = TokioUdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let mut peer = WebRtcMultiplayerPeer::client(socket, id, WebRtcOptions::default())?;
        let signaling = peer.signaling();
        signaling.add_peer(PeerId::SERVER, 1).unwrap();
        signaling.create_offer(PeerId::SERVER).unwrap();
        sender.send(signaling).unwrap();
        Ok(peer)
    };
    mp_actor::branch(build).connect(make).await
}

/// Forwards signals until the session ends.
fn signal(mut session: Session, signaling: &Signaling) {
    session.0.get_ref().set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    loop {
        while let Some(signal) = signaling.next_signal() {
            if let Some(message) = Message::from_signal(signal) {
                session.0.send(message.to_text().into()).unwrap();
            }
        }
        let Ok(received) = session.receive() else { return };
        let Some(message) = received else { continue };
        match message.kind {
            MessageKind::Answer => {
                let answer = message.data;
                signaling.set_remote_description(PeerId::SERVER, SdpKind::Answer, answer).unwrap();
            }
            MessageKind::Candidate => {
                let candidate = message.candidate().expect("a candidate");
                signaling.add_ice_candidate(PeerId::SERVER, candidate).unwrap();
            }
            _ => {}
        }
    }
}

#[test]
fn players_on_three_transports_are_in_one_room() {
    let mut server = Server::start(&[]);
    let line = format!(r#"client.join("ws://{}/webrtc")"#, server.ws);
    assert!(server.banner.contains(&line), "{}", server.banner);
    actix::System::new().block_on(async {
        let by_enet = join(server.enet, || Branch::builder("/root").build()).await;
        let by_ws = join_by_url(&format!("ws://{}", server.ws), ClientTlsOptions::new()).await;
        let players = [by_enet, by_ws.unwrap(), join_by_webrtc(server.ws).await];
        let mut ids = Vec::new();
        for player in &players {
            ids.push(player.with(|scene| scene.unique_id()).await.unwrap());
        }
        let sees = |player: &BranchRef| ids.iter().filter(|id| player.peer(**id).is_some()).count();
        until(|| players.iter().all(|player| sees(player) == 2)).await;
        for (from, to) in [(2, 0), (2, 1), (0, 2), (1, 2)] {
            let (from_id, to_id) = (ids[from], ids[to]);
            let mut signals = players[to].signals().await.unwrap();
            // The WebRTC player has only channel 0; the room sends packets of channel 3 to it
            // there.
            let channel = Channel(if from == 2 { 0 } else { 3 });
            let say = move |scene: &mut Scene| {
                let data = [to as u8; 3_000];
                scene.send_bytes(&data, to_id, TransferMode::Reliable, channel).unwrap();
            };
            players[from].with(say).await.unwrap();
            let data = vec![to as u8; 3_000].into();
            assert_eq!(signals.next().await, Some(Signal::PeerPacket { from: from_id, data }));
        }
        server.signal("TERM");
        for player in &players {
            assert!(matches!(player.closed().await, EndReason::Disconnected(_)));
        }
    });
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn full_room_rejects_a_webrtc_player_with_a_reason() {
    let server = Server::start(&["--max-clients", "1"]);
    actix::System::new().block_on(async {
        let _first = join(server.enet, || Branch::builder("/root").build()).await;
        let mut session = Session::open(server.ws);
        let clock = SystemClock::new();
        let limit = clock.now() + PATIENCE;
        // The transports refuse connections shortly after the first player has joined.
        loop {
            session.send(MessageKind::Join, 1, "");
            let end = loop {
                match session.receive() {
                    Ok(Some(message)) if message.kind == MessageKind::Join => {
                        session.send(MessageKind::Offer, 1, "");
                    }
                    Ok(_) => {}
                    Err(end) => break end.expect("a code"),
                }
            };
            if end.reason == "Lobby is full" {
                assert_eq!(u16::from(end.code), 4_000);
                return;
            }
            assert!(clock.now() < limit, "{end}");
            session = Session::open(server.ws);
        }
    });
}

#[test]
fn invalid_signaling_sessions_are_closed_with_the_demos_reasons() {
    let server = Server::start(&[]);
    let mut idle = Session::open(server.ws);
    assert_eq!(idle.end(), (4_000, "Have not joined lobby yet".to_owned()));

    let mut unknown = Session::open(server.ws);
    unknown.send(MessageKind::Join, 1, "another");
    assert_eq!(unknown.end(), (4_000, "Lobby does not exist".to_owned()));

    let mut twice = Session::open(server.ws);
    twice.join();
    twice.send(MessageKind::Join, 1, "");
    assert_eq!(twice.end(), (4_000, "Already in a lobby".to_owned()));

    let mut malformed = Session::open(server.ws);
    malformed.join();
    malformed.send(MessageKind::Offer, 1, "v=0");
    assert_eq!(malformed.end(), (4_000, "Invalid message format".to_owned()));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the credentials are valid until a wall clock time")]
fn players_receive_the_turn_servers_with_time_limited_credentials() {
    let url = "turn:turn.example:3478";
    let server = Server::start(&["--ice-servers", url, "--turn-secret", "north"]);
    let mut session = Session::open(server.ws);
    session.send(MessageKind::Join, 1, "");
    let id = loop {
        match session.0.read() {
            Ok(tungstenite::Message::Text(text)) => break text,
            Err(Error::Io(error)) if is_for_now(&error) => {}
            other => panic!("{other:?}"),
        }
    };
    let peer = Message::from_text(&id).unwrap().peer().unwrap();
    let username = id.split(r#""username":""#).nth(1).unwrap().split('"').next().unwrap();
    let (expiry, user) = username.split_once(':').unwrap();
    assert_eq!(user, peer.to_string());
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let expiry: u64 = expiry.parse().unwrap();
    assert!((time + 43_100..=time + 43_200).contains(&expiry), "{expiry} at {time}");
    let expected = IceServer::turn(vec![url.to_owned()], "north", expiry, user);
    let credential = format!(r#""credential":"{}""#, expected.credential.unwrap());
    assert!(id.contains(&credential) && id.contains(&format!(r#""urls":["{url}"]"#)), "{id}");
}

#[test]
fn signaling_is_encrypted_with_the_certificate_of_the_websocket_port() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["room.crt", "room.key"].map(|name| folder.path().join(name));
    let [certificate, key] = files.each_ref().map(|file| file.display().to_string());
    let made = DevelopmentCertificate::new(&["localhost"]).unwrap();
    made.write(&files[0], &files[1]).unwrap();
    let server = Server::start(&["--tls-cert", &certificate, "--tls-key", &key]);
    let line = format!(r#"client.join("wss://{}/webrtc""#, server.ws);
    assert!(server.banner.contains(&line), "{}", server.banner);
    let tls = ClientTlsOptions::new().trusted_chain(made.certificate_pem()).unwrap();
    let mut session = Session::open_over_tls(server.ws, &tls);
    session.join();
    session.send(MessageKind::Join, 1, "");
    assert_eq!(session.end(), (4_000, "Already in a lobby".to_owned()));
}

#[test]
fn signaling_sockets_of_one_address_are_limited() {
    let server = Server::start(&["--max-clients-per-address", "2"]);
    let mut sessions = [(); 3].map(|()| Session::open(server.ws));
    for session in &mut sessions[..2] {
        session.join();
    }
    assert_eq!(sessions[2].end(), (4_000, "Server is full".to_owned()));
}

#[test]
fn scripts_of_other_web_pages_do_not_join() {
    let server = Server::start(&["--allow-origin", "https://game.example,http://localhost:8000"]);
    for (origin, is_allowed) in [
        ("https://game.example", true),
        ("http://localhost:8000", true),
        ("https://evil.example", false),
    ] {
        let mut request = format!("ws://{}/webrtc", server.ws).into_client_request().unwrap();
        request.headers_mut().insert("Origin", origin.parse().unwrap());
        let opened = tungstenite::client(request, connect(server.ws));
        assert_eq!(opened.is_ok(), is_allowed, "{origin}");
    }
}
