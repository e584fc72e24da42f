//! Verification of a token: its signature by a key, then its claims.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::Validation;
use jsonwebtoken::errors::ErrorKind;
use mp_core::UnixSeconds;
use serde::Deserialize;

use super::claims::TokenClaims;
use super::key::TokenKey;
use super::key_set::KeySet;
use super::settings::TokenSettings;
use crate::claims::Object;
use crate::credentials::Token;
use crate::identity::Identity;
use crate::limits::TOKEN_ID_BYTES_MAX;
use crate::refusal::AuthRefusal;

/// The parts of a token's header that select and check its key.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct TokenHeader {
    alg: String,
    kid: Option<String>,
}

impl TokenHeader {
    /// Reads the header of a token, which nothing has verified yet.
    pub(super) fn read(token: &Token) -> Result<Self, AuthRefusal> {
        let mut parts = token.as_str().split('.');
        let (Some(header), Some(_), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(AuthRefusal::MalformedToken);
        };
        let json = BASE64URL_NOPAD.decode(header.as_bytes());
        let json = json.map_err(|_| AuthRefusal::MalformedToken)?;
        let header = serde_json::from_slice::<Object<Self>>(&json);
        header.map(|it| it.0).map_err(|_| AuthRefusal::MalformedToken)
    }

    /// Returns the key of the token.
    pub(super) fn find_key<'a>(&self, keys: &'a KeySet) -> Option<&'a TokenKey> {
        keys.find(self.kid.as_deref())
    }
}

/// A token that is valid at the time of its verification.
#[derive(Debug)]
pub(super) struct VerifiedToken {
    pub(super) identity: Identity,
    /// The id of the token (`jti`).
    pub(super) id: Option<String>,
    /// The first second at which the token is not accepted any more.
    pub(super) end: UnixSeconds,
}

/// Verifies a token.
pub(super) fn verify(
    unix: UnixSeconds,
    token: &Token,
    keys: &KeySet,
    settings: &TokenSettings,
) -> Result<VerifiedToken, AuthRefusal> {
    let header = TokenHeader::read(token)?;
    let key = header.find_key(keys).ok_or(AuthRefusal::UnknownKey)?;
    if header.alg != key.algorithm().as_str() {
        return Err(AuthRefusal::WrongAlgorithm);
    }
    check_claims(unix, signed_claims(token, key)?, settings)
}

/// Returns the claims of a token whose signature is valid.
fn signed_claims(token: &Token, key: &TokenKey) -> Result<TokenClaims, AuthRefusal> {
    // Claims are checked below, with the time that is an argument.
    let mut validation = Validation::new(key.algorithm().of_jsonwebtoken());
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let text = token.as_str();
    jsonwebtoken::decode_header(text).map_err(|_| AuthRefusal::MalformedToken)?;
    let decoded =
        jsonwebtoken::decode::<Object<TokenClaims>>(text, key.decoding_key(), &validation);
    let decoded = decoded.map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature => AuthRefusal::WrongSignature,
        ErrorKind::InvalidAlgorithm => AuthRefusal::WrongAlgorithm,
        // The signature is checked before the claims are read.
        ErrorKind::Json(_) | ErrorKind::Utf8(_) => AuthRefusal::InvalidClaims,
        _ => AuthRefusal::MalformedToken,
    })?;
    Ok(decoded.claims.0)
}

fn check_claims(
    unix: UnixSeconds,
    claims: TokenClaims,
    settings: &TokenSettings,
) -> Result<VerifiedToken, AuthRefusal> {
    if !claims.aud.is_some_and(|aud| aud.contains(&settings.audience)) {
        return Err(AuthRefusal::WrongAudience);
    }
    if settings.issuer.is_some() && claims.iss != settings.issuer {
        return Err(AuthRefusal::WrongIssuer);
    }
    let leeway = settings.leeway.as_secs();
    let expires = claims.identity.exp.ok_or(AuthRefusal::InvalidClaims)?;
    let end = expires.0.saturating_add(leeway);
    if unix >= end {
        return Err(AuthRefusal::Expired);
    }
    if claims.nbf.is_some_and(|nbf| unix.saturating_add(leeway) < nbf.0) {
        return Err(AuthRefusal::NotYetValid);
    }
    if claims.jti.as_ref().is_some_and(|id| id.len() > TOKEN_ID_BYTES_MAX) {
        return Err(AuthRefusal::InvalidClaims);
    }
    let identity = Identity::try_from(claims.identity).map_err(|_| AuthRefusal::InvalidClaims)?;
    Ok(VerifiedToken { identity, id: claims.jti, end })
}
