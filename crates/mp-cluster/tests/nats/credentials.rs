//! Users with tokens of an account, from `.creds` files.

use std::fs;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use mp_cluster::ClusterNodeId;
use mp_cluster::nats::{NatsConnection, NatsError, NatsOptions};
use nkeys::KeyPair;
use serde_json::{Value, json};

use crate::server::NatsServer;

/// Returns a token of NATS: the claims about `subject`, which `issuer` signs.
fn token(issuer: &KeyPair, subject: &KeyPair, name: &str, claims: Value) -> String {
    let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let (issuer_key, subject_key) = (issuer.public_key(), subject.public_key());
    let body = json!({ "jti": name, "iat": 1, "iss": issuer_key, "sub": subject_key, "name": name, "nats": claims });
    let signed = format!("{}.{}", encode(&header), encode(&body));
    let signature = issuer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}

/// Returns the claims of an account with bytes of storage in JetStream; -1: any number.
fn account(storage: i64) -> Value {
    json!({
        "type": "account",
        "version": 2,
        "limits": {
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
            "conn": -1, "leaf": -1, "mem_storage": storage, "disk_storage": storage,
            "streams": storage, "consumer": storage,
        },
    })
}

/// Returns the claims of a user who may publish and subscribe only `subjects`.
fn user(subjects: &[&str]) -> Value {
    let allowed = json!({ "allow": subjects });
    json!({
        "type": "user", "version": 2, "pub": allowed, "sub": allowed,
        "subs": -1, "data": -1, "payload": -1,
    })
}

/// Returns the text of a `.creds` file.
fn credentials(token: &str, user: &KeyPair) -> String {
    let seed = user.seed().unwrap();
    format!(
        "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}

#[tokio::test]
async fn user_of_an_account_signs_in_with_its_token_and_key() {
    let [operator, own, system] =
        [KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account()];
    let server = NatsServer::start(&format!(
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {}, {}: {} }}",
        token(&operator, &operator, "test", json!({ "type": "operator", "version": 2 })),
        system.public_key(),
        own.public_key(),
        token(&operator, &own, "games", account(-1)),
        system.public_key(),
        token(&operator, &system, "system", account(0)),
    ))
    .await;
    let folder = tempfile::tempdir().unwrap();
    let options = |name: &str, text: &str| -> NatsOptions {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        server.options().credentials_file(path)
    };
    let node = ClusterNodeId::new(1);

    let (key, other) = (KeyPair::new_user(), KeyPair::new_user());
    let cluster = ["mp.test.>", "$KV.mp_test.>", "$JS.API.>"];
    let right = token(&own, &key, "node", user(&cluster));
    let right_file = options("right.creds", &credentials(&right, &key));
    let connection = NatsConnection::open(&right_file, node).await.unwrap();
    connection.directory().await.unwrap();
    // Both clocks are that of this machine.
    let clock = connection.clock().await.unwrap();
    let difference = Duration::from_micros(clock.ahead_micros.unsigned_abs());
    assert!(difference <= clock.round_trip, "{clock:?}");
    connection.into_bus().await.unwrap();

    let few = token(&own, &other, "few", user(&["mp.other.>"]));
    let few = options("few.creds", &credentials(&few, &other));
    let refused = NatsConnection::open(&few, node).await.unwrap().directory().await;
    let refused = refused.expect_err("no permission").to_string();
    assert!(refused.contains("$JS.API.STREAM.INFO.KV_mp_test"), "{refused}");

    // A token with the key of another user, and one that another account has signed.
    let other_account = KeyPair::new_account();
    let forged = token(&other_account, &key, "node", user(&cluster));
    for (name, text) in [
        ("other-key.creds", credentials(&right, &other)),
        ("forged.creds", credentials(&forged, &key)),
    ] {
        let refused = NatsConnection::open(&options(name, &text), node).await;
        let refused = refused.expect_err("the user is refused");
        assert!(matches!(refused, NatsError::Unauthorized { .. }), "{name}: {refused}");
    }
    let broken = NatsConnection::open(&options("broken.creds", "no token"), node).await;
    let broken = broken.expect_err("there is no token").to_string();
    assert!(broken.starts_with("cannot read the NATS credentials "), "{broken}");
}
