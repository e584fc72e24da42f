//! Players who authenticate by tokens, over ENet and WebSocket.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;

use mp_actor::prelude::*;
use mp_core::host::unix_now;
use mp_identity::{Identity, Role, Subject, TokenIssuer};
use mp_tls::ClientTlsOptions;
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer};

use crate::players::{RawPlayer, join_by_url, until};
use crate::server::{FREE_PORTS, Server, command};

/// Key of the tokens, at least as long as HS256 needs.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A server with the section `[identity]`.
pub(crate) struct Identified {
    server: Server,
    _folder: tempfile::TempDir,
}

impl Identified {
    /// Starts a server whose players have tokens that [`SECRET`] signs.
    pub(crate) fn with_tokens(more: &str) -> Self {
        Self::start(&format!("method = \"token\"\nsecret = \"{SECRET}\"\n{more}"))
    }

    pub(crate) fn start(identity: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bans = folder.path().join("bans");
        let config = format!("[identity]\n{identity}\n[limits]\nban_file = {bans:?}\n");
        Self::with_config(folder, &config)
    }

    fn with_config(folder: tempfile::TempDir, config: &str) -> Self {
        let file = folder.path().join("mp-server.toml");
        std::fs::write(&file, config).unwrap();
        let mut command = command();
        command.args(FREE_PORTS).arg("--config").arg(file).stderr(Stdio::piped());
        Self { server: Server::of(&mut command), _folder: folder }
    }

    /// Joins over ENet with a token in the authentication packet. Returns the data of the server's
    /// authentication packets if the player is refused.
    pub(crate) async fn by_enet(&self, data: &str) -> Result<BranchRef, String> {
        join_by_auth(self.server.enet, data).await
    }

    /// Joins over WebSocket with a query.
    pub(crate) async fn by_url(&self, query: &str) -> Result<BranchRef, StartError> {
        let url = format!("ws://{}/?{query}", self.server.ws);
        join_by_url(&url, ClientTlsOptions::new()).await
    }

    /// Joins over WebSocket with a query. Returns the reason of the close frame.
    pub(crate) fn close_reason(&self, query: &str) -> String {
        let mut player = RawPlayer::join_with(self.server.ws, &format!("/?{query}"));
        player.close_reason()
    }
}

pub(crate) async fn join_by_auth(address: SocketAddr, data: &str) -> Result<BranchRef, String> {
    let data = data.to_owned();
    let (received, refusal) = mpsc::sync_channel(16);
    let make = move || EnetMultiplayerPeer::create_async_client(address, ClientOptions::default());
    let branch = mp_actor::branch(move || {
        let remember = move |_: &mut Scene, signal: &Signal| {
            if let Signal::PeerAuth { data, .. } = signal {
                let _ = received.try_send(String::from_utf8_lossy(data).into_owned());
            }
        };
        let mut branch = Branch::builder("/root").on_signal(remember).build()?;
        branch.scene().multiplayer_mut().set_authentication(true);
        Ok(branch)
    });
    let joined = branch
        .on_peer_authenticating(move |request| {
            let data = data.clone();
            async move {
                request.send(data.as_bytes()).await?;
                request.complete().await
            }
        })
        .connect(make)
        .await;
    joined.map_err(|_| refusal.try_iter().collect())
}

pub(crate) fn kay() -> Identity {
    Identity::new(Subject::new("kay").unwrap()).with_create(true)
}

pub(crate) fn issuer() -> TokenIssuer {
    TokenIssuer::secret(SECRET.as_bytes()).unwrap()
}

/// Returns a token that expires after `seconds`, as `token=TOKEN`.
pub(crate) fn token(issuer: &TokenIssuer, identity: Identity, seconds: i64) -> String {
    let expires = unix_now().saturating_add_signed(seconds);
    let token = issuer.issue(unix_now(), &identity.with_expires(Some(expires)), None).unwrap();
    format!("token={}", token.as_str())
}

/// Returns the data of an authentication packet that says why a player is refused.
pub(crate) fn refusal(code: &str) -> String {
    format!("{{\"code\":\"{code}\",\"text\":")
}

