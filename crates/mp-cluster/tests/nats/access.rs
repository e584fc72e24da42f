//! Users and servers that are accepted, and the errors of the others.

use std::fs;

use bytes::Bytes;
use mp_cluster::bus::{Bus, BusEvent, BusMessageKind};
use mp_cluster::directory::{EntryKey, EntryKind, Operation, OperationOutcome};
use mp_cluster::nats::{NatsConnection, NatsError, NatsOptions};
use mp_cluster::{ClusterNodeId, Epoch};
use mp_rooms::RoomName;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::server::{DEADLINE, NatsServer, options, outcome};

const NODE: ClusterNodeId = ClusterNodeId::new(1);

async fn error(options: &NatsOptions) -> NatsError {
    match NatsConnection::open(options, NODE).await {
        Ok(connection) => connection.directory().await.expect_err("a refusal"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn wrong_user_and_unreadable_files_are_reported() {
    let server =
        NatsServer::start("authorization { users: [{ user: mp, password: right }] }").await;
    let with = |user: &str| options(&format!("nats://{user}@127.0.0.1:{}", server.port()));
    for user in ["mp:wrong", "other:right"] {
        let error = error(&with(user)).await;
        assert!(matches!(error, NatsError::Unauthorized { .. }), "{error}");
        assert!(!error.to_string().contains(user), "{error}");
    }
    assert!(matches!(error(&server.options()).await, NatsError::Unauthorized { .. }));
    let connection = NatsConnection::open(&with("mp:right"), NODE).await.unwrap();
    connection.directory().await.unwrap();
    let by_setting = with("other:right").user_and_password("mp".to_owned(), "right".to_owned());
    NatsConnection::open(&by_setting, NODE).await.unwrap();
    let missing = server.options().credentials_file("missing.creds".into());
    let error = error(&missing).await.to_string();
    assert!(error.starts_with("cannot read the NATS credentials missing.creds: "), "{error}");
}

#[tokio::test]
async fn server_without_jetstream_is_reported() {
    let server = NatsServer::without_jetstream().await;
    let error = error(&server.options()).await;
    assert!(matches!(error, NatsError::NoJetStream), "{error}");
    assert!(error.to_string().contains("--jetstream"));
}

#[tokio::test]
async fn server_that_is_not_there_or_limits_messages_is_reported() {
    let mut server = NatsServer::start("max_payload: 65536").await;
    let small = error(&server.options()).await;
    assert!(matches!(small, NatsError::SmallPayload { bytes: 65_536, .. }), "{small}");
    server.stop();
    let away = error(&server.options()).await.to_string();
    let expected = format!("cannot connect to NATS at 127.0.0.1:{}: ", server.port());
    assert!(away.starts_with(&expected), "{away}");
}

#[tokio::test]
async fn server_with_a_certificate_is_accepted_only_with_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut ca = CertificateParams::new([]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let server = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = server.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    fs::write(path("ca.pem"), ca_certificate.pem()).unwrap();
    fs::write(path("cert.pem"), certificate.pem()).unwrap();
    fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    let tls =
        format!("tls {{ cert_file: {:?}, key_file: {:?} }}", path("cert.pem"), path("key.pem"));
    let server = NatsServer::start(&tls).await;
    let url = format!("tls://localhost:{}", server.port());
    let connection = NatsConnection::open(&options(&url).ca_file(path("ca.pem")), NODE).await;
    let connection = connection.unwrap();
    let directory = connection.directory().await.unwrap();
    let nodes = outcome(&directory, Operation::List(EntryKind::Node)).await;
    assert_eq!(nodes, OperationOutcome::Entries(Vec::new()));
    let unknown = error(&options(&url)).await;
    assert!(matches!(unknown, NatsError::Unreachable { .. }), "{unknown}");
    let missing = error(&options(&url).ca_file(path("missing.pem"))).await;
    assert!(matches!(missing, NatsError::Authorities { .. }), "{missing}");
}

/// Returns the configuration on the page for operators, without the folder of its first line.
fn documented() -> String {
    let page = include_str!("../../../../docs/operating/cluster.md");
    let block = page.split("```conf\n").nth(1).and_then(|rest| rest.split("```").next());
    let (first, rest) = block.and_then(|block| block.split_once('\n')).expect("a configuration");
    assert!(first.starts_with("jetstream"), "{first}");
    rest.to_owned()
}

#[tokio::test]
async fn permissions_on_the_page_for_operators_are_enough_and_only_for_that_cluster() {
    let server = NatsServer::start(&documented()).await;
    let url = format!("nats://mp:change-me@127.0.0.1:{}", server.port());
    let of = |cluster: &str| NatsOptions::new([&*url], cluster.parse().unwrap()).unwrap();
    let connection = NatsConnection::open(&of("europe"), NODE).await.unwrap();
    let (name, value) = (RoomName::new("arena").unwrap(), Bytes::from_static(b"room"));
    let directory = connection.directory().await.unwrap();
    let key = EntryKey::Room(name.clone());
    let put = Operation::Put { key: key.clone(), value, expected: None, lifetime: None };
    let OperationOutcome::Written(expected) = outcome(&directory, put).await else { panic!() };
    let listed = outcome(&directory, Operation::List(EntryKind::Room)).await;
    assert!(matches!(listed, OperationOutcome::Entries(rooms) if rooms.len() == 1));
    let remove = Operation::Remove { key, expected };
    assert_eq!(outcome(&directory, remove).await, OperationOutcome::Removed);
    let snapshots = connection.snapshots().await.unwrap();
    for bytes in [Bytes::from_static(b"one"), Bytes::from_static(b"two")] {
        snapshots.store(&name, Epoch::new(1), &bytes).await.unwrap();
    }
    assert_eq!(snapshots.load(&name).await.unwrap().unwrap().bytes, "two");
    snapshots.remove(&name, Epoch::new(1)).await.unwrap();
    let mut bus = connection.into_bus().await.unwrap();
    let sent = Bytes::from_static(b"frame");
    bus.publish(NODE, BusMessageKind::Frame, sent.clone());
    let received = async {
        loop {
            if let BusEvent::Message(_, bytes) = bus.recv().await {
                return bytes;
            }
        }
    };
    assert_eq!(tokio::time::timeout(DEADLINE, received).await, Ok(sent));

    let other = NatsConnection::open(&of("asia"), NODE).await.unwrap();
    let refused = other.directory().await.expect_err("no permission").to_string();
    assert!(
        refused.contains("allow the user to publish \"$JS.API.STREAM.INFO.KV_mp_asia\""),
        "{refused}"
    );
    let refused = other.into_bus().await.expect_err("no permission").to_string();
    assert!(refused.contains("\"mp.asia.node.>\""), "{refused}");
}
