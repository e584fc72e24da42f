//! Limits of this crate. Each constant documents the reason for its value.

use std::time::Duration;

/// Maximum length of a token in bytes: a signed token with all claims, or a platform's session
/// ticket.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;

/// Maximum length of a subject in bytes: a UUID, an e-mail address, or an issuer's opaque id.
pub const SUBJECT_BYTES_MAX: usize = 128;

/// Maximum length of a player's name in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// Maximum length of the name of a room in bytes. Rooms may have stricter rules.
pub const ROOM_BYTES_MAX: usize = 128;

/// Maximum number of attributes of an identity.
pub const ATTRIBUTES_MAX: usize = 32;

/// Maximum length of the attributes of an identity in bytes of JSON. They are kept as long as the
/// player is connected.
pub const ATTRIBUTES_BYTES_MAX: usize = 2 * 1024;

/// Maximum length of an operator's code of a refusal in bytes.
pub const CODE_BYTES_MAX: usize = 64;

/// Maximum length of an operator's text of a refusal in bytes. It fits into the close reason of a
/// WebSocket together with a code.
pub const TEXT_BYTES_MAX: usize = 512;

/// Maximum length of a URL in bytes.
pub const URL_BYTES_MAX: usize = 2 * 1024;

/// Maximum length of the body of a response in bytes.
pub const RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// Maximum number of addresses (IPv6 networks of 64 bits) whose failed attempts are counted. Beyond
/// the limit the oldest address is forgotten.
pub const FAILED_ADDRESSES_MAX: usize = 16_384;

/// Default number of failed attempts per minute and address: enough for a household or a school
/// whose players mistype, too few to guess a secret.
pub const FAILURES_PER_MINUTE: u32 = 10;

/// Default time after which a request to the operator's service is abandoned: a player waits no
/// longer, because Godot's default `auth_timeout` is 3 s.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// Minimum length of the secret that signs tokens in bytes: that of the hash (RFC 7518, 3.2).
pub const SECRET_BYTES_MIN: usize = 32;

/// Maximum length of the id of a key in bytes.
pub const KEY_ID_BYTES_MAX: usize = 256;

/// Maximum length of the id of a token in bytes, which is kept until the token expires.
pub const TOKEN_ID_BYTES_MAX: usize = 128;

/// Maximum number of tokens whose single use is recorded: 1,000 players a minute with tokens of an
/// hour. Beyond the limit, tokens are refused until others expire.
pub const USED_TOKENS_MAX: usize = 65_536;

/// Maximum number of keys of a JWK set, also of those that are ignored.
pub const JWKS_KEYS_MAX: usize = 64;

/// Interval in which a JWK set is fetched, so that keys which the issuer has withdrawn are removed.
pub const JWKS_REFRESH_INTERVAL: Duration = Duration::from_secs(3_600);

/// Minimum interval of fetches of a JWK set because of tokens with unknown keys, and after a fetch
/// that has failed: invented tokens cause no more requests.
pub const JWKS_INTERVAL_MIN: Duration = Duration::from_secs(60);

/// Minimum interval of fetches as long as there is no JWK set, because none has succeeded.
pub const JWKS_RETRY_INTERVAL: Duration = Duration::from_secs(5);
