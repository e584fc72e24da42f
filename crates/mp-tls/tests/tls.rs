//! Certificates from files, verification by clients, and reloading certificates.

use std::error::Error;
use std::fs;
use std::sync::Arc;

use mp_tls::rustls::pki_types::UnixTime;
use mp_tls::rustls::{ClientConnection, Connection, ServerConfig, ServerConnection};
use mp_tls::{
    CertificateStore, ClientTlsOptions, DevelopmentCertificate, Identity, KeyKind, TlsError,
};
use rcgen::{
    CertificateParams, KeyPair, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize, SignatureAlgorithm,
};

fn made(name: &str) -> DevelopmentCertificate {
    DevelopmentCertificate::new(&[name]).unwrap()
}

fn self_signed(key: &KeyPair) -> String {
    CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(key).unwrap().pem()
}

fn key(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    if algorithm == &PKCS_RSA_SHA256 {
        KeyPair::generate_rsa_for(algorithm, RsaKeySize::_2048).unwrap()
    } else {
        KeyPair::generate_for(algorithm).unwrap()
    }
}

/// Runs a handshake in memory and returns the client's result for a server at `host`.
fn handshake(
    server: &CertificateStore,
    client: &ClientTlsOptions,
    host: &str,
) -> Result<(), String> {
    handshake_with(&server.server_config().unwrap(), client, host)
}

fn handshake_with(
    server: &Arc<ServerConfig>,
    client: &ClientTlsOptions,
    host: &str,
) -> Result<(), String> {
    let name = client.server_name(host).unwrap();
    let client = ClientConnection::new(client.client_config().unwrap(), name).unwrap();
    let server = ServerConnection::new(Arc::clone(server)).unwrap();
    let mut sides: [Connection; 2] = [client.into(), server.into()];
    for turn in 0..20 {
        let [client, server] = &mut sides;
        let (from, to) = if turn % 2 == 0 { (client, server) } else { (server, client) };
        let mut bytes = Vec::new();
        while from.wants_write() {
            from.write_tls(&mut bytes).unwrap();
        }
        let mut bytes = bytes.as_slice();
        while !bytes.is_empty() {
            to.read_tls(&mut bytes).unwrap();
            to.process_new_packets().map_err(|error| error.to_string())?;
        }
    }
    assert!(sides.iter().all(|side| !side.is_handshaking()), "the handshake did not complete");
    Ok(())
}

#[test]
fn client_accepts_a_server_with_a_trusted_development_certificate() {
    let made = DevelopmentCertificate::new(&["localhost", "127.0.0.1", "::1"]).unwrap();
    let server = CertificateStore::new(made.identity().unwrap());
    let client = ClientTlsOptions::new().trusted_chain(made.certificate_pem()).unwrap();
    for host in ["localhost", "127.0.0.1", "::1"] {
        assert_eq!(handshake(&server, &client, host), Ok(()), "{host}");
    }
}

#[test]
fn untrusted_server_is_rejected() {
    let server = CertificateStore::new(made("localhost").identity().unwrap());
    let other = ClientTlsOptions::new().trusted_chain(made("localhost").certificate_pem()).unwrap();
    let why = handshake(&server, &other, "localhost").unwrap_err();
    assert!(why.contains("certificate"), "{why}");
}

#[test]
fn certificate_for_another_name_is_rejected_unless_overridden() {
    let made = made("game.example");
    let server = CertificateStore::new(made.identity().unwrap());
    let client = ClientTlsOptions::new().trusted_chain(made.certificate_pem()).unwrap();
    let why = handshake(&server, &client, "127.0.0.1").unwrap_err();
    assert!(why.contains("not valid for name"), "{why}");
    let client = client.common_name_override("game.example").unwrap();
    assert_eq!(handshake(&server, &client, "127.0.0.1"), Ok(()));
}

