//! Items that most programs import.

// The prelude of mp-actor contains the one of mp-scene.
#[cfg(feature = "actor")]
pub use mp_actor::prelude::*;
#[cfg(feature = "macros")]
pub use mp_macros::{Node, rpc_methods};
#[cfg(not(feature = "actor"))]
pub use mp_scene::prelude::*;
