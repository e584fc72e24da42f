//! The states of a connection.

use crate::proto::Millis;

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// An abandoned attempt to connect. The server may have received CONNECT, so a VERIFY_CONNECT
    /// until then is answered with DISCONNECT, which frees the server's slot.
    Abandoned {
        until: Millis,
    },
    /// CONNECT is queued or in flight.
    Connecting,
    /// VERIFY_CONNECT is queued or in flight.
    HalfOpen,
    Connected,
    /// Accepted packets are delivered before the disconnect.
    DisconnectLater,
    /// DISCONNECT is queued or in flight.
    Disconnecting,
    /// The remote peer has disconnected. The connection ends when the acknowledgement is sent.
    AcknowledgingDisconnect,
}