#[test]
fn unsafe_client_checks_only_a_given_chain() {
    let made_one = made("game.example");
    let server = CertificateStore::new(made_one.identity().unwrap());
    let anybody = ClientTlsOptions::new_unsafe();
    assert_eq!(handshake(&server, &anybody, "127.0.0.1"), Ok(()));
    let right = anybody.clone().trusted_chain(made_one.certificate_pem()).unwrap();
    assert_eq!(handshake(&server, &right, "127.0.0.1"), Ok(()));
    let wrong = anybody.trusted_chain(made("game.example").certificate_pem()).unwrap();
    assert!(handshake(&server, &wrong, "127.0.0.1").is_err());
    assert!(right.is_unsafe() && !ClientTlsOptions::new().is_unsafe());
}

#[test]
fn chain_can_be_verified_without_a_connection() {
    let made = made("localhost");
    let identity = made.identity().unwrap();
    let client = ClientTlsOptions::new().trusted_chain(made.certificate_pem()).unwrap();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000));
    client.verify(identity.chain(), "localhost", now).unwrap();
    let other = client.verify(identity.chain(), "other.example", now);
    assert!(matches!(other, Err(TlsError::Untrusted(_))), "{other:?}");
    let none = client.verify(&[], "localhost", now);
    assert!(matches!(none, Err(TlsError::Untrusted(_))), "{none:?}");
}

#[test]
fn all_common_key_types_serve_tls() {
    for (algorithm, kind) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, KeyKind::EcdsaP256),
        (&rcgen::PKCS_ECDSA_P384_SHA384, KeyKind::EcdsaP384),
        (&rcgen::PKCS_ECDSA_P521_SHA512, KeyKind::Ecdsa),
        (&PKCS_ED25519, KeyKind::Ed25519),
        (&PKCS_RSA_SHA256, KeyKind::Rsa),
    ] {
        let key = key(algorithm);
        let certificate = self_signed(&key);
        let identity = Identity::from_pem(&certificate, &key.serialize_pem()).unwrap();
        assert_eq!(identity.key_kind(), kind);
        let client = ClientTlsOptions::new().trusted_chain(&certificate).unwrap();
        assert_eq!(handshake(&identity.into(), &client, "localhost"), Ok(()), "{kind}");
    }
}

#[test]
fn error_for_an_rsa_key_says_how_to_create_an_ecdsa_key() {
    let rsa = key(&PKCS_RSA_SHA256);
    let identity = Identity::from_pem(&self_signed(&rsa), &rsa.serialize_pem()).unwrap();
    let why = identity.require_ecdsa("ENet's DTLS").unwrap_err().to_string();
    for part in ["RSA", "ENet's DTLS", "P-256", "mp-server cert"] {
        assert!(why.contains(part), "{why}");
    }
    made("localhost").identity().unwrap().require_ecdsa("ENet's DTLS").unwrap();
}

#[test]
fn debug_output_does_not_contain_the_key() {
    let text = format!("{:?}", made("localhost").identity().unwrap());
    assert_eq!(text, "Identity { certificates: 1, key: EcdsaP256 }");
}

#[test]
fn errors_name_the_file_and_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    made("localhost").write(path("a.crt"), path("a.key")).unwrap();
    made("localhost").write(path("b.crt"), path("b.key")).unwrap();
    let text = fs::read_to_string(path("a.key")).unwrap();
    fs::write(path("cut.key"), &text[..text.len() / 2]).unwrap();
    fs::write(path("encrypted.key"), text.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")).unwrap();
    fs::write(path("empty"), "").unwrap();
    for (certificate, key, parts) in [
        ("none.crt", "a.key", &["none.crt", "cannot read"][..]),
        ("a.crt", "none.key", &["none.key", "cannot read"]),
        ("empty", "a.key", &["empty", "BEGIN CERTIFICATE"]),
        ("a.key", "a.key", &["a.key", "no certificate"]),
        ("a.crt", "a.crt", &["a.crt", "no usable private key"]),
        ("a.crt", "cut.key", &["cut.key", "truncated"]),
        ("a.crt", "encrypted.key", &["encrypted.key", "it is encrypted"]),
        ("a.crt", "b.key", &["a.crt", "b.key", "does not belong"]),
    ] {
        let error = Identity::from_files(path(certificate), path(key)).unwrap_err();
        let why = chain(&error).join(": ");
        for part in parts {
            assert!(why.contains(part) && !why.contains('\n'), "{certificate} {key}: {why}");
        }
    }
    let why = made("localhost").write(path("a.crt"), path("c.key")).unwrap_err().to_string();
    assert!(why.contains("a.crt") && why.contains("remove it"), "{why}");
}

