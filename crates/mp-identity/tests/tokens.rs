//! Signed tokens whose keys are configured.
#![allow(missing_docs, reason = "a test")]

mod support;

use mp_core::Instant;
use mp_identity::serde_json::{Value, json};
use mp_identity::{
    AuthMethod, AuthOutput, AuthRefusal, Authenticator, Credentials, Identity, IssueError,
    KeyError, KeySet, KeySource, RequestId, Role, Token, TokenAlgorithm, TokenIssuer, TokenKey,
    TokenSettings,
};

use support::keys::{
    Pair, SECRET, by_secret, claims, claims_with, der, kay, secret_settings, settings, sign,
    sign_with_header,
};
use support::{Bench, START, secs};

fn bench(settings: TokenSettings) -> Bench {
    Bench::new(AuthMethod::Tokens(settings))
}

#[test]
fn token_of_each_algorithm_is_accepted_with_its_identity() {
    let (ed25519, p256) = (Pair::ed25519(), Pair::p256());
    let identity = kay().with_name("Kay").unwrap().with_room("arena").unwrap();
    let identity = identity.with_role(Role::Host).with_create(true).with_max_players(Some(4));
    for (issuer, key, algorithm) in [
        (TokenIssuer::secret(SECRET).unwrap(), TokenKey::secret(SECRET).unwrap(), "HS256"),
        (ed25519.issuer(), ed25519.key(), "EdDSA"),
        (p256.issuer(), p256.key(), "ES256"),
    ] {
        assert_eq!(issuer.algorithm(), key.algorithm());
        assert_eq!(key.algorithm().to_string(), algorithm);
        let token = issuer.issue(START, &identity, None).unwrap();
        let mut bench = bench(settings(key));
        assert_eq!(bench.decide(token.as_str()), Ok(identity.clone()), "{algorithm}");
        assert_eq!((bench.stats().fetches, bench.authenticator.poll_timeout()), (0, None));
    }
}

#[test]
fn claims_are_checked_with_a_reason_each() {
    for (name, value, refusal) in [
        ("aud", Value::Null, AuthRefusal::WrongAudience),
        ("aud", json!("another-server"), AuthRefusal::WrongAudience),
        ("aud", json!(["a", "b"]), AuthRefusal::WrongAudience),
        ("aud", json!([]), AuthRefusal::WrongAudience),
        ("aud", json!(7), AuthRefusal::InvalidClaims),
        ("exp", Value::Null, AuthRefusal::InvalidClaims),
        ("exp", json!("later"), AuthRefusal::InvalidClaims),
        ("exp", json!(-1), AuthRefusal::InvalidClaims),
        ("exp", json!(START - 31), AuthRefusal::Expired),
        ("nbf", json!(START + 31), AuthRefusal::NotYetValid),
        ("nbf", json!("now"), AuthRefusal::InvalidClaims),
        ("sub", Value::Null, AuthRefusal::InvalidClaims),
        ("sub", json!(""), AuthRefusal::InvalidClaims),
        ("sub", json!("x".repeat(129)), AuthRefusal::InvalidClaims),
        ("jti", json!("x".repeat(129)), AuthRefusal::InvalidClaims),
        ("name", json!("a\nb"), AuthRefusal::InvalidClaims),
        ("mp", json!({ "romo": "a" }), AuthRefusal::InvalidClaims),
        ("mp", json!({ "role": "king" }), AuthRefusal::InvalidClaims),
    ] {
        let mut bench = Bench::new(by_secret());
        let decided = bench.decide(&sign(SECRET, &claims_with(name, value.clone())));
        assert_eq!(decided, Err(refusal), "{name}: {value}");
        assert_eq!(bench.stats().refused.get(refusal), 1);
        assert_eq!(bench.stats().failed_addresses, 0, "the issuer has signed the token");
    }
    for audience in [json!("mp-server"), json!(["a", "mp-server"])] {
        let token = sign(SECRET, &claims_with("aud", audience));
        assert!(Bench::new(by_secret()).decide(&token).is_ok());
    }
}

