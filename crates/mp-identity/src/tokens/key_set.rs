//! [`KeySet`]: keys that verify tokens, selected by the id in a token's header.

use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::key::{KeyError, TokenKey};
use crate::claims::Object;
use crate::limits::{JWKS_KEYS_MAX, RESPONSE_BYTES_MAX};

/// Keys that verify tokens. A token selects its key by the id in its header (`kid`). If the set has
/// one key, a token without id selects it; if that key has no id, every token does.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<TokenKey>,
    ignored: usize,
}

impl KeySet {
    /// Returns the keys of a JWK set (RFC 7517), for example of an identity provider: keys of type
    /// `OKP` with curve `Ed25519`, and of type `EC` with curve `P-256`. Other keys are ignored, and
    /// also those for encryption, those with another algorithm than that of their type, and
    /// further ones of the same id. Symmetric keys are secrets, so they are ignored, too.
    ///
    /// # Errors
    ///
    /// If the set is no JSON object with an array `keys`, or has more than [`RESPONSE_BYTES_MAX`]
    /// bytes or [`JWKS_KEYS_MAX`] keys.
    pub fn from_jwks(json: &[u8]) -> Result<Self, KeyError> {
        if json.len() > RESPONSE_BYTES_MAX {
            return Err(KeyError::TooLarge { most: RESPONSE_BYTES_MAX, unit: "bytes" });
        }
        let set = serde_json::from_slice::<Object<Jwks>>(json);
        let Object(Jwks { keys: entries }) = set.map_err(|_| KeyError::NoJwks)?;
        if entries.len() > JWKS_KEYS_MAX {
            return Err(KeyError::TooLarge { most: JWKS_KEYS_MAX, unit: "keys" });
        }
        let mut set = Self::default();
        for entry in entries {
            let key = Object::<Jwk>::deserialize(entry).ok().and_then(|Object(jwk)| jwk.key());
            match key {
                Some(key) if set.has_place_for(&key) => set.keys.push(key),
                _ => set.ignored += 1,
            }
        }
        Ok(set)
    }

    /// Returns the number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether there are no keys, so that all tokens are refused.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the number of keys of the JWK set that are ignored.
    pub fn ignored(&self) -> usize {
        self.ignored
    }

    /// Returns the key of a token with this id in its header.
    pub(super) fn find(&self, id: Option<&str>) -> Option<&TokenKey> {
        match (&self.keys[..], id) {
            ([only], None) => Some(only),
            ([only], Some(_)) if only.id().is_none() => Some(only),
            (keys, Some(id)) => keys.iter().find(|key| key.id() == Some(id)),
            _ => None,
        }
    }

    fn has_place_for(&self, key: &TokenKey) -> bool {
        self.keys.iter().all(|other| other.id() != key.id())
    }
}

impl From<TokenKey> for KeySet {
    fn from(key: TokenKey) -> Self {
        Self { keys: vec![key], ignored: 0 }
    }
}

/// A JWK set.
#[derive(Clone, Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

/// A key of a JWK set.
#[derive(Clone, Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    kid: Option<String>,
}

impl Jwk {
    /// Returns the key; `None` if it is ignored.
    fn key(self) -> Option<TokenKey> {
        let is_for_signatures = self.usage.is_none_or(|usage| usage == "sig")
            && self.key_ops.is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !is_for_signatures {
            return None;
        }
        let alg = self.alg.as_deref();
        match (&*self.kty, &*self.crv) {
            ("OKP", "Ed25519") if matches!(alg, None | Some("EdDSA" | "Ed25519")) => {
                TokenKey::ed25519(self.kid, DecodingKey::from_ed_components(&self.x).ok()?).ok()
            }
            ("EC", "P-256") if matches!(alg, None | Some("ES256")) => {
                let key = DecodingKey::from_ec_components(&self.x, &self.y?).ok()?;
                TokenKey::p256(self.kid, key).ok()
            }
            _ => None,
        }
    }
}