#[test]
fn sources_of_errors_are_kept_and_not_repeated() {
    let missing = Identity::from_files("no/such.crt", "no/such.key").unwrap_err();
    let source = missing.source().unwrap().downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    assert_eq!(missing.to_string(), "cannot read no/such.crt");

    let made = made("localhost");
    let identity = made.identity().unwrap();
    let client = ClientTlsOptions::new().trusted_chain(made.certificate_pem()).unwrap();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000));
    let untrusted = client.verify(identity.chain(), "other.example", now).unwrap_err();
    let source = untrusted.source().unwrap().downcast_ref::<rustls::Error>().unwrap();
    assert!(matches!(source, rustls::Error::InvalidCertificate(_)), "{source:?}");

    let malformed = Identity::from_pem(made.certificate_pem(), "-----BEGIN PRIVATE KEY-----");
    let texts = chain(&malformed.unwrap_err());
    assert!(texts.len() == 3 && texts[1] == "it is truncated", "{texts:?}");
}

/// Returns the texts of an error and its sources.
fn chain(error: &dyn Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        texts.push(error.to_string());
        source = error.source();
    }
    texts
}

#[test]
fn invalid_host_names_are_rejected() {
    for name in ["", "two words", "http://localhost"] {
        let why = DevelopmentCertificate::new(&[name]).unwrap_err().to_string();
        assert!(why.contains("not a host name"), "{why}");
        assert!(ClientTlsOptions::new().common_name_override(name).is_err());
    }
    assert!(DevelopmentCertificate::new(&[""; 0]).is_err());
}

#[cfg(unix)]
#[test]
fn key_file_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.key");
    made("localhost").write(folder.path().join("a.crt"), &file).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn store_reloads_files_while_serving_and_keeps_the_old_certificate_if_they_are_invalid() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a.crt", "a.key"].map(|name| folder.path().join(name));
    let replace = |made: &DevelopmentCertificate| {
        let _ = (fs::remove_file(&files[0]), fs::remove_file(&files[1]));
        made.write(&files[0], &files[1]).unwrap();
    };
    let trusting = |made: &DevelopmentCertificate| {
        ClientTlsOptions::new().trusted_chain(made.certificate_pem()).unwrap()
    };
    let (first, second) = (made("localhost"), made("localhost"));
    replace(&first);
    let store = CertificateStore::from_files(&files[0], &files[1]).unwrap();
    let config = store.server_config().unwrap();
    assert!(!store.has_changed());
    assert_eq!(handshake_with(&config, &trusting(&first), "localhost"), Ok(()));

    fs::write(&files[1], "half a k").unwrap();
    age(&files[1], 1);
    assert!(store.has_changed());
    assert!(store.reload().is_err());
    assert!(!store.has_changed(), "an invalid file is not loaded again until it changes");
    assert_eq!(handshake_with(&config, &trusting(&first), "localhost"), Ok(()));

    replace(&second);
    age(&files[0], 2);
    assert!(store.has_changed());
    store.reload().unwrap();
    assert_eq!(handshake_with(&config, &trusting(&second), "localhost"), Ok(()));
    assert!(handshake_with(&config, &trusting(&first), "localhost").is_err());
}

