//! The call-out to the operator's service.
#![allow(missing_docs, reason = "a test")]

mod support;

use mp_identity::serde_json::{Value, from_slice, json};
use mp_identity::{
    AuthMethod, AuthRefusal, CallOutSettings, Credentials, HttpFailure, HttpResponse, HttpUrl,
    Role, Subject, Token,
};

use support::{Bench, millis, refused, secs};

const ACCEPTED: &str = r#"{"sub":"kay"}"#;

fn settings() -> CallOutSettings {
    CallOutSettings::new(HttpUrl::new("https://auth.example.org/login").unwrap())
}

fn bench(settings: CallOutSettings) -> Bench {
    Bench::new(AuthMethod::CallOut(settings))
}

#[test]
fn request_has_token_address_and_room() {
    let mut bench = bench(settings().authorization(Token::new("server secret").unwrap()));
    bench.begin_with(Credentials {
        token: Some(Token::new("ticket").unwrap()),
        address: Some("::ffff:192.0.2.1".parse().unwrap()),
        room: Some("arena".to_owned()),
    });
    let (_, http) = &bench.fetches[0];
    assert_eq!(
        (http.method.as_str(), http.url.as_str()),
        ("POST", "https://auth.example.org/login")
    );
    let expected = json!({ "token": "ticket", "address": "192.0.2.1", "room": "arena" });
    assert_eq!(from_slice::<Value>(&http.body).unwrap(), expected);
    assert_eq!((http.timeout, http.response_bytes_max), (secs(3), 65_536));
    let json = "application/json".to_owned();
    let bearer = ("authorization", "Bearer server secret".to_owned());
    assert_eq!(http.headers, [("accept", json.clone()), ("content-type", json), bearer]);

    let token = Some(Token::new("ticket").unwrap());
    bench.begin_with(Credentials { token, ..Credentials::default() });
    let (_, http) = &bench.fetches[1];
    assert_eq!(from_slice::<Value>(&http.body).unwrap(), json!({ "token": "ticket" }));
}

