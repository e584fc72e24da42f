//! Items that most programs import.

// The prelude of mp-actor contains the one of mp-scene.
#[cfg(feature = "actor")]
pub use mp_actor::prelude::*;
#[cfg(feature = "macros")]
pub use mp_macros::{FromVariant, Node, ToVariant, rpc_methods};
#[cfg(not(feature = "actor"))]
pub use mp_scene::prelude::*;
#[cfg(feature = "enet")]
pub use mp_transport_enet::EnetMultiplayerPeer;
#[cfg(feature = "webrtc")]
pub use mp_transport_webrtc::WebRtcMultiplayerPeer;
#[cfg(feature = "ws")]
pub use mp_transport_ws::WebSocketMultiplayerPeer;

#[cfg(all(feature = "actor", any(feature = "enet", feature = "ws")))]
pub use crate::{ServeError, Server};
