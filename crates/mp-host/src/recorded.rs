//! A wrapper that records the input of a branch.

use mp_core::{
    CloseMode, DisconnectReason, EndpointId, Instant, StateMachine, ToBranch, ToEndpoint,
};

use crate::{CheckpointError, HostedBranch};

/// The receiver of everything that a [`Recorded`] branch handles and sends.
///
/// The methods are called in the order of the events, on the thread of the branch. An
/// implementation must not block.
pub trait BranchRecorder {
    /// Records a message, before the branch handles it.
    fn input(&mut self, now: Instant, input: &ToBranch);

    /// Records that the branch is closed.
    fn close(&mut self, reason: DisconnectReason, close_mode: CloseMode);

    /// Records that the program calls the branch outside its turn. The call itself is code, which a
    /// recording cannot repeat.
    fn call(&mut self, now: Instant);

    /// Records the end of a turn, before the branch handles it.
    fn end_turn(&mut self, now: Instant);

    /// Records a message that the branch offers to an endpoint.
    fn output(&mut self, endpoint: EndpointId, output: &ToEndpoint);

    /// Records that the endpoint has refused the last [`output`](Self::output).
    fn refused(&mut self);

    /// Records that the branch has offered all output of the turn.
    fn delivered(&mut self);

    /// Returns whether the next [checkpoint](HostedBranch::checkpoint) of the branch is recorded.
    /// Default: no.
    fn wants_checkpoint(&self) -> bool {
        false
    }

    /// Records a checkpoint, after the output of a turn was delivered. Does nothing by default.
    fn checkpoint(&mut self, checkpoint: Vec<u8>) {
        let _ = checkpoint;
    }
}

/// A branch whose input and output are passed to a [`BranchRecorder`]. Without one it costs a check
/// per message.
///
/// The input of an endpoint is not recorded: a transport reads it from sockets, and what the branch
/// needs of it is the branch's input.
pub struct Recorded<M> {
    machine: M,
    recorder: Option<Box<dyn BranchRecorder>>,
}

impl<M> Recorded<M> {
    /// Wraps a branch that is new, so that a recording contains all of its input. `None`: nothing
    /// is recorded.
    pub fn new(machine: M, recorder: Option<Box<dyn BranchRecorder>>) -> Self {
        Self { machine, recorder }
    }

    /// Returns the branch. What the caller changes is not recorded.
    pub fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Returns the branch for a call of the program, and records that there is one.
    pub fn call(&mut self, now: Instant) -> &mut M {
        if let Some(recorder) = &mut self.recorder {
            recorder.call(now);
        }
        &mut self.machine
    }
}

impl<M: std::fmt::Debug> std::fmt::Debug for Recorded<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorded")
            .field("machine", &self.machine)
            .field("is_recorded", &self.recorder.is_some())
            .finish()
    }
}

impl<M: HostedBranch> StateMachine for Recorded<M> {
    type Input = ToBranch;
    type Output = ToEndpoint;
    type Destination = EndpointId;

    fn handle_input(&mut self, now: Instant, input: ToBranch) {
        if let Some(recorder) = &mut self.recorder {
            recorder.input(now, &input);
        }
        self.machine.handle_input(now, input);
    }

    fn end_turn(&mut self, now: Instant) {
        if let Some(recorder) = &mut self.recorder {
            recorder.end_turn(now);
        }
        self.machine.end_turn(now);
    }

    fn deliver(
        &mut self,
        accept: &mut dyn FnMut(EndpointId, ToEndpoint) -> Result<(), ToEndpoint>,
    ) {
        let Some(recorder) = &mut self.recorder else { return self.machine.deliver(accept) };
        self.machine.deliver(&mut |endpoint, output| {
            recorder.output(endpoint, &output);
            accept(endpoint, output).inspect_err(|_| recorder.refused())
        });
        recorder.delivered();
        if recorder.wants_checkpoint()
            && let Some(checkpoint) = self.machine.checkpoint()
        {
            recorder.checkpoint(checkpoint);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.machine.poll_timeout()
    }
}

impl<M: HostedBranch> HostedBranch for Recorded<M> {
    fn close(&mut self, reason: DisconnectReason, close_mode: CloseMode) {
        if let Some(recorder) = &mut self.recorder {
            recorder.close(reason, close_mode);
        }
        self.machine.close(reason, close_mode);
    }

    fn queued_packets(&self) -> usize {
        self.machine.queued_packets()
    }

    fn is_blocked(&self) -> bool {
        self.machine.is_blocked()
    }

    fn next_abandoned(&mut self) -> Option<EndpointId> {
        self.machine.next_abandoned()
    }

    fn checkpoint(&self) -> Option<Vec<u8>> {
        self.machine.checkpoint()
    }

    fn restore_checkpoint(&mut self, checkpoint: &[u8]) -> Result<(), CheckpointError> {
        self.machine.restore_checkpoint(checkpoint)
    }
}
