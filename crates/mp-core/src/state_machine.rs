//! What every actor of mp is inside: private state, changed only by typed inputs.

use crate::Instant;

/// A state machine that a host runs: actix (`mp-actor`), a simulator, or a game's own loop.
///
/// # The turn
///
/// 1. [`handle_input`](Self::handle_input) for each message in the mailbox: state changes, output is queued.
/// 2. [`end_turn`](Self::end_turn) does the work that is due and packs the output.
/// 3. [`deliver`](Self::deliver) offers the output. What a destination cannot take is given back, kept in order and
///    offered again; the machine's own policies see that the destination is full. Nobody waits.
/// 4. The next turn is due when a message arrives or at [`poll_timeout`](Self::poll_timeout).
pub trait StateMachine {
    /// What it is told.
    type Input;
    /// What it says.
    type Output;
    /// Whom it speaks to.
    type Destination: Copy;

    /// Takes one message.
    fn handle_input(&mut self, now: Instant, input: Self::Input);

    /// Does what is due at `now` and packs the output of this turn.
    fn end_turn(&mut self, now: Instant);

    /// Offers the output, oldest first for each destination; `accept` gives back what the destination cannot take now.
    fn deliver(
        &mut self,
        accept: &mut dyn FnMut(Self::Destination, Self::Output) -> Result<(), Self::Output>,
    );

    /// When the next turn is due without input.
    fn poll_timeout(&self) -> Option<Instant>;
}
