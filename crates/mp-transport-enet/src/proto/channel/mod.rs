//! A channel of a peer: sequence numbers of sent packets, and the order of received ones.

mod assembly;
mod channels;
mod receive_budget;
mod receive_order;
mod sequences;
mod unsequenced;
mod window;

pub(crate) use channels::Channels;
pub(crate) use receive_budget::{Delivery, ReceiveBudget, delivered_bytes};
pub(crate) use receive_order::ReceiveOrder;
pub(crate) use sequences::SendSequences;
pub(crate) use unsequenced::Unsequenced;
pub(crate) use window::SequencePosition;

/// The result of handling a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Accepted now or before. It is acknowledged if it requests that.
    Accepted,
    /// Accepted on a paused connection. It is delivered and acknowledged when the connection
    /// resumes.
    Buffered,
    /// Not accepted for lack of capacity, and not acknowledged, so that the peer retransmits it.
    Deferred,
    /// Malformed. The rest of its datagram is ignored.
    Malformed,
}

/// The state of a channel.
#[derive(Debug, Default)]
struct Channel {
    sending: SendSequences,
    receiving: ReceiveOrder,
}
