//! STUN and TURN servers for clients, with time-limited credentials.
#![expect(
    clippy::exhaustive_structs,
    reason = "the fields are those of WebRTC's RTCIceServer, which programs build"
)]

use data_encoding::BASE64;
use serde::Serialize;
use sha1::{Digest, Sha1};

/// A STUN or TURN server, as `WebRTCPeerConnection.initialize` and browsers take it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IceServer {
    /// URLs of the server, such as `turns:turn.example:443?transport=tcp`.
    pub urls: Vec<String>,
    /// User name, for TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Password, for TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

impl IceServer {
    /// Returns a STUN server.
    pub const fn stun(urls: Vec<String>) -> Self {
        Self { urls, username: None, credential: None }
    }

    /// Returns a TURN server with a user name that is valid until `expiry`, in seconds of Unix
    /// time. `user` appears in the server's log. The server must have the same `secret` (coturn:
    /// `use-auth-secret` and `static-auth-secret`).
    ///
    /// The user name is `expiry:user`, the password its HMAC-SHA1 in base64.
    pub fn turn(urls: Vec<String>, secret: &str, expiry: u64, user: &str) -> Self {
        let username = format!("{expiry}:{user}");
        let credential = BASE64.encode(&hmac_sha1(secret.as_bytes(), username.as_bytes()));
        Self { urls, username: Some(username), credential: Some(credential) }
    }
}

/// Returns the HMAC of `message` (RFC 2104).
fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    let mut block = [0; 64];
    match block.get_mut(..key.len()) {
        Some(start) => start.copy_from_slice(key),
        None => block[..20].copy_from_slice(&Sha1::digest(key)),
    }
    let keyed = |pad: u8| Sha1::new().chain_update(block.map(|byte| byte ^ pad));
    let inner = keyed(0x36).chain_update(message).finalize();
    keyed(0x5c).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    #[test]
    fn hmac_is_that_of_rfc_2202() {
        let cases: [(&[u8], &[u8], &str); 3] = [
            (b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (&[0x0b; 20], b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
            (
                &[0xaa; 80],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "aa4ae5e15272d00e95705637ce8a3b55ed402112",
            ),
        ];
        for (key, message, expected) in cases {
            assert_eq!(HEXLOWER.encode(&hmac_sha1(key, message)), expected);
        }
    }

    #[test]
    fn credentials_are_those_that_coturn_expects() {
        let urls = vec!["turn:turn.example".to_owned()];
        let server = IceServer::turn(urls, "north", 1_433_895_918, "7");
        let json = serde_json::to_string(&server).unwrap();
        let expected = r#"{"urls":["turn:turn.example"],"username":"1433895918:7","credential":"/S7cxlFY9Lt98mSttaBpZXA7AQg="}"#;
        assert_eq!(json, expected);
    }

    #[test]
    fn stun_servers_have_no_credentials() {
        let server = IceServer::stun(vec!["stun:stun.example".to_owned()]);
        let json = serde_json::to_string(&server).unwrap();
        assert_eq!(json, r#"{"urls":["stun:stun.example"]}"#);
    }
}
