//! JWK sets: keys of identity providers, and their fetch by URL.
#![allow(missing_docs, reason = "a test")]

mod support;

use mp_identity::serde_json::{Value, json};
use mp_identity::{
    AuthMethod, AuthRefusal, Credentials, HttpFailure, HttpResponse, HttpUrl, KeyError, KeySet,
    KeySource, RequestId, Token, TokenSettings,
};

use support::keys::{Pair, SECRET, claims, kay, sign_with_header};
use support::{Bench, START, millis, refused, secs};

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn parse(keys: &[Value]) -> KeySet {
    KeySet::from_jwks(set(keys).as_bytes()).unwrap()
}

fn by_url() -> TokenSettings {
    TokenSettings::new(KeySource::Url(HttpUrl::new("https://id.example.org/jwks").unwrap()))
}

fn bench(settings: TokenSettings) -> Bench {
    Bench::new(AuthMethod::Tokens(settings))
}

/// Returns a token of kay with a key id.
fn token(pair: &Pair, kid: &str) -> String {
    pair.issuer().key_id(kid).issue(START, &kay(), None).unwrap().as_str().to_owned()
}

fn decide(keys: KeySet, token: &str) -> Result<(), AuthRefusal> {
    bench(TokenSettings::new(KeySource::Keys(keys))).decide(token).map(drop)
}

#[test]
fn key_is_selected_by_its_id() {
    let (a, b) = (Pair::ed25519(), Pair::p256());
    let keys = || parse(&[a.jwk("a"), b.jwk("b")]);
    assert_eq!(decide(keys(), &token(&a, "a")), Ok(()));
    assert_eq!(decide(keys(), &token(&b, "b")), Ok(()));
    assert_eq!(decide(keys(), &token(&a, "c")), Err(AuthRefusal::UnknownKey));
    assert_eq!(decide(keys(), &token(&a, "b")), Err(AuthRefusal::WrongAlgorithm));
    let without_id = a.issuer().issue(START, &kay(), None).unwrap();
    assert_eq!(decide(keys(), without_id.as_str()), Err(AuthRefusal::UnknownKey));
    assert_eq!(decide(parse(&[a.jwk("a")]), without_id.as_str()), Ok(()), "the only key");
    assert_eq!(decide(parse(&[a.jwk("a")]), &token(&a, "b")), Err(AuthRefusal::UnknownKey));
    assert_eq!(decide(a.key().into(), &token(&a, "b")), Ok(()), "the only key has no id");
}

#[test]
fn unknown_and_unsuitable_keys_do_not_spoil_the_set() {
    let (a, b) = (Pair::ed25519(), Pair::p256());
    let with = |mut jwk: Value, name: &str, value: Value| {
        jwk[name] = value;
        jwk
    };
    let ignored = [
        json!({ "kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AA" }),
        json!({ "kty": "RSA", "kid": "rsa", "n": "AQAB", "e": "AQAB" }),
        json!({ "kty": "oct", "kid": "oct", "k": "c2VjcmV0" }),
        json!({ "kid": "no type" }),
        json!("text"),
        json!(null),
        with(a.jwk("crv"), "crv", json!("Ed448")),
        with(a.jwk("kty"), "kty", json!("EC")),
        with(a.jwk("short"), "x", json!("AAAA")),
        with(a.jwk("base64"), "x", json!("+/==")),
        with(a.jwk("enc"), "use", json!("enc")),
        with(a.jwk("ops"), "key_ops", json!(["sign"])),
        with(a.jwk("alg"), "alg", json!("HS256")),
        with(b.jwk("alg2"), "alg", json!("EdDSA")),
        with(b.jwk("y"), "y", json!(null)),
        with(a.jwk("kid"), "kid", json!(7)),
        with(a.jwk("kid"), "kid", json!("x".repeat(257))),
        b.jwk("a"),
    ];
    let mut keys = vec![with(a.jwk("a"), "alg", json!("EdDSA"))];
    keys.extend(ignored.iter().cloned());
    let b_jwk = with(with(b.jwk("b"), "use", json!("sig")), "key_ops", json!(["verify"]));
    keys.push(with(b_jwk, "alg", json!("ES256")));
    let keys = parse(&keys);
    assert_eq!((keys.len(), keys.ignored()), (2, ignored.len()));
    assert_eq!(decide(keys.clone(), &token(&a, "a")), Ok(()), "the first of two with this id");
    assert_eq!(decide(keys, &token(&b, "b")), Ok(()));
}