#[test]
fn audience_and_issuer_are_those_of_the_settings() {
    let settings = || secret_settings().audience("eu-1").issuer("studio");
    let token = |audience: &str, issuer: &str| {
        let issuer = TokenIssuer::secret(SECRET).unwrap().audience(audience).issuer(issuer);
        issuer.issue(START, &kay(), None).unwrap()
    };
    let decide = |token: &str| bench(settings()).decide(token);
    assert!(decide(token("eu-1", "studio").as_str()).is_ok());
    assert_eq!(decide(token("mp-server", "studio").as_str()), Err(AuthRefusal::WrongAudience));
    assert_eq!(decide(token("eu-1", "other").as_str()), Err(AuthRefusal::WrongIssuer));
    let without_issuer = sign(SECRET, &claims_with("aud", json!("eu-1")));
    assert_eq!(decide(&without_issuer), Err(AuthRefusal::WrongIssuer));
}

#[test]
fn times_are_checked_to_the_second_with_the_leeway() {
    let token = sign(SECRET, &claims_with("exp", json!(START + 100)));
    let decide_at = |bench: &mut Bench, second: u64, token: &str| {
        let passed = bench.unix() - START;
        bench.pass(secs(second - passed));
        bench.decide(token).map(drop)
    };
    let mut default = Bench::new(by_secret());
    assert_eq!(decide_at(&mut default, 129, &token), Ok(()));
    assert_eq!(decide_at(&mut default, 130, &token), Err(AuthRefusal::Expired));
    let mut strict = bench(secret_settings().leeway(secs(0)));
    assert_eq!(decide_at(&mut strict, 99, &token), Ok(()));
    assert_eq!(decide_at(&mut strict, 100, &token), Err(AuthRefusal::Expired));

    let token = sign(SECRET, &claims_with("nbf", json!(START + 100)));
    let mut default = Bench::new(by_secret());
    assert_eq!(decide_at(&mut default, 69, &token), Err(AuthRefusal::NotYetValid));
    assert_eq!(decide_at(&mut default, 70, &token), Ok(()));
    let mut strict = bench(secret_settings().leeway(secs(0)));
    assert_eq!(decide_at(&mut strict, 99, &token), Err(AuthRefusal::NotYetValid));
    assert_eq!(decide_at(&mut strict, 100, &token), Ok(()));

    let token = sign(SECRET, &claims_with("exp", json!(u64::MAX)));
    assert!(Bench::new(by_secret()).decide(&token).is_ok(), "the sum does not overflow");
}

#[test]
fn unsigned_tokens_are_refused() {
    let signed = sign(SECRET, &claims());
    let message = signed.rsplit_once('.').unwrap().0;
    for alg in ["none", "None", "NONE", ""] {
        let token = sign_with_header(SECRET, &json!({ "alg": alg }), &claims());
        assert_eq!(Bench::new(by_secret()).decide(&token), Err(AuthRefusal::WrongAlgorithm));
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert_eq!(Bench::new(by_secret()).decide(&unsigned), Err(AuthRefusal::WrongAlgorithm));
    }
    let stripped = Bench::new(by_secret()).decide(&format!("{message}."));
    assert_eq!(stripped, Err(AuthRefusal::WrongSignature));
}

#[test]
fn public_key_is_no_secret_of_hs256() {
    for pair in [Pair::ed25519(), Pair::p256()] {
        let pem = pair.public_pem.clone();
        for secret in [pem.clone().into_bytes(), pem.trim().into(), der(&pem), pair.public.clone()]
        {
            let mut bench = bench(settings(pair.key()));
            let forged = sign(&secret, &claims());
            assert_eq!(bench.decide(&forged), Err(AuthRefusal::WrongAlgorithm));
            let alg = pair.key().algorithm().as_str();
            let forged = sign_with_header(&secret, &json!({ "alg": alg }), &claims());
            assert_eq!(bench.decide(&forged), Err(AuthRefusal::WrongSignature));
        }
    }
}

#[test]
fn header_does_not_choose_the_algorithm() {
    let (ed25519, p256) = (Pair::ed25519(), Pair::p256());
    let issuers = [TokenIssuer::secret(SECRET).unwrap(), ed25519.issuer(), p256.issuer()];
    let keys = [TokenKey::secret(SECRET).unwrap(), ed25519.key(), p256.key()];
    for (number, issuer) in issuers.iter().enumerate() {
        let token = issuer.issue(START, &kay(), None).unwrap();
        for (other, key) in keys.iter().enumerate().filter(|(other, _)| *other != number) {
            let decided = bench(settings(key.clone())).decide(token.as_str());
            assert_eq!(decided, Err(AuthRefusal::WrongAlgorithm), "{number} {other}");
        }
    }
    for alg in ["HS384", "HS512", "RS256", "ES384", "hs256"] {
        let token = sign_with_header(SECRET, &json!({ "alg": alg }), &claims());
        assert_eq!(
            Bench::new(by_secret()).decide(&token),
            Err(AuthRefusal::WrongAlgorithm),
            "{alg}"
        );
    }
}

