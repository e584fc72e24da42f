//! Keys and forged tokens.
#![allow(dead_code, reason = "each test uses a part")]

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mp_identity::serde_json::{Value, json, to_vec};
use mp_identity::{
    AuthMethod, Identity, KeySet, KeySource, Subject, TokenIssuer, TokenKey, TokenSettings,
};

use super::START;

pub(crate) const SECRET: &[u8] = b"a secret of thirty-two bytes, ok";

/// A key pair.
pub(crate) struct Pair {
    pub(crate) private_pem: String,
    pub(crate) public_pem: String,
    /// The public key: 32 bytes (Ed25519) or an uncompressed point.
    pub(crate) public: Vec<u8>,
}

impl Pair {
    pub(crate) fn ed25519() -> Self {
        Self::of(&rcgen::PKCS_ED25519)
    }

    pub(crate) fn p256() -> Self {
        Self::of(&rcgen::PKCS_ECDSA_P256_SHA256)
    }

    pub(crate) fn of(algorithm: &'static rcgen::SignatureAlgorithm) -> Self {
        let pair = rcgen::KeyPair::generate_for(algorithm).unwrap();
        Self {
            private_pem: pair.serialize_pem(),
            public_pem: pair.public_key_pem(),
            public: pair.public_key_raw().to_vec(),
        }
    }

    pub(crate) fn issuer(&self) -> TokenIssuer {
        TokenIssuer::private_pem(self.private_pem.as_bytes()).unwrap()
    }

    pub(crate) fn key(&self) -> TokenKey {
        TokenKey::public_pem(self.public_pem.as_bytes()).unwrap()
    }

    /// The public key as an entry of a JWK set.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let base64 = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        match self.public.len() {
            32 => json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": base64(&self.public) }),
            _ => {
                let (x, y) = (base64(&self.public[1..33]), base64(&self.public[33..]));
                json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y })
            }
        }
    }
}

pub(crate) fn settings(key: TokenKey) -> TokenSettings {
    TokenSettings::new(KeySource::Keys(KeySet::from(key)))
}

pub(crate) fn secret_settings() -> TokenSettings {
    settings(TokenKey::secret(SECRET).unwrap())
}

pub(crate) fn by_secret() -> AuthMethod {
    AuthMethod::Tokens(secret_settings())
}

/// The identity of kay, which expires in an hour.
pub(crate) fn kay() -> Identity {
    Identity::new(Subject::new("kay").unwrap()).with_expires(Some(START + 3_600))
}

/// The claims of a valid token.
pub(crate) fn claims() -> Value {
    json!({ "aud": "mp-server", "sub": "kay", "exp": START + 3_600 })
}

/// Returns the claims of a valid token with one that is different; `null`: without it.
pub(crate) fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

/// Returns a token with these claims, signed by HS256 with a secret.
pub(crate) fn sign(secret: &[u8], claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret).unwrap();
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
}

/// Returns a token with this header, signed by HS256 with a secret whatever the header says.
pub(crate) fn sign_with_header(secret: &[u8], header: &Value, claims: &Value) -> String {
    let base64 = |json: &Value| BASE64URL_NOPAD.encode(&to_vec(json).unwrap());
    let message = format!("{}.{}", base64(header), base64(claims));
    let key = EncodingKey::from_secret(secret).unwrap();
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256);
    format!("{message}.{}", signature.unwrap())
}

/// Returns the bytes in a PEM text.
pub(crate) fn der(pem: &str) -> Vec<u8> {
    let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = data_encoding::BASE64.decode(text.as_bytes()).unwrap();
    assert!(HEXLOWER.encode(&der).starts_with("30"), "a sequence");
    der
}