#[test]
fn status_200_accepts_the_identity_in_the_body() {
    let mut bench = bench(settings());
    let number = bench.begin("ticket");
    assert_eq!((bench.decision(number), bench.stats().waiting), (None, 1));
    bench.answer(200, r#"{"sub":"kay","name":"Kay","mp":{"room":"a","role":"host"},"x":1}"#);
    let kay = bench.decision(number).unwrap().unwrap();
    assert_eq!(kay.subject(), Some(&Subject::new("kay").unwrap()));
    assert_eq!((kay.name(), kay.room(), kay.role()), (Some("Kay"), Some("a"), Role::Host));
    let stats = bench.stats();
    assert_eq!((stats.waiting, stats.fetching, stats.fetches, stats.accepted), (0, 0, 1, 1));
}

#[test]
fn status_401_and_403_refuse_with_the_services_code_and_text() {
    let mut bench = bench(settings());
    for (status, body, code, text) in [
        (401, r#"{"code":"young","text":"Come back in May"}"#, "young", "Come back in May"),
        (403, r#"{"code":"young"}"#, "young", "the game's service refused the login"),
        (403, "", "call_out_refused", "the game's service refused the login"),
        (401, "<html>", "call_out_refused", "the game's service refused the login"),
        (403, "[1]", "call_out_refused", "the game's service refused the login"),
    ] {
        let number = bench.begin("ticket");
        bench.answer(status, body);
        let rejection = bench.rejection(number).unwrap().unwrap_err();
        assert_eq!(rejection.reason(), AuthRefusal::CallOutRefused);
        assert_eq!((rejection.code(), rejection.text()), (code, text), "{body}");
    }
    assert_eq!(bench.stats().fetch_failures.total(), 0);
}

#[test]
fn other_responses_are_failures_with_their_reasons() {
    let response = |status, body: &str| Ok(HttpResponse { status, body: body.into() });
    for (response, failure) in [
        (response(200, ""), HttpFailure::MalformedBody),
        (response(200, "{}"), HttpFailure::MalformedBody),
        (response(200, r#"{"sub":""}"#), HttpFailure::MalformedBody),
        (response(200, r#"{"sub":"a","mp":{"role":"king"}}"#), HttpFailure::MalformedBody),
        (response(200, &format!("{ACCEPTED}{}", " ".repeat(65_536))), HttpFailure::TooLarge),
        (response(204, ACCEPTED), HttpFailure::UnexpectedStatus),
        (response(302, ACCEPTED), HttpFailure::UnexpectedStatus),
        (response(500, ACCEPTED), HttpFailure::UnexpectedStatus),
        (Err(HttpFailure::Unreachable), HttpFailure::Unreachable),
        (Err(HttpFailure::InvalidResponse), HttpFailure::InvalidResponse),
    ] {
        let mut bench = bench(settings());
        let number = bench.begin("ticket");
        bench.respond(response);
        assert_eq!(bench.decision(number), refused(AuthRefusal::CallOutUnavailable));
        assert_eq!(bench.stats().fetch_failures.get(failure), 1, "{failure}");
        assert_eq!(bench.stats().failed_addresses, 0, "the player is not to blame");
    }
}

#[test]
fn request_without_response_times_out_and_a_late_response_is_ignored() {
    let mut bench = bench(settings());
    let number = bench.begin("ticket");
    bench.pass(millis(2_999));
    assert_eq!(bench.decision(number), None);
    bench.pass(millis(1));
    assert_eq!(bench.decision(number), refused(AuthRefusal::CallOutUnavailable));
    assert_eq!(bench.stats().fetch_failures.get(HttpFailure::TimedOut), 1);
    bench.answer(200, ACCEPTED);
    assert_eq!((bench.decided.len(), bench.stats().accepted), (0, 0));
    assert_eq!(bench.authenticator.poll_timeout(), None);
}

#[test]
fn concurrent_requests_and_the_queue_are_bounded() {
    let mut bench = bench(settings().max_concurrent(2).max_queued(1));
    let numbers = [0, 1, 2, 3].map(|_| bench.begin("ticket"));
    assert_eq!(bench.fetches.len(), 2);
    assert_eq!(bench.decision(numbers[3]), refused(AuthRefusal::TooManyWaiting));
    assert_eq!((bench.stats().waiting, bench.stats().fetching), (3, 2));
    bench.answer(200, ACCEPTED);
    assert!(bench.decision(numbers[0]).unwrap().is_ok());
    assert_eq!((bench.fetches.len(), bench.stats().fetching), (2, 2), "the queued one is sent");
    bench.answer(200, ACCEPTED);
    bench.answer(200, ACCEPTED);
    assert!(bench.decision(numbers[2]).unwrap().is_ok());
}

#[test]
fn queued_player_is_refused_after_the_timeout() {
    let mut bench = bench(settings().max_concurrent(1).breaker(100, secs(10)));
    let first = bench.begin("ticket");
    bench.pass(secs(1));
    let second = bench.begin("ticket");
    bench.pass(secs(2));
    assert_eq!(bench.decision(first), refused(AuthRefusal::CallOutUnavailable));
    assert_eq!(bench.fetches.len(), 2, "the second one is sent");
    let third = bench.begin("ticket");
    bench.pass(millis(2_999));
    assert_eq!(bench.decision(third), None);
    bench.pass(millis(1));
    assert_eq!(bench.decision(second), refused(AuthRefusal::CallOutUnavailable));
    assert_eq!(bench.decision(third), refused(AuthRefusal::TooManyWaiting));
}

#[test]
fn five_failures_in_a_row_open_the_breaker_and_a_trial_closes_it() {
    let mut bench = bench(settings());
    for _ in 0..5 {
        bench.begin("ticket");
        bench.respond(Err(HttpFailure::Unreachable));
    }
    assert_eq!(bench.decide("ticket"), Err(AuthRefusal::CallOutUnavailable));
    bench.pass(millis(9_999));
    assert_eq!(bench.decide("ticket"), Err(AuthRefusal::CallOutUnavailable));
    assert_eq!((bench.fetches.len(), bench.stats().fetches), (0, 5));

    bench.pass(millis(1));
    bench.begin("ticket");
    assert_eq!(bench.decide("ticket"), Err(AuthRefusal::CallOutUnavailable), "one trial at a time");
    bench.answer(500, "");
    assert_eq!(bench.decide("ticket"), Err(AuthRefusal::CallOutUnavailable), "it has failed");

    bench.pass(secs(10));
    let trial = bench.begin("ticket");
    bench.answer(403, "");
    assert_eq!(bench.decision(trial), refused(AuthRefusal::CallOutRefused));
    bench.begin("ticket");
    bench.begin("ticket");
    assert_eq!(bench.fetches.len(), 2, "the service works");
}

#[test]
fn queued_players_are_refused_when_the_breaker_opens() {
    let mut bench = bench(settings().max_concurrent(1).breaker(1, secs(10)));
    let numbers = [0, 1, 2].map(|_| bench.begin("ticket"));
    bench.answer(500, "");
    for number in numbers {
        assert_eq!(bench.decision(number), refused(AuthRefusal::CallOutUnavailable));
    }
    assert_eq!((bench.stats().waiting, bench.stats().fetches), (0, 1));
}

#[test]
fn cancelled_player_gets_no_decision() {
    let mut bench = bench(settings().max_concurrent(1));
    let (running, queued) = (bench.begin("ticket"), bench.begin("ticket"));
    for number in [running, queued] {
        bench.authenticator.cancel(mp_identity::RequestId(number));
    }
    assert_eq!((bench.stats().waiting, bench.stats().fetching), (0, 1));
    bench.answer(200, ACCEPTED);
    assert_eq!((bench.decided.len(), bench.fetches.len()), (0, 0));
}

#[test]
fn cancelling_does_not_evade_the_limit_of_failures() {
    let mut bench = bench(settings());
    for _ in 0..10 {
        let number = bench.begin("guess");
        bench.authenticator.cancel(mp_identity::RequestId(number));
        bench.answer(401, "");
    }
    let number = bench.begin("guess");
    assert_eq!(bench.decision(number), refused(AuthRefusal::TooManyAttempts));
}
