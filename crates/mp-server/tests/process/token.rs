//! `mp-server token` issues tokens that a server accepts, and creates keys.

use std::path::Path;
use std::process::Output;

use mp_core::Instant;
use mp_core::host::unix_now;
use mp_identity::{
    AuthMethod, AuthOutput, Authenticator, Credentials, Identity, KeySet, KeySource, RequestId,
    Role, Token, TokenKey, TokenSettings,
};

use crate::server::command;

const SECRET: &str = "a secret of thirty-two bytes, ok";

fn run(folder: &Path, arguments: &[&str]) -> Output {
    command().arg("token").args(arguments).current_dir(folder).output().unwrap()
}

fn error(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty(), "nothing but a token is printed");
    String::from_utf8(output.stderr).unwrap()
}

/// Returns the identity of a printed token.
fn identity(output: &Output, settings: TokenSettings) -> Identity {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    let token = text.strip_suffix('\n').unwrap();
    let mut authenticator = Authenticator::new(AuthMethod::Tokens(settings));
    let token = Some(Token::new(token).unwrap());
    let credentials = Credentials { token, ..Credentials::default() };
    authenticator.begin(Instant::ZERO, unix_now(), RequestId(0), credentials);
    match authenticator.next_output() {
        Some(AuthOutput::Decided { decision, .. }) => decision.unwrap(),
        output => panic!("{output:?}"),
    }
}

fn settings(key: TokenKey) -> TokenSettings {
    TokenSettings::new(KeySource::Keys(KeySet::from(key)))
}

#[test]
fn created_keys_sign_and_verify_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["--new-key"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("token.key: private key") && text.contains("keep it secret"), "{text}");
    assert!(error(folder.path(), &["--new-key"]).contains("cannot write token.key; remove it"));

    let output = run(folder.path(), &["--sub", "kay"]);
    assert!(output.status.success(), "{output:?}");
    let public = std::fs::read(folder.path().join("token.pub")).unwrap();
    let kay = identity(&output, settings(TokenKey::public_pem(&public).unwrap()));
    assert_eq!(kay.subject().unwrap().as_str(), "kay");
    assert_eq!((kay.room(), kay.role(), kay.may_create()), (None, Role::Player, false));
    let lifetime = kay.expires().unwrap() - unix_now();
    assert!((3_500..=3_600).contains(&lifetime), "{lifetime}");
}

#[test]
fn options_are_claims() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "--secret",
        SECRET,
        "--sub",
        "kay",
        "--name",
        "Kay",
        "--room",
        "a",
        "--role",
        "host",
        "--create",
        "--max-players",
        "4",
        "--ttl",
        "1d",
        "--aud",
        "eu-1",
        "--iss",
        "studio",
        "--jti",
        "7",
        "--kid",
        "k",
    ];
    let output = run(folder.path(), &arguments);
    assert!(output.status.success(), "{output:?}");
    let key = TokenKey::secret(SECRET.as_bytes()).unwrap().with_id("k");
    let settings = settings(key).audience("eu-1").issuer("studio").single_use(true);
    let kay = identity(&output, settings);
    assert_eq!((kay.name(), kay.room(), kay.role()), (Some("Kay"), Some("a"), Role::Host));
    assert_eq!((kay.may_create(), kay.max_players()), (true, Some(4)));
    let lifetime = kay.expires().unwrap() - unix_now();
    assert!((86_300..=86_400).contains(&lifetime), "{lifetime}");
}

#[test]
fn errors_say_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let error = |arguments: &[&str]| error(folder.path(), arguments);
    for (arguments, parts) in [
        (&["--sub", "kay"][..], &["cannot read token.key", "mp-server token --new-key"][..]),
        (&["--secret", SECRET], &["--sub"]),
        (&["--secret", "short", "--sub", "kay"], &["5 bytes", "openssl rand"]),
        (&["--secret", SECRET, "--sub", ""], &["invalid subject"]),
        (&["--secret", SECRET, "--sub", "kay", "--room", ""], &["invalid room"]),
        (&["--secret", SECRET, "--sub", "kay", "--role", "king"], &["player, spectator or host"]),
        (&["--secret", SECRET, "--sub", "kay", "--ttl", "0"], &["90s, 15m, 1h"]),
        (&["--secret", SECRET, "--sub", "kay", "--ttl", "soon"], &["90s, 15m, 1h"]),
        (&["--new-key", "--sub", "kay"], &["cannot be used with"]),
    ] {
        let text = error(arguments);
        assert!(parts.iter().all(|part| text.contains(part)), "{arguments:?}: {text}");
    }
    std::fs::write(folder.path().join("no.key"), "-----BEGIN PUBLIC KEY-----").unwrap();
    let text = error(&["--sub", "kay", "--key", "no.key"]);
    assert!(text.contains("no.key: there is no private key"), "{text}");
    std::fs::write(folder.path().join("no.key"), vec![0; 65_537]).unwrap();
    let text = error(&["--sub", "kay", "--key", "no.key"]);
    assert!(text.contains("it has 65537 bytes"), "{text}");
}
