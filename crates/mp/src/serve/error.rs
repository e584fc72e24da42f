//! [`ServeError`].

use mp_actor::{StartError, TransportError};

/// The reason why a server did not start. Nothing of it runs any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The branch did not start.
    #[error("cannot start the branch")]
    Branch(#[source] StartError),
    /// WebRTC has no signaling, because the server has no WebSocket transport.
    #[error("WebRTC needs signaling, which uses WebSocket; call websocket, too")]
    NoSignaling,
    /// The server has no transport.
    #[error("a server needs a transport; call enet or websocket before await")]
    NoTransport,
    /// A transport could not be created.
    #[error("cannot serve {transport}")]
    Transport {
        /// Name of the transport.
        transport: &'static str,
        /// The error of the transport, such as a port that is in use.
        source: TransportError,
    },
}
