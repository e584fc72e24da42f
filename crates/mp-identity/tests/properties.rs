//! Properties of the authenticator with arbitrary calls.
#![allow(missing_docs, reason = "a test")]

mod support;

use std::collections::BTreeSet;

use mp_identity::{
    AuthMethod, CallOutSettings, HttpFailure, HttpResponse, HttpUrl, KeySource, RequestId,
    TokenSettings,
};
use proptest::collection::vec;
use proptest::prelude::*;

use support::keys::{Pair, kay};
use support::{Bench, START, millis};

/// A call of an authenticator, or of time.
#[derive(Clone, Debug)]
enum Step {
    Begin { address: u8, key: u8 },
    Cancel { back: u8 },
    Respond { index: u8, status: u16, is_failure: bool },
    Pass { millis: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_u8, 0..3_u8).prop_map(|(address, key)| Step::Begin { address, key }),
        1 => (0..5_u8).prop_map(|back| Step::Cancel { back }),
        3 => (any::<u8>(), prop_oneof![Just(200), Just(403), Just(500)], any::<bool>())
            .prop_map(|(index, status, is_failure)| Step::Respond { index, status, is_failure }),
        2 => (0..8_000_u64).prop_map(|millis| Step::Pass { millis }),
    ];
    vec(step, 1..80)
}

/// Runs the steps. Each attempt is decided once unless it is cancelled, within the longest wait.
fn run(method: AuthMethod, tokens: &[String], body: &str, steps: Vec<Step>) {
    let mut bench = Bench::new(method);
    let (mut begun, mut cancelled) = (0, BTreeSet::new());
    for step in steps {
        match step {
            Step::Begin { address, key } => {
                begun += 1;
                bench.begin_from(&format!("192.0.2.{address}"), &tokens[usize::from(key)]);
            }
            Step::Cancel { back } => {
                let Some(number) = u64::checked_sub(begun, 1 + u64::from(back)) else { continue };
                if bench.decided.iter().all(|it| it.0 != number) {
                    bench.authenticator.cancel(RequestId(number));
                    cancelled.insert(number);
                }
            }
            Step::Respond { index, status, is_failure } if !bench.fetches.is_empty() => {
                let index = usize::from(index) % bench.fetches.len();
                let (fetch, _) = bench.fetches.remove(index);
                let response = HttpResponse { status, body: body.into() };
                let failed = is_failure.then_some(HttpFailure::Unreachable);
                bench.respond_to(fetch, failed.map_or(Ok(response), Err));
            }
            Step::Respond { .. } => {}
            Step::Pass { millis: time } => bench.pass(millis(time)),
        }
        let stats = bench.stats();
        assert!(stats.fetching <= 2 && stats.waiting <= 4, "{stats:?}");
        let open = begun - bench.decided.len() as u64 - cancelled.len() as u64;
        assert_eq!(stats.waiting as u64, open);
    }
    // A wait in the queue, then a request.
    bench.pass(millis(6_000));
    assert_eq!(bench.stats().waiting, 0);
    assert_eq!(bench.decided.len() + cancelled.len(), begun as usize);
    assert!(bench.decided.iter().all(|it| !cancelled.contains(&it.0)));
}

proptest! {
    #[test]
    fn each_call_out_is_decided_once_in_bounded_time(steps in steps()) {
        let settings = CallOutSettings::new(HttpUrl::new("https://auth.example.org/").unwrap());
        let method = AuthMethod::CallOut(settings.max_concurrent(2).max_queued(2));
        let tokens = ["a", "b", "c"].map(str::to_owned);
        run(method, &tokens, r#"{"sub":"kay"}"#, steps);
    }

    #[test]
    fn each_token_is_decided_once_while_keys_change(steps in steps()) {
        let url = HttpUrl::new("https://id.example.org/").unwrap();
        let method = AuthMethod::Tokens(TokenSettings::new(KeySource::Url(url)).max_waiting(4));
        let pair = Pair::ed25519();
        let token = |kid: &str| pair.issuer().key_id(kid).issue(START, &kay(), None).unwrap();
        let tokens = ["a", "b", "c"].map(|kid| token(kid).as_str().to_owned());
        let body = format!("{{\"keys\":[{}]}}", pair.jwk("a"));
        run(method, &tokens, &body, steps);
    }
}