#[test]
fn other_keys_and_changed_tokens_have_wrong_signatures() {
    let pair = Pair::ed25519();
    let mut verifier = bench(settings(pair.key()));
    let other = Pair::ed25519().issuer().issue(START, &kay(), None).unwrap();
    assert_eq!(verifier.decide(other.as_str()), Err(AuthRefusal::WrongSignature));

    let token = pair.issuer().issue(START, &kay(), None).unwrap();
    let parts: Vec<&str> = token.as_str().split('.').collect();
    let richer = kay().with_role(Role::Host);
    let richer = pair.issuer().issue(START, &richer, None).unwrap();
    let claims = richer.as_str().split('.').nth(1).unwrap();
    let changed = format!("{}.{claims}.{}", parts[0], parts[2]);
    assert_eq!(verifier.decide(&changed), Err(AuthRefusal::WrongSignature));
    let wrong_secret = sign(b"another secret of 32 bytes, good", &self::claims());
    assert_eq!(Bench::new(by_secret()).decide(&wrong_secret), Err(AuthRefusal::WrongSignature));
    assert_eq!(verifier.stats().failed_addresses, 1);
}

#[test]
fn malformed_tokens_are_refused() {
    let valid = sign(SECRET, &claims());
    let (header, rest) = valid.split_once('.').unwrap();
    let critical = json!({ "alg": "HS256", "crit": ["exp"], "exp": 1 });
    let unencoded = json!({ "alg": "HS256", "crit": ["b64"], "b64": false });
    for token in [
        "a".to_owned(),
        "a.b".to_owned(),
        "..".to_owned(),
        format!("{valid}."),
        format!("{valid}.a"),
        format!("{header}=.{rest}"),
        format!(" {valid}"),
        format!("eyJ.{rest}"),
        sign_with_header(SECRET, &json!({}), &claims()),
        sign_with_header(SECRET, &json!(["HS256"]), &claims()),
        sign_with_header(SECRET, &json!({ "alg": 7 }), &claims()),
        sign_with_header(SECRET, &json!({ "alg": "HS256", "kid": 7 }), &claims()),
        sign_with_header(SECRET, &json!({ "alg": "HS256", "crit": 7 }), &claims()),
        sign_with_header(SECRET, &critical, &claims()),
        sign_with_header(SECRET, &unencoded, &claims()),
    ] {
        let decided = Bench::new(by_secret()).decide(&token);
        assert_eq!(decided, Err(AuthRefusal::MalformedToken), "{token}");
    }
    for claims in [json!([]), json!("kay"), json!(null)] {
        let decided = Bench::new(by_secret()).decide(&sign(SECRET, &claims));
        assert_eq!(decided, Err(AuthRefusal::InvalidClaims), "{claims}");
    }
}

#[test]
fn single_use_token_is_accepted_once_and_needs_an_id() {
    let mut bench = bench(secret_settings().single_use(true));
    let issuer = TokenIssuer::secret(SECRET).unwrap();
    let token = |id| issuer.issue(START, &kay(), id).unwrap();
    assert_eq!(bench.decide(token(None).as_str()), Err(AuthRefusal::InvalidClaims));
    assert!(bench.decide(token(Some("1")).as_str()).is_ok());
    assert_eq!(bench.decide(token(Some("1")).as_str()), Err(AuthRefusal::AlreadyUsed));
    assert!(bench.decide(token(Some("2")).as_str()).is_ok());
    bench.pass(secs(3_629));
    assert_eq!(bench.decide(token(Some("1")).as_str()), Err(AuthRefusal::AlreadyUsed));
    bench.pass(secs(1));
    assert_eq!(bench.decide(token(Some("1")).as_str()), Err(AuthRefusal::Expired));
}