#[test]
fn published_secret_is_no_key() {
    let oct = json!({ "kty": "oct", "kid": "a", "alg": "HS256", "k": "YQ" });
    let pair = Pair::ed25519();
    let keys = parse(&[oct, pair.jwk("b")]);
    let forged = sign_with_header(SECRET, &json!({ "alg": "HS256", "kid": "a" }), &claims());
    assert_eq!(decide(keys.clone(), &forged), Err(AuthRefusal::UnknownKey));
    let forged = sign_with_header(&pair.public, &json!({ "alg": "HS256", "kid": "b" }), &claims());
    assert_eq!(decide(keys, &forged), Err(AuthRefusal::WrongAlgorithm));
}

#[test]
fn malformed_and_large_sets_are_refused() {
    for text in ["", "[]", "{}", "null", r#"{"keys":{}}"#, r#"{"keys":null}"#, "{\"keys\":[]"] {
        assert_eq!(KeySet::from_jwks(text.as_bytes()).unwrap_err(), KeyError::NoJwks, "{text}");
    }
    assert!(parse(&[]).is_empty());
    let many = |count| KeySet::from_jwks(set(&vec![json!({}); count]).as_bytes());
    assert_eq!(many(64).unwrap().ignored(), 64);
    assert_eq!(many(65).unwrap_err(), KeyError::TooLarge { most: 64, unit: "keys" });
    let long = format!("{}{}", set(&[]), " ".repeat(65_536));
    let error = KeySet::from_jwks(long.as_bytes()).unwrap_err();
    assert_eq!(error, KeyError::TooLarge { most: 65_536, unit: "bytes" });
}

#[test]
fn set_is_fetched_at_the_start_and_every_hour() {
    let (a, b) = (Pair::ed25519(), Pair::ed25519());
    let mut bench = bench(by_url());
    bench.pass(millis(0));
    let (_, http) = &bench.fetches[0];
    assert_eq!((http.method.as_str(), http.url.as_str()), ("GET", "https://id.example.org/jwks"));
    assert_eq!((http.timeout, http.response_bytes_max, http.body.len()), (secs(3), 65_536, 0));
    bench.answer(200, &set(&[a.jwk("a")]));
    assert!(bench.decide(&token(&a, "a")).is_ok());

    bench.pass(secs(3_599));
    assert_eq!(bench.fetches.len(), 0);
    bench.pass(secs(1));
    bench.answer(200, &set(&[b.jwk("b")]));
    let withdrawn = bench.begin(&token(&a, "a"));
    assert_eq!(bench.decision(withdrawn), refused(AuthRefusal::UnknownKey), "no longer valid");
}

#[test]
fn players_wait_for_the_first_set() {
    let a = Pair::ed25519();
    let mut bench = bench(by_url());
    let number = bench.begin(&token(&a, "a"));
    let other = bench.begin("malformed");
    assert_eq!(bench.decision(other), refused(AuthRefusal::MalformedToken), "it needs no key");
    bench.pass(secs(1));
    assert_eq!((bench.decision(number), bench.stats().waiting, bench.fetches.len()), (None, 1, 1));
    bench.answer(200, &set(&[a.jwk("a")]));
    assert!(bench.decision(number).unwrap().is_ok());
    assert_eq!((bench.stats().waiting, bench.stats().fetching), (0, 0));
}

#[test]
fn unknown_key_causes_a_fetch_at_most_once_a_minute() {
    let (a, b) = (Pair::ed25519(), Pair::ed25519());
    let mut bench = bench(by_url());
    bench.pass(millis(0));
    bench.answer(200, &set(&[a.jwk("a")]));
    bench.pass(millis(59_999));
    assert_eq!(bench.decide(&token(&b, "b")), Err(AuthRefusal::UnknownKey));
    bench.pass(millis(1));
    let rotated = bench.begin(&token(&b, "b"));
    let invented = bench.begin_from("192.0.2.9", &token(&b, "c"));
    assert!(bench.decide(&token(&a, "a")).is_ok(), "known keys do not wait");
    assert_eq!(bench.fetches.len(), 1, "one fetch for all");
    bench.answer(200, &set(&[a.jwk("a"), b.jwk("b")]));
    assert!(bench.decision(rotated).unwrap().is_ok());
    assert_eq!(bench.decision(invented), refused(AuthRefusal::UnknownKey));
    for second in 0..59 {
        bench.pass(secs(1));
        let address = format!("198.51.100.{second}");
        let invented = bench.begin_from(&address, &token(&b, "c"));
        assert_eq!(bench.decision(invented), refused(AuthRefusal::UnknownKey));
    }
    assert_eq!(bench.fetches.len(), 0);
}

