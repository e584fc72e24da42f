//! The fuzz targets of this crate, run on their seed inputs and mutations of them.
#![allow(missing_docs, reason = "a test")]

use mp_core::fuzz::{Seeds, check};
use mp_identity::fuzz;

#[test]
fn any_token_is_refused_or_its_identity_is_within_bounds() {
    let seeds = [
        r#"{"aud":"mp-server","sub":"kay","exp":1800000001}"#,
        r#"{"aud":["a","mp-server"],"sub":"kay","exp":1.9e9,"nbf":1,"jti":"1","iss":"i","name":"K"}"#,
        r#"{"aud":"mp-server","sub":"k","exp":1900000000,"mp":{"room":"a","create":true,"role":"host","max_players":8,"attributes":{"a":[1,{"b":null}]}}}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"a","crit":["b64"],"b64":true}"#,
        r#"{"alg":"none"}"#,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJrYXkifQ.c2lnbmF0dXJl",
        "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJrYXkifQ.",
    ];
    check("identity_token", Seeds::texts(&seeds), 10_000, fuzz::identity_token);
}

#[test]
fn any_key_set_is_read_within_bounds() {
    let seeds = [
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","alg":"EdDSA","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
        r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"b","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","key_ops":["verify"]}]}"#,
        r#"{"keys":[{"kty":"oct","k":"YQ","kid":"a"},{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"AKP"},7]}"#,
    ];
    check("identity_jwks", Seeds::texts(&seeds), 10_000, fuzz::identity_jwks);
}

#[test]
fn any_response_of_the_operators_service_is_one_decision() {
    let seeds = [
        "\u{0}{\"sub\":\"kay\",\"name\":\"Kay\",\"exp\":1800000001}",
        "\u{0}{\"sub\":\"kay\",\"mp\":{\"room\":\"a\",\"role\":\"host\",\"attributes\":{\"a\":1}}}",
        "\u{1}{\"code\":\"young\",\"text\":\"Come back in May\"}",
        "\u{2}{\"text\":\"a\\nb\"}",
        "\u{3}",
    ];
    check("identity_call_out", Seeds::texts(&seeds), 10_000, fuzz::identity_call_out);
}
