//! One channel of one peer: the sequence numbers of what is sent, and the order of what is received.

mod assembly;
mod channels;
mod inbound;
mod receive_order;
mod sequences;
mod unsequenced;
mod window;

pub(crate) use channels::Channels;
pub(crate) use inbound::{Inbound, Sink, delivered_bytes};
pub(crate) use receive_order::ReceiveOrder;
pub(crate) use sequences::SendSequences;
pub(crate) use unsequenced::Unsequenced;
pub(crate) use window::Place;

/// What becomes of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was taken, or is known already: acknowledge it if it asks for that.
    Taken,
    /// It was accepted on a held link: it is delivered and acknowledged once the link is let go.
    Kept,
    /// There is no room for it: it shall come again.
    Withheld,
    /// It makes no sense: what follows in its datagram is ignored.
    Refused,
}

/// The state of a channel.
#[derive(Debug, Default)]
struct Channel {
    sending: SendSequences,
    receiving: ReceiveOrder,
}
