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
//! | `CallOut` | the operator's service accepts it | that of the service |
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
mod http;
mod identity;
pub mod limits;
mod refusal;

pub use attributes::Attributes;
pub use authenticator::{AuthMethod, AuthOutput, AuthStats, Authenticator, FetchId, RequestId};
pub use call_out::CallOutSettings;
pub use credentials::{Credentials, InvalidToken, Token};
pub use http::{HttpFailure, HttpMethod, HttpRequest, HttpResponse, HttpUrl, InvalidUrl};
pub use identity::{Identity, InvalidIdentity, Role, Subject};
pub use refusal::{AuthRefusal, AuthRejection};
pub use serde_json;
