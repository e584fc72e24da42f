//! Bodies of this crate's fuzz targets. Each body accepts any bytes and panics if a property does
//! not hold. See `fuzz/` in the repository.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use mp_core::{Instant, UnixSeconds};

use crate::limits::{
    ATTRIBUTES_BYTES_MAX, CODE_BYTES_MAX, JWKS_KEYS_MAX, NAME_BYTES_MAX, ROOM_BYTES_MAX,
    SUBJECT_BYTES_MAX, TEXT_BYTES_MAX,
};
use crate::{
    AuthMethod, AuthOutput, AuthRejection, Authenticator, CallOutSettings, Credentials,
    HttpFailure, HttpResponse, HttpUrl, Identity, KeySet, KeySource, RequestId, Subject, Token,
    TokenIssuer, TokenKey, TokenSettings,
};

const SECRET: &[u8] = b"a secret of thirty-two bytes, ok";
/// The public key of the examples in RFC 8410.
const PUBLIC_PEM: &[u8] = b"-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";
const NOW: Instant = Instant::from_millis(1_000);
const UNIX: UnixSeconds = 1_800_000_000;

/// Verifies the input as a token, which is never valid, and as the claims and the header of a
/// signed token. Identities that are accepted are within bounds, and are those of the token that is
/// issued for them.
pub fn identity_token(data: &[u8]) {
    let secret = TokenKey::secret(SECRET).expect("a valid secret");
    let public = TokenKey::public_pem(PUBLIC_PEM).expect("a valid key");
    for key in [secret.clone(), public] {
        if let Some(decision) = decide(by(key.into()), &String::from_utf8_lossy(data)) {
            assert!(decision.is_err(), "a forged token");
        }
    }
    let header = br#"{"alg":"HS256"}"#;
    let claims = br#"{"aud":"mp-server","sub":"kay","exp":1800000001}"#;
    decide(by(secret.clone().into()), &sign(data, claims));
    if let Some(Ok(identity)) = decide(by(secret.clone().into()), &sign(header, data)) {
        check(&identity);
        assert!(identity.expires().is_some_and(|end| end.saturating_add(30) > UNIX));
        let issuer = TokenIssuer::secret(SECRET).expect("a valid secret");
        // A token in base64 may be too long although the claims were not.
        if let Ok(token) = issuer.issue(UNIX, &identity, None) {
            assert_eq!(decide(by(secret.into()), token.as_str()), Some(Ok(identity)));
        }
    }
}

/// Parses the input as a JWK set, and as the response to a fetch. A token that is signed with a
/// secret is never accepted.
pub fn identity_jwks(data: &[u8]) {
    let parsed = KeySet::from_jwks(data);
    if let Ok(keys) = &parsed {
        assert!(keys.len() + keys.ignored() <= JWKS_KEYS_MAX);
    }
    let url = HttpUrl::new("https://id.example.org/jwks").expect("a valid URL");
    let settings = TokenSettings::new(KeySource::Url(url));
    let mut authenticator = Authenticator::new(AuthMethod::Tokens(settings));
    let claims = br#"{"aud":"mp-server","sub":"kay","exp":1800000001}"#;
    for (number, header) in
        [r#"{"alg":"HS256"}"#, r#"{"alg":"EdDSA","kid":"a"}"#].iter().enumerate()
    {
        let token = Token::new(&sign(header.as_bytes(), claims)).ok();
        let credentials = Credentials { token, ..Credentials::default() };
        authenticator.begin(NOW, UNIX, RequestId(number as u64), credentials);
    }
    let decisions = respond(&mut authenticator, 200, data);
    assert_eq!(decisions.len(), 2);
    assert!(decisions.iter().all(Result::is_err), "{decisions:?}");
    assert_eq!(authenticator.stats().fetch_failures.total(), u64::from(parsed.is_err()));
}

/// Reads the input as the response of the operator's service: a status, selected by the first byte,
/// and a body.
pub fn identity_call_out(data: &[u8]) {
    let (first, body) = data.split_first().unwrap_or((&0, &[]));
    let status = [200, 401, 403, 500][usize::from(first % 4)];
    let url = HttpUrl::new("https://auth.example.org/").expect("a valid URL");
    let method = AuthMethod::CallOut(CallOutSettings::new(url));
    let mut authenticator = Authenticator::new(method);
    let credentials = Credentials { token: Token::new("ticket").ok(), ..Credentials::default() };
    authenticator.begin(NOW, UNIX, RequestId(0), credentials);
    match &respond(&mut authenticator, status, body)[..] {
        [Ok(identity)] => {
            assert_eq!(status, 200);
            check(identity);
        }
        [Err(rejection)] => {
            let (code, text) = (rejection.code(), rejection.text());
            assert!((1..=CODE_BYTES_MAX).contains(&code.len()) && code.is_ascii(), "{code:?}");
            assert!((1..=TEXT_BYTES_MAX).contains(&text.len()), "{text:?}");
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
        decisions => panic!("one decision, not {decisions:?}"),
    }
}

fn by(keys: KeySet) -> Authenticator {
    Authenticator::new(AuthMethod::Tokens(TokenSettings::new(KeySource::Keys(keys))))
}

/// Returns a token with this header and these claims, signed by HS256 whatever they are.
fn sign(header: &[u8], claims: &[u8]) -> String {
    let base64 = |bytes| BASE64URL_NOPAD.encode(bytes);
    let message = format!("{}.{}", base64(header), base64(claims));
    let key = EncodingKey::from_secret(SECRET).expect("a valid secret");
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256);
    format!("{message}.{}", signature.expect("HMAC signs any message"))
}

/// Decides about a token; `None` if it is no [`Token`].
fn decide(
    mut authenticator: Authenticator,
    token: &str,
) -> Option<Result<Identity, AuthRejection>> {
    let credentials =
        Credentials { token: Some(Token::new(token).ok()?), ..Credentials::default() };
    authenticator.begin(NOW, UNIX, RequestId(0), credentials);
    let Some(AuthOutput::Decided { decision, .. }) = authenticator.next_output() else {
        panic!("tokens are decided at once");
    };
    Some(decision)
}

/// Answers the only request of an authenticator. Returns its decisions.
fn respond(
    authenticator: &mut Authenticator,
    status: u16,
    body: &[u8],
) -> Vec<Result<Identity, AuthRejection>> {
    let Some(AuthOutput::Fetch { fetch, .. }) = authenticator.next_output() else {
        panic!("the authenticator sends a request");
    };
    let response: Result<_, HttpFailure> = Ok(HttpResponse { status, body: body.to_vec() });
    authenticator.handle_response(NOW, UNIX, fetch, response);
    let mut decisions = Vec::new();
    while let Some(output) = authenticator.next_output() {
        let AuthOutput::Decided { decision, .. } = output else { panic!("{output:?}") };
        decisions.push(decision);
    }
    decisions
}

/// Checks that an identity is within bounds.
fn check(identity: &Identity) {
    let within = |text: Option<&str>, most: usize| {
        text.is_none_or(|it| (1..=most).contains(&it.len()) && !it.chars().any(char::is_control))
    };
    assert!(within(identity.subject().map(Subject::as_str), SUBJECT_BYTES_MAX));
    assert!(identity.subject().is_some(), "no anonymous player has credentials");
    assert!(within(identity.name(), NAME_BYTES_MAX) && within(identity.room(), ROOM_BYTES_MAX));
    let attributes = serde_json::to_vec(identity.attributes().values());
    assert!(attributes.is_ok_and(|json| json.len() <= ATTRIBUTES_BYTES_MAX));
}
