//! [`Delivery`]: the messages of a gateway for its endpoint or its branch.

use std::collections::VecDeque;

/// A gateway with messages for its endpoint or its branch.
pub(super) trait Delivery {
    type Message;

    fn messages(&mut self) -> &mut VecDeque<Self::Message>;

    /// Moves a batch that was received, or the end, to the messages. Returns false if there is
    /// none.
    fn receive(&mut self) -> bool;

    /// Offers the messages to `accept`, until one is not accepted.
    fn deliver_to(&mut self, accept: &mut dyn FnMut(Self::Message) -> Result<(), Self::Message>) {
        loop {
            if self.messages().is_empty() && !self.receive() {
                return;
            }
            let Some(message) = self.messages().pop_front() else { continue };
            if let Err(message) = accept(message) {
                self.messages().push_front(message);
                return;
            }
        }
    }
}
