//! The states of a connection.

use crate::proto::Millis;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// An attempt to connect that is not wanted any more. Its server may have received CONNECT, so
    /// a VERIFY_CONNECT until then is answered with DISCONNECT, which frees the server's slot.
    Abandoned {
        until: Millis,
    },
    /// CONNECT is on its way.
    Connecting,
    /// VERIFY_CONNECT is on its way.
    HalfOpen,
    Connected,
    /// What was accepted is being delivered before the end.
    DisconnectLater,
    /// DISCONNECT is on its way.
    Disconnecting,
    /// The other side's DISCONNECT is to be acknowledged; then there is nothing left.
    AcknowledgingDisconnect,
}

/// The state of a connection after its commands or its timers were handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The connection continues.
    Going,
    /// The connection has ended and its slot can be freed: its last event, if it has one, is
    /// queued.
    Ended,
}