#[test]
fn refused_players_receive_the_code_of_the_reason() {
    let server = Identified::with_tokens("");
    let other_server = issuer().audience("other");
    let other_key = TokenIssuer::secret(b"fedcba9876543210fedcba9876543210").unwrap();
    let of_room = kay().with_room("arena").unwrap();
    let refused = [
        ("room=default".to_owned(), "missing_token"),
        ("token=a.b.c".to_owned(), "malformed_token"),
        (token(&issuer(), kay(), -60), "expired"),
        (token(&other_server, kay(), 60), "wrong_audience"),
        (token(&other_key, kay(), 60), "wrong_signature"),
        (token(&issuer(), of_room, 60), "wrong_room"),
        ("token=".to_owned(), "invalid_token"),
    ];
    actix::System::new().block_on(async {
        for (data, code) in &refused {
            let said = server.by_enet(data).await.expect_err(code);
            assert!(said.starts_with(&refusal(code)), "{code}: {said}");
        }
        let _player = server.by_enet(&token(&issuer(), kay(), 60)).await.unwrap();
    });
    for (query, code) in refused.iter().filter(|(query, _)| query.len() > "token=".len()) {
        if *code != "missing_token" {
            assert_eq!(server.close_reason(query), *code);
        }
    }
}

#[test]
fn player_joins_with_the_token_of_its_url() {
    let server = Identified::with_tokens("");
    actix::System::new().block_on(async {
        let player = server.by_url(&token(&issuer(), kay(), 60)).await.unwrap();
        assert_eq!(player.peers().await.unwrap(), [PeerId::SERVER]);
    });
}

#[test]
fn player_who_connects_again_replaces_its_connection_which_receives_the_reason() {
    let server = Identified::with_tokens("");
    let query = token(&issuer(), kay(), 60);
    let mut first = RawPlayer::join_with(server.server.ws, &format!("/?{query}"));
    actix::System::new().block_on(async {
        let second = server.by_enet(&query).await.unwrap();
        assert_eq!(first.close_reason(), "replaced");
        until(|| second.ended().is_none()).await;
    });
}

#[test]
fn player_who_connects_again_is_refused_or_stays() {
    for (same_player, is_allowed) in [("reject", false), ("allow", true)] {
        let server = Identified::with_tokens(&format!("same_player = \"{same_player}\""));
        let query = token(&issuer(), kay(), 60);
        let _first = RawPlayer::join_with(server.server.ws, &format!("/?{query}"));
        actix::System::new().block_on(async {
            // The first join may not be decided yet.
            until(|| true).await;
            let second = server.by_enet(&query).await;
            match second {
                Ok(_) => assert!(is_allowed),
                Err(said) => {
                    assert!(!is_allowed && said.starts_with(&refusal("already_connected")));
                }
            }
        });
    }
}

#[test]
fn spectator_receives_packets_of_players_and_sends_them_none() {
    let server = Identified::with_tokens("");
    let bob = Identity::new(Subject::new("bob").unwrap());
    let spectator = kay().with_role(Role::Spectator);
    actix::System::new().block_on(async {
        let spectator = server.by_enet(&token(&issuer(), spectator, 60)).await.unwrap();
        let player = server.by_url(&token(&issuer(), bob, 60)).await.unwrap();
        let spectator_id = spectator.with(|scene| scene.unique_id()).await.unwrap();
        let player_id = player.with(|scene| scene.unique_id()).await.unwrap();
        until(|| spectator.peer(player_id).is_some() && player.peer(spectator_id).is_some()).await;
        let mut to_spectator = spectator.signals().await.unwrap();
        let mut to_player = player.signals().await.unwrap();
        let send = |to: PeerId| {
            move |scene: &mut Scene| {
                scene.send_bytes(b"hello", to, TransferMode::Reliable, Channel(0)).unwrap();
            }
        };
        player.with(send(spectator_id)).await.unwrap();
        let received = Signal::PeerPacket { from: player_id, data: b"hello"[..].into() };
        assert_eq!(to_spectator.next().await, Some(received));
        spectator.with(send(player_id)).await.unwrap();
        // It leaves after its packet, so the player would have received the packet before.
        spectator.close().await;
        assert_eq!(to_player.next().await, Some(Signal::PeerDisconnected(spectator_id)));
    });
}

#[test]
fn banned_player_is_refused_by_its_subject() {
    let folder = tempfile::tempdir().unwrap();
    let bans = folder.path().join("bans");
    std::fs::write(&bans, "mp-server bans 2\nplayer never kay\nend 1\n").unwrap();
    let config = format!(
        "[identity]\nmethod = \"token\"\nsecret = \"{SECRET}\"\n[limits]\nban_file = {bans:?}\n"
    );
    let server = Identified::with_config(folder, &config);
    let bob = Identity::new(Subject::new("bob").unwrap());
    actix::System::new().block_on(async {
        let said = server.by_enet(&token(&issuer(), kay(), 60)).await.expect_err("kay is banned");
        assert!(said.starts_with(&refusal("banned")), "{said}");
        let _bob = server.by_enet(&token(&issuer(), bob, 60)).await.unwrap();
    });
}