#[test]
fn store_detects_overwritten_and_renamed_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let files = [path("a.crt"), path("a.key")];
    let first = made("localhost");
    first.write(&files[0], &files[1]).unwrap();
    let store = CertificateStore::from_files(&files[0], &files[1]).unwrap();
    let mut served = first.identity().unwrap().chain().to_vec();
    let mut check_reload = |how: &str, made: &DevelopmentCertificate| {
        assert!(store.has_changed(), "{how}");
        store.reload().unwrap();
        assert!(!store.has_changed(), "{how}");
        let chain = store.identity().chain().to_vec();
        assert_eq!(chain, made.identity().unwrap().chain(), "{how}");
        assert_ne!(std::mem::replace(&mut served, chain), store.identity().chain(), "{how}");
    };

    // Size and modification time stay: `cp -p`, or a restored backup.
    let time = files[0].metadata().unwrap().modified().unwrap();
    let same_size = std::iter::repeat_with(|| made("localhost")).find(|made| {
        let sizes =
            |made: &DevelopmentCertificate| (made.certificate_pem().len(), made.key_pem().len());
        sizes(made) == sizes(&first)
    });
    let same_size = same_size.unwrap();
    for (file, text) in [(&files[0], same_size.certificate_pem()), (&files[1], same_size.key_pem())]
    {
        fs::write(file, text).unwrap();
        fs::File::options().append(true).open(file).unwrap().set_modified(time).unwrap();
    }
    check_reload("written over", &same_size);

    let renamed = made("localhost");
    let new = [path("new.crt"), path("new.key")];
    renamed.write(&new[0], &new[1]).unwrap();
    for (new, file) in new.iter().zip(&files) {
        fs::File::options().append(true).open(new).unwrap().set_modified(time).unwrap();
        fs::rename(new, file).unwrap();
    }
    check_reload("renamed", &renamed);
}

#[cfg(unix)]
#[test]
fn store_detects_a_changed_symbolic_link() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let made = ["one", "two"].map(|name| {
        let made = made("localhost");
        fs::create_dir(path(name)).unwrap();
        let files = [path(name).join("a.crt"), path(name).join("a.key")];
        made.write(&files[0], &files[1]).unwrap();
        for file in files {
            let file = fs::File::options().append(true).open(file).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        }
        made
    });
    symlink(path("one"), path("now")).unwrap();
    let now = path("now");
    let store = CertificateStore::from_files(now.join("a.crt"), now.join("a.key")).unwrap();
    symlink(path("two"), path("next")).unwrap();
    fs::rename(path("next"), &now).unwrap();
    assert!(store.has_changed());
    store.reload().unwrap();
    assert_eq!(store.identity().chain(), made[1].identity().unwrap().chain());
}

#[test]
fn store_keeps_its_certificate_while_new_files_are_incomplete() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a.crt", "a.key"].map(|name| folder.path().join(name));
    let (old, new) = (made("localhost"), made("localhost"));
    old.write(&files[0], &files[1]).unwrap();
    let store = CertificateStore::from_files(&files[0], &files[1]).unwrap();
    let [certificate, key] = [new.certificate_pem(), new.key_pem()];
    let half = |text: &str| text[..text.len() / 2].to_owned();
    for [certificate, key] in [
        [String::new(), key.to_owned()],
        [half(certificate), key.to_owned()],
        [certificate.to_owned(), old.key_pem().to_owned()],
        [certificate.to_owned(), String::new()],
        [certificate.to_owned(), half(key)],
    ] {
        fs::write(&files[0], certificate).unwrap();
        fs::write(&files[1], key).unwrap();
        assert!(store.has_changed() && store.reload().is_err());
        assert_eq!(store.identity().chain(), old.identity().unwrap().chain());
    }
    fs::remove_file(&files[0]).unwrap();
    assert!(store.has_changed() && store.reload().is_err());
    assert_eq!(store.identity().chain(), old.identity().unwrap().chain());
    fs::write(&files[0], certificate).unwrap();
    fs::write(&files[1], key).unwrap();
    assert!(store.has_changed());
    store.reload().unwrap();
    assert_eq!(store.identity().chain(), new.identity().unwrap().chain());
}

/// Moves the modification time of a file `minutes` ahead, since file systems may not distinguish
/// two consecutive writes.
fn age(file: &std::path::Path, minutes: u64) {
    let file = fs::File::options().append(true).open(file).unwrap();
    let written = file.metadata().unwrap().modified().unwrap();
    file.set_modified(written + std::time::Duration::from_secs(60 * minutes)).unwrap();
}