#[test]
fn invalid_token_does_not_use_up_its_id() {
    let mut bench = bench(secret_settings().single_use(true));
    let early = json!({ "aud": "mp-server", "sub": "kay", "jti": "1",
        "exp": START + 3_600, "nbf": START + 60 });
    let early = sign(SECRET, &early);
    assert_eq!(bench.decide(&early), Err(AuthRefusal::NotYetValid));
    bench.pass(secs(60));
    assert!(bench.decide(&early).is_ok());
}

#[test]
fn time_is_that_of_the_call_and_not_of_the_system() {
    let token = sign(SECRET, &json!({ "aud": "mp-server", "sub": "kay", "exp": 2_000 }));
    let credentials = Credentials { token: Token::new(&token).ok(), ..Credentials::default() };
    let mut authenticator = Authenticator::new(by_secret());
    authenticator.begin(Instant::ZERO, 1_000, RequestId(0), credentials);
    let output = authenticator.next_output();
    assert!(matches!(output, Some(AuthOutput::Decided { decision: Ok(_), .. })), "{output:?}");
}

#[test]
fn wrong_tokens_count_for_the_address() {
    let pair = Pair::ed25519();
    let by_key = KeySet::from_jwks(json!({ "keys": [pair.jwk("a")] }).to_string().as_bytes());
    let by_key = TokenSettings::new(KeySource::Keys(by_key.unwrap()));
    let token = |kid| Pair::ed25519().issuer().key_id(kid).issue(START, &kay(), None).unwrap();
    for (token, refusal) in [
        ("guess", AuthRefusal::MalformedToken),
        (&sign(SECRET, &claims()), AuthRefusal::WrongAlgorithm),
        (token("b").as_str(), AuthRefusal::UnknownKey),
        (token("a").as_str(), AuthRefusal::WrongSignature),
    ] {
        let mut bench = bench(by_key.clone());
        for _ in 0..10 {
            assert_eq!(bench.decide(token), Err(refusal));
        }
        assert_eq!(bench.decide(token), Err(AuthRefusal::TooManyAttempts), "{refusal}");
    }
}

#[test]
fn keys_are_checked_and_errors_say_which_key_is_needed() {
    let pair = Pair::ed25519();
    let p384 = Pair::of(&rcgen::PKCS_ECDSA_P384_SHA384);
    let secret = |secret: &[u8]| TokenKey::secret(secret).unwrap_err();
    assert_eq!(secret(&[7; 31]), KeyError::ShortSecret { len: 31 });
    assert_eq!(secret(pair.public_pem.as_bytes()), KeyError::IsPem);
    let issuer = TokenIssuer::secret(pair.private_pem.as_bytes()).unwrap_err();
    assert_eq!(issuer, KeyError::IsPem);

    let public = |pem: &str| TokenKey::public_pem(pem.as_bytes()).unwrap_err();
    assert_eq!(public(&pair.private_pem), KeyError::IsPrivate);
    assert_eq!(public("no key"), KeyError::NoPublicKey);
    assert_eq!(public(&p384.public_pem), KeyError::Unsupported);
    let damaged = pair.public_pem.replacen("MCow", "MCox", 1);
    assert_eq!(public(&damaged), KeyError::Unsupported);

    let private = |pem: &str| TokenIssuer::private_pem(pem.as_bytes()).unwrap_err();
    assert_eq!(private(&pair.public_pem), KeyError::NoPrivateKey);
    assert_eq!(private(&p384.private_pem), KeyError::Unsupported);
    assert_eq!(Pair::p256().key().algorithm(), TokenAlgorithm::Es256);
    let shown = format!("{:?} {:?}", TokenKey::secret(SECRET), TokenIssuer::secret(SECRET));
    assert!(!shown.contains(&format!("{SECRET:?}")[1..20]), "{shown}");
}

#[test]
fn tokens_are_issued_only_for_subjects_and_a_time() {
    let issuer = TokenIssuer::secret(SECRET).unwrap();
    let error = |identity: &Identity| issuer.issue(START, identity, None).unwrap_err();
    let anonymous = Identity::anonymous().with_expires(Some(START));
    assert!(matches!(error(&anonymous), IssueError::NoSubject));
    assert!(matches!(error(&kay().with_expires(None)), IssueError::NoExpiry));
}
