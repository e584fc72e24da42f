//! Observations of a client.

use std::rc::Rc;

use mp_core::{DisconnectReason, PeerId, Variant};

/// Something that a client has received.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Observation {
    /// The transport is connected, and the authentication begins.
    Authenticating,
    /// The server has admitted the client.
    Admitted,
    /// The session has ended.
    Disconnected(DisconnectReason),
    /// A packet of this length was received. The observations of its content follow.
    Packet {
        len: usize,
    },
    /// Another client was announced.
    PeerConnected,
    /// Another client has left.
    PeerDisconnected,
    Spawn {
        name: String,
    },
    Despawn,
    /// A SYNC or DELTA.
    Sync,
    Call(ReceivedCall),
    Raw {
        len: usize,
    },
    /// The methods of the node at this path differ between the peers.
    MethodsDiffer(Rc<str>),
    /// A packet that is malformed, or exceeds a limit of the client.
    Malformed,
}

/// A call that a client has received.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReceivedCall {
    pub(crate) from: PeerId,
    /// Path of the node; `None` if its id was not announced.
    pub(crate) path: Option<Rc<str>>,
    /// Name of the method; `None` if the methods of the node are unknown.
    pub(crate) method: Option<Rc<str>>,
    pub(crate) args: Vec<Variant>,
}