#[test]
fn last_set_is_kept_when_a_fetch_fails() {
    let (a, b) = (Pair::ed25519(), Pair::ed25519());
    let response = |status, body: &str| Ok(HttpResponse { status, body: body.into() });
    for (response, failure) in [
        (Err(HttpFailure::Unreachable), HttpFailure::Unreachable),
        (response(500, &set(&[b.jwk("b")])), HttpFailure::UnexpectedStatus),
        (response(200, "<html>"), HttpFailure::MalformedBody),
        (response(200, &" ".repeat(65_537)), HttpFailure::TooLarge),
    ] {
        let mut bench = bench(by_url());
        bench.pass(millis(0));
        bench.answer(200, &set(&[a.jwk("a")]));
        bench.pass(secs(60));
        let waiting = bench.begin(&token(&b, "b"));
        bench.respond(response);
        assert_eq!(bench.decision(waiting), refused(AuthRefusal::UnknownKey));
        assert!(bench.decide(&token(&a, "a")).is_ok());
        assert_eq!(bench.stats().fetch_failures.get(failure), 1, "{failure}");
        bench.pass(millis(59_999));
        assert_eq!(bench.fetches.len(), 0);
        bench.pass(millis(1));
        assert_eq!(bench.fetches.len(), 1, "the fetch is repeated");
    }
}

#[test]
fn without_a_set_players_are_refused_and_the_fetch_is_repeated() {
    let a = Pair::ed25519();
    let mut bench = bench(by_url());
    let waiting = bench.begin(&token(&a, "a"));
    bench.respond(Err(HttpFailure::Unreachable));
    assert_eq!(bench.decision(waiting), refused(AuthRefusal::KeysUnavailable));
    assert_eq!(bench.decide(&token(&a, "a")), Err(AuthRefusal::KeysUnavailable));
    assert_eq!(bench.stats().failed_addresses, 0, "the player is not to blame");
    bench.pass(secs(5));
    assert_eq!(bench.fetches.len(), 1);
    bench.answer(200, &set(&[a.jwk("a")]));
    assert!(bench.decide(&token(&a, "a")).is_ok());
}

#[test]
fn fetch_without_response_times_out_and_a_late_response_is_ignored() {
    let a = Pair::ed25519();
    let mut bench = bench(by_url().fetch_timeout(secs(4)));
    let waiting = bench.begin(&token(&a, "a"));
    bench.pass(millis(3_999));
    assert_eq!(bench.decision(waiting), None);
    bench.pass(millis(1));
    assert_eq!(bench.decision(waiting), refused(AuthRefusal::KeysUnavailable));
    assert_eq!(bench.stats().fetch_failures.get(HttpFailure::TimedOut), 1);
    let (late, _) = bench.fetches.remove(0);
    let body = set(&[a.jwk("a")]).into_bytes();
    bench.respond_to(late, Ok(HttpResponse { status: 200, body }));
    assert_eq!(bench.decide(&token(&a, "a")), Err(AuthRefusal::KeysUnavailable));
}

#[test]
fn number_of_waiting_players_is_bounded() {
    let a = Pair::ed25519();
    let mut bench = bench(by_url().max_waiting(2));
    let numbers = [0; 3].map(|_| bench.begin(&token(&a, "a")));
    assert_eq!(bench.decision(numbers[2]), refused(AuthRefusal::TooManyWaiting));
    bench.authenticator.cancel(RequestId(numbers[0]));
    assert_eq!(bench.stats().waiting, 1);
    bench.answer(200, &set(&[a.jwk("a")]));
    assert!(bench.decision(numbers[1]).unwrap().is_ok());
    assert!(bench.decided.is_empty(), "the cancelled player gets no decision");
}

#[test]
fn wait_without_an_address_is_decided_too() {
    let a = Pair::ed25519();
    let mut bench = bench(by_url());
    let token = Some(Token::new(&token(&a, "a")).unwrap());
    let number = bench.begin_with(Credentials { token, ..Credentials::default() });
    bench.answer(200, &set(&[]));
    assert_eq!(bench.decision(number), refused(AuthRefusal::UnknownKey));
}
