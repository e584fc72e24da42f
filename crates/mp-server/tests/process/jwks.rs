//! Signed tokens whose keys are fetched from a URL, and tokens that are used once.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use mp_core::host::unix_now;
use mp_identity::TokenIssuer;
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::{Value, json};

use crate::identity::{Identified, issuer, kay, refusal, token};

/// A key pair with an id.
struct Key {
    id: &'static str,
    pair: KeyPair,
}

impl Key {
    fn new(id: &'static str) -> Self {
        Self { id, pair: KeyPair::generate_for(&PKCS_ED25519).unwrap() }
    }

    /// Returns `token=TOKEN` of kay.
    fn token(&self) -> String {
        let issuer = TokenIssuer::private_pem(self.pair.serialize_pem().as_bytes()).unwrap();
        token(&issuer.key_id(self.id), kay(), 3_600)
    }

    fn jwk(&self) -> Value {
        let x = BASE64URL_NOPAD.encode(self.pair.public_key_raw());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": x})
    }
}

/// A service with a JWK set.
#[derive(Clone)]
struct Keys {
    address: SocketAddr,
    served: Arc<Mutex<Served>>,
}

struct Served {
    /// The keys; `None`: the service responds with 503.
    keys: Option<Vec<Value>>,
    requests: usize,
}

impl Keys {
    fn start(keys: Option<&[&Key]>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let keys = keys.map(|keys| keys.iter().map(|key| key.jwk()).collect());
        let served = Arc::new(Mutex::new(Served { keys, requests: 0 }));
        let service = Self { address, served };
        let of_thread = service.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = of_thread.respond(stream.unwrap());
            }
        });
        service
    }

    fn respond(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line)?;
        }
        let mut served = self.served.lock().unwrap();
        served.requests += 1;
        let (status, body) = match &served.keys {
            Some(keys) => ("200 OK", json!({ "keys": keys }).to_string()),
            None => ("503 Service Unavailable", String::new()),
        };
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    fn set(&self, keys: &[&Key]) {
        self.served.lock().unwrap().keys = Some(keys.iter().map(|key| key.jwk()).collect());
    }

    fn requests(&self) -> usize {
        self.served.lock().unwrap().requests
    }

    /// Starts a server that fetches its keys here.
    fn server(&self) -> Identified {
        let url = format!("http://{}/jwks", self.address);
        Identified::start(&format!(
            "method = \"token\"\njwks = \"{url}\"\nfailures_per_minute = 0\nsame_player = \"allow\""
        ))
    }
}

/// Joins until the player is accepted. Until then it is refused with `code`.
async fn join_until_accepted(server: &Identified, query: &str, code: &str) {
    while let Err(said) = server.by_enet(query).await {
        assert!(said.starts_with(&refusal(code)), "{said}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[test]
fn keys_of_a_url_are_fetched_once_for_all_players_and_rotated_after_a_minute() {
    let (a, b) = (Key::new("a"), Key::new("b"));
    let service = Keys::start(Some(&[&a]));
    let server = service.server();
    actix::System::new().block_on(async {
        let _players = [server.by_enet(&a.token()).await, server.by_enet(&a.token()).await]
            .map(Result::unwrap);
        service.set(&[&b]);
        // Invented keys cause no further requests before the minute is over.
        let unknown = server.by_enet(&b.token()).await.expect_err("its key is unknown");
        assert!(unknown.starts_with(&refusal("unknown_key")), "{unknown}");
        assert_eq!(service.requests(), 1);
        join_until_accepted(&server, &b.token(), "unknown_key").await;
        let withdrawn = server.by_enet(&a.token()).await.expect_err("its key was withdrawn");
        assert!(withdrawn.starts_with(&refusal("unknown_key")), "{withdrawn}");
        assert_eq!(service.requests(), 2);
    });
}

#[test]
fn players_are_refused_while_the_keys_cannot_be_fetched_and_accepted_afterwards() {
    let key = Key::new("a");
    let service = Keys::start(None);
    let server = service.server();
    actix::System::new().block_on(async {
        let refused = server.by_enet(&key.token()).await.expect_err("there are no keys");
        assert!(refused.starts_with(&refusal("keys_unavailable")), "{refused}");
        service.set(&[&key]);
        join_until_accepted(&server, &key.token(), "keys_unavailable").await;
    });
}

#[test]
fn token_that_is_used_once_is_refused_the_second_time_on_all_transports() {
    let server = Identified::with_tokens("single_use = true\nsame_player = \"allow\"");
    let identity = || kay().with_expires(Some(unix_now() + 60));
    let with_id = |id| issuer().issue(unix_now(), &identity(), id).unwrap();
    let query = |id| format!("token={}", with_id(id).as_str());
    actix::System::new().block_on(async {
        let without = server.by_enet(&query(None)).await.expect_err("it has no id");
        assert!(without.starts_with(&refusal("invalid_claims")), "{without}");
        let (first, second) = (query(Some("1")), query(Some("2")));
        let _player = server.by_enet(&first).await.unwrap();
        let again = server.by_enet(&first).await.expect_err("it was used");
        assert!(again.starts_with(&refusal("already_used")), "{again}");
        assert_eq!(server.close_reason(&first), "already_used");
        let _other = server.by_url(&second).await.unwrap();
        let again = server.by_enet(&second).await.expect_err("it was used");
        assert!(again.starts_with(&refusal("already_used")), "{again}");
    });
}
