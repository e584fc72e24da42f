//! The methods *open* and *shared secret*, and the limit of failed attempts.
#![allow(missing_docs, reason = "a test")]

mod support;

use mp_identity::{AuthMethod, AuthRefusal, Authenticator, Credentials, Identity, Token};

use support::{Bench, refused, secs};

fn shared_secret() -> AuthMethod {
    AuthMethod::SharedSecret(Token::new("open sesame").unwrap())
}

#[test]
fn open_server_accepts_players_without_credentials_as_anonymous() {
    let mut bench = Bench::new(AuthMethod::Open);
    let number = bench.begin_with(Credentials::default());
    assert_eq!(bench.decision(number), Some(Ok(Identity::anonymous())));
    assert_eq!(bench.decide("any token"), Ok(Identity::anonymous()));
    assert_eq!((bench.stats().accepted, bench.authenticator.poll_timeout()), (2, None));
}

#[test]
fn shared_secret_accepts_only_the_secret() {
    let mut bench = Bench::new(shared_secret());
    assert_eq!(bench.decide("open sesame"), Ok(Identity::anonymous()));
    for wrong in ["open sesam", "open sesamE", "open sesame ", "x"] {
        assert_eq!(bench.decide(wrong), Err(AuthRefusal::WrongSecret), "{wrong}");
    }
    let number = bench.begin_with(Credentials::default());
    assert_eq!(bench.decision(number), refused(AuthRefusal::MissingToken));
    let stats = bench.stats();
    assert_eq!(stats.refused.get(AuthRefusal::WrongSecret), 4);
    assert_eq!((stats.accepted, stats.refused.total(), stats.waiting), (1, 5, 0));
}

#[test]
fn address_with_too_many_failures_is_refused_even_with_the_right_secret() {
    let mut bench = Bench::new(shared_secret());
    for _ in 0..10 {
        assert_eq!(bench.decide("wrong"), Err(AuthRefusal::WrongSecret));
    }
    assert_eq!(bench.decide("open sesame"), Err(AuthRefusal::TooManyAttempts));
    assert_eq!(bench.stats().failed_addresses, 1);
    let other = bench.begin_from("192.0.2.2", "open sesame");
    assert!(bench.decision(other).unwrap().is_ok());

    bench.pass(secs(6));
    assert!(bench.decide("open sesame").is_ok(), "one attempt each six seconds");
    assert_eq!(bench.decide("wrong"), Err(AuthRefusal::WrongSecret), "success does not count");
    assert_eq!(bench.decide("open sesame"), Err(AuthRefusal::TooManyAttempts));
}

#[test]
fn missing_tokens_are_no_failed_attempts() {
    let mut bench = Bench::new(shared_secret());
    let credentials =
        Credentials { address: Some([192, 0, 2, 1].into()), ..Credentials::default() };
    for _ in 0..20 {
        let number = bench.begin_with(credentials.clone());
        assert_eq!(bench.decision(number), refused(AuthRefusal::MissingToken));
    }
    assert!(bench.decide("open sesame").is_ok());
}

#[test]
fn limit_of_failures_can_be_changed_and_removed() {
    let authenticator = Authenticator::new(shared_secret()).with_failures_per_minute(1);
    let mut bench = Bench::of(authenticator);
    assert_eq!(bench.decide("wrong"), Err(AuthRefusal::WrongSecret));
    assert_eq!(bench.decide("wrong"), Err(AuthRefusal::TooManyAttempts));
    bench.pass(secs(60));
    assert_eq!(bench.decide("wrong"), Err(AuthRefusal::WrongSecret));

    let mut bench = Bench::of(Authenticator::new(shared_secret()).with_failures_per_minute(0));
    for _ in 0..1_000 {
        assert_eq!(bench.decide("wrong"), Err(AuthRefusal::WrongSecret));
    }
}
