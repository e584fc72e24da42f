//! Identities of players, without I/O: who a player is, and what it may do.
//!
//! An [`Authenticator`] takes the [`Credentials`] of a player, and decides: it returns an
//! [`Identity`], or an [`AuthRejection`] with a code for the game and a text for the player. It
//! opens no sockets and reads no clock: its host passes the time, and sends its HTTP requests.
//!
//! | [`AuthMethod`] | a player is accepted if | its identity |
//! |---|---|---|
//! | `Open` | always | [`anonymous`](Identity::anonymous) |
//! | `SharedSecret` | it knows the secret of the server | [`anonymous`](Identity::anonymous) |
//! | `Tokens` (feature `tokens`) | its token is signed with one of the operator's keys | that in the token |
//! | `CallOut` | the operator's service accepts it | that of the service |
//!
//! # Signed tokens
//!
//! A token is a JWT. Any library for JWT can issue it; `mp-server token` and `TokenIssuer` do so
//! for trying.
//!
//! * The algorithm is that of the key: HS256 for a secret, EdDSA for an Ed25519 key, ES256 for an
//!   ECDSA P-256 key. The header of a token cannot change it.
//! * `aud` must contain the name of the server, by default `mp-server`. `exp` is required, `nbf` is
//!   checked if present, both with a tolerance of 30 s. `iss` is checked if the server requires it.
//! * `jti` is required if the server accepts each token once.
//! * `sub` and the other claims [below](#claims) are the identity.
//!
//! Issue tokens that expire within minutes: a player needs one to join, not to stay. Who has a
//! token is the player, so a server without encryption (ENet without DTLS, `ws://`) discloses it
//! to everyone on the path.
//!
//! # The operator's service
//!
//! The server sends a POST request for each player, with a JSON object: the player's `token`, and
//! its `address` and the `room` that it selects, if they are known. The service answers:
//!
//! | status | body | meaning |
//! |---|---|---|
//! | 200 | `{"sub": "kay"}`, or further claims as below | the player is accepted |
//! | 401, 403 | `{"code": "too_young", "text": "Come back in May"}`, both optional | it is refused |
//! | others | | the service fails |
//!
//! # Claims
//!
//! | claim | JSON | default |
//! |---|---|---|
//! | `sub` | text: the unique name of the player | required |
//! | `name` | text: the displayed name | none |
//! | `mp.room` | text: the only room that the player may join | any room |
//! | `mp.create` | boolean: the player may create the room that it joins | `false` |
//! | `mp.role` | `"player"`, `"spectator"` or `"host"` | `"player"` |
//! | `mp.max_players` | number: maximum number of players of a room that it creates | the template's |
//! | `mp.attributes` | object: values for the game | `{}` |

mod attributes;
mod authenticator;
mod call_out;
mod claims;
mod credentials;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
mod http;
mod identity;
pub mod limits;
mod refusal;
#[cfg(feature = "tokens")]
mod tokens;

pub use attributes::Attributes;
pub use authenticator::{AuthMethod, AuthOutput, AuthStats, Authenticator, FetchId, RequestId};
pub use call_out::CallOutSettings;
pub use credentials::{Credentials, InvalidToken, Token};
pub use http::{HttpFailure, HttpMethod, HttpRequest, HttpResponse, HttpUrl, InvalidUrl};
pub use identity::{Identity, InvalidIdentity, Role, Subject};
pub use refusal::{AuthRefusal, AuthRejection};
pub use serde_json;
#[cfg(feature = "tokens")]
pub use tokens::{
    IssueError, KeyError, KeySet, KeySource, TokenAlgorithm, TokenIssuer, TokenKey, TokenSettings,
};
