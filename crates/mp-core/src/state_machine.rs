//! The trait of all actors of mp: private state that only typed inputs change.

use crate::Instant;

/// A state machine that a host runs: actix (`mp-actor`), a simulator, or a game's own loop.
///
/// # The turn
///
/// 1. [`handle_input`](Self::handle_input) for each message in the mailbox changes state and queues
///    output.
/// 2. [`end_turn`](Self::end_turn) does the work that is due and packs the output.
/// 3. [`deliver`](Self::deliver) offers the output. Output that a destination does not accept is
///    returned, stays in order and is offered again. The state machine never blocks: it applies its
///    own policy when its queue for a destination is full.
/// 4. The next turn is due when a message is received or at [`poll_timeout`](Self::poll_timeout).
pub trait StateMachine {
    /// A message to the state machine.
    type Input;
    /// A message of the state machine.
    type Output;
    /// The receiver of an output.
    type Destination: Copy;

    /// Handles one message.
    fn handle_input(&mut self, now: Instant, input: Self::Input);

    /// Does the work that is due at `now` and packs the output of this turn.
    fn end_turn(&mut self, now: Instant);

    /// Offers the output, oldest first for each destination. `accept` returns an output as `Err`
    /// when the destination cannot accept it now.
    fn deliver(
        &mut self,
        accept: &mut dyn FnMut(Self::Destination, Self::Output) -> Result<(), Self::Output>,
    );

    /// Returns the time at which a turn is due even without input; `None` if there is none.
    fn poll_timeout(&self) -> Option<Instant>;
}