#[test]
fn players_who_know_the_secret_join_and_guesses_are_limited() {
    let server =
        Identified::start("method = \"secret\"\nsecret = \"sesame\"\nfailures_per_minute = 1");
    actix::System::new().block_on(async {
        let _players = [server.by_enet("token=sesame").await, server.by_enet("token=sesame").await]
            .map(Result::unwrap);
        for code in ["wrong_secret", "too_many_attempts"] {
            let said = server.by_enet("token=guess").await.expect_err(code);
            assert!(said.starts_with(&refusal(code)), "{said}");
        }
    });
}

/// Runs a service that answers each request with `status` and `body`. Returns its address and the
/// bodies of the requests.
pub(crate) fn service(
    status: &'static str,
    body: &'static str,
) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, requests) = mpsc::sync_channel(16);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = answer(&mut stream.unwrap(), status, body, &sender);
        }
    });
    (address, requests)
}

fn answer(
    stream: &mut TcpStream,
    status: &str,
    body: &str,
    requests: &mpsc::SyncSender<String>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut len) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            len = value.trim().parse().unwrap();
        }
    }
    let mut request = vec![0; len];
    reader.read_exact(&mut request)?;
    let _ = requests.try_send(String::from_utf8(request).unwrap());
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn service_accepts_and_refuses_players() {
    let (address, requests) = service("200 OK", r#"{"sub": "kay"}"#);
    let server = Identified::start(&format!("method = \"call-out\"\nurl = \"http://{address}/\""));
    actix::System::new().block_on(async {
        let _player = server.by_enet("token=ticket").await.unwrap();
    });
    let request = requests.try_recv().unwrap();
    assert!(request.contains(r#""token":"ticket""#), "{request}");
    assert!(request.contains(r#""address":"127.0.0.1""#), "{request}");

    let (address, _requests) =
        service("403 Forbidden", r#"{"code": "too_young", "text": "Sorry"}"#);
    let server = Identified::start(&format!("method = \"call-out\"\nurl = \"http://{address}/\""));
    actix::System::new().block_on(async {
        let said = server.by_enet("token=ticket").await.expect_err("it is refused");
        assert_eq!(said, r#"{"code":"too_young","text":"Sorry"}"#);
    });
    assert_eq!(server.close_reason("token=ticket"), "too_young");
}

#[test]
fn players_receive_a_code_if_the_service_does_not_answer() {
    let server = Identified::start("method = \"call-out\"\nurl = \"http://127.0.0.1:1/\"");
    actix::System::new().block_on(async {
        let said = server.by_enet("token=ticket").await.expect_err("there is no service");
        assert!(said.starts_with(&refusal("call_out_unavailable")), "{said}");
    });
}

#[test]
fn start_warns_of_readable_tokens_and_tokens_are_not_logged() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "[identity]\nmethod = \"token\"\nsecret = \"{SECRET}\"\n[log]\nfilter = \"trace\"\n"
    );
    let mut server = Identified::with_config(folder, &config);
    let stderr = server.server.stderr();
    let log = std::thread::spawn(move || {
        let mut log = String::new();
        BufReader::new(stderr).read_to_string(&mut log).unwrap();
        log
    });
    let query = token(&issuer(), kay(), 60);
    actix::System::new().block_on(async {
        let _by_url = server.by_url(&query).await.unwrap();
        let _by_enet = server.by_enet(&query).await.unwrap();
    });
    assert_eq!(server.server.terminate(), Some(0));
    let log = log.join().unwrap();
    assert!(log.contains("tokens of ENet players are readable"), "{log}");
    let secret = query.rsplit('.').next().unwrap();
    assert!(log.contains("/?…") && !log.contains(secret), "{log}");
}

#[test]
fn keys_that_cannot_be_used_are_errors_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    std::fs::write(file("empty.json"), r#"{"keys": []}"#).unwrap();
    let fails = |setting: &str, file: &Path| {
        let mut command = command();
        command.args(FREE_PORTS).env("MP_IDENTITY__METHOD", "token").env(setting, file);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let missing = fails("MP_IDENTITY__PUBLIC_KEY", &file("none.pub"));
    assert!(missing.contains("cannot read") && missing.contains("none.pub"), "{missing}");
    let empty = fails("MP_IDENTITY__JWKS", &file("empty.json"));
    assert!(empty.contains("no key can be used"), "{empty}");
    let short = fails("MP_IDENTITY__SECRET", Path::new("short"));
    assert!(short.contains("identity.secret"), "{short}");
}
