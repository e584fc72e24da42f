//! [`Replay`]: feeds a branch with a recording, and compares its output.

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{EndpointId, Instant, PeerId, ToBranch, ToEndpoint};
use mp_host::HostedBranch;

use crate::digest::OutputHasher;
use crate::facts::ReplayedFacts;
use crate::frame::{Frame, RecordingEnd, TimedFrame, TurnOutput};
use crate::watch::ClientView;
use crate::{Facts, OutputDigest, Progress, RecordingError, RecordingReader};

/// A replay: the recorded input is fed to an equal branch, whose output is compared with the
/// recorded one.
///
/// The output is equal to the byte if the branch uses only the time and the randomness that it is
/// given, and asks its program by [`Facts`]: that holds for rooms of mp-relay and for the relay of
/// `SceneMultiplayer`. Otherwise [`difference`](Self::difference) is the first turn that differs.
/// Calls of the program, authentication and code that depends on addresses are not repeated.
pub struct Replay<R, M> {
    reader: RecordingReader<R>,
    machine: M,
    facts: ReplayedFacts,
    /// The frame after the last one.
    next: Option<TimedFrame>,
    first: Option<Instant>,
    has_beginning: bool,
    /// The nodes that clients had at the start.
    start_views: Vec<ClientView>,
    /// True after the end of a turn whose output was not offered.
    is_delivery_due: bool,
    turns: u64,
    calls: u64,
    end: Option<RecordingEnd>,
    difference: Option<Difference>,
}

/// The first turn in which the output of a replay differs from the recorded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// Number of the turn, from 0.
    pub turn: u64,
    /// Time since the first frame.
    pub at: Duration,
    /// The recorded output.
    pub recorded: OutputDigest,
    /// The output of the replay.
    pub replayed: OutputDigest,
    /// Number of calls of the program before this turn, which the replay has not made.
    pub calls: u64,
}

impl<R: Read, M: HostedBranch> Replay<R, M> {
    /// Starts a replay. `build` builds a branch that is equal to the recorded one at its start,
    /// from the reader's [header](RecordingReader::header). The branch asks its program by the
    /// given facts.
    ///
    /// # Errors
    ///
    /// [`RecordingError`] if the first frame cannot be read, and errors of `build`.
    pub fn new<E: From<RecordingError>>(
        mut reader: RecordingReader<R>,
        build: impl FnOnce(&crate::RecordingHeader, Facts) -> Result<M, E>,
    ) -> Result<Self, E> {
        let facts = ReplayedFacts::default();
        let mut machine = build(reader.header(), Facts::replayed(facts.clone()))?;
        let mut next = reader.next_frame()?;
        let (first, mut start_views) = (next.as_ref().map(|frame| frame.at), Vec::new());
        let mut has_beginning = true;
        if let Some(TimedFrame { frame: Frame::Checkpoint(_), .. }) = &next
            && let Some(TimedFrame { frame: Frame::Checkpoint(start), .. }) = next.take()
        {
            start.facts.iter().for_each(|&(key, value)| facts.set(key, value));
            machine.restore_checkpoint(&start.state).map_err(RecordingError::from)?;
            (start_views, has_beginning) = (start.views, false);
            next = reader.next_frame()?;
        }
        Ok(Self {
            reader,
            machine,
            facts,
            first,
            next,
            has_beginning,
            start_views,
            is_delivery_due: false,
            turns: 0,
            calls: 0,
            end: None,
            difference: None,
        })
    }

    /// Feeds the branch with the next frame, and passes its output to `output`. Returns the time
    /// since the first frame; `None` at the end of the recording.
    ///
    /// # Errors
    ///
    /// [`RecordingError`] if the rest of the recording cannot be read.
    pub fn step(
        &mut self,
        output: &mut dyn FnMut(EndpointId, &ToEndpoint),
    ) -> Result<Option<Duration>, RecordingError> {
        let Some(TimedFrame { at, frame }) = self.next.take() else { return Ok(None) };
        // Facts after a frame were asked for while the branch handled it.
        loop {
            self.next = self.reader.next_frame()?;
            match self.next {
                Some(TimedFrame { frame: Frame::Fact { key, value }, .. }) => {
                    self.facts.set(key, value);
                }
                _ => break,
            }
        }
        let time = at - self.first.unwrap_or(at);
        self.handle(time, at, frame, output);
        Ok(Some(time))
    }

    /// Returns the time of the next frame since the first one; `None` at the end.
    pub fn next_time(&self) -> Option<Duration> {
        let next = self.next.as_ref()?;
        Some(next.at - self.first.unwrap_or(next.at))
    }

    /// Returns the message that the next [`step`](Self::step) feeds; `None` if it is another frame.
    pub fn next_input(&self) -> Option<&ToBranch> {
        match &self.next {
            Some(TimedFrame { frame: Frame::Input(input), .. }) => Some(input),
            _ => None,
        }
    }

    fn handle(
        &mut self,
        time: Duration,
        at: Instant,
        frame: Frame,
        output: &mut dyn FnMut(EndpointId, &ToEndpoint),
    ) {
        match frame {
            Frame::Delivered(delivery) => return self.deliver(time, &delivery, output),
            _ if self.is_delivery_due => self.deliver(time, &TurnOutput::default(), output),
            _ => {}
        }
        match frame {
            Frame::Input(input) => self.machine.handle_input(at, input),
            Frame::Close(reason, close_mode) => self.machine.close(reason, close_mode),
            Frame::Call => self.calls += 1,
            Frame::EndTurn => {
                self.machine.end_turn(at);
                self.is_delivery_due = true;
            }
            Frame::End(end) => self.end = Some(end),
            Frame::Delivered(_) | Frame::Fact { .. } | Frame::Checkpoint(_) => {}
        }
    }

    /// Offers the output of a turn to endpoints that refuse the same messages as the recorded ones.
    fn deliver(
        &mut self,
        at: Duration,
        recorded: &TurnOutput,
        output: &mut dyn FnMut(EndpointId, &ToEndpoint),
    ) {
        self.is_delivery_due = false;
        let (mut hasher, mut number) = (OutputHasher::default(), 0);
        self.machine.deliver(&mut |endpoint, message| {
            hasher.output(endpoint, &message);
            let is_refused = recorded.refused.contains(&number);
            number += 1;
            if is_refused {
                hasher.refused();
                return Err(message);
            }
            output(endpoint, &message);
            Ok(())
        });
        while self.machine.next_abandoned().is_some() {}
        let replayed = hasher.take().digest;
        if replayed != recorded.digest && self.difference.is_none() {
            let (turn, calls, recorded) = (self.turns, self.calls, recorded.digest);
            self.difference = Some(Difference { turn, at, recorded, replayed, calls });
        }
        self.turns += 1;
    }

    /// Returns whether the recording has its beginning; false if it was dropped.
    pub fn has_beginning(&self) -> bool {
        self.has_beginning
    }

    /// Returns the packets that name and spawn the nodes of `client` at the start, with their
    /// authors: those that it has received and sent. None if the recording has its beginning.
    pub fn start_packets(&self, client: PeerId) -> impl Iterator<Item = (PeerId, Bytes)> {
        let view = self.start_views.iter().find(|view| view.client == client);
        let packets = view.map(|view| &view.packets[..]).unwrap_or_default();
        packets.iter().map(|(author, packet)| (*author, Bytes::copy_from_slice(packet)))
    }

    /// Returns the nodes that clients had at the start, if the beginning of the recording was
    /// dropped.
    pub(crate) fn start_views(&self) -> &[ClientView] {
        &self.start_views
    }

    /// Returns the first turn whose output differs.
    pub fn difference(&self) -> Option<Difference> {
        self.difference
    }

    /// Returns the number of turns that were compared.
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// Returns the number of calls of the program, which were not repeated.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Returns how the recording has ended; `None` if its end was not reached, or the file is cut.
    pub fn end(&self) -> Option<RecordingEnd> {
        self.end
    }

    /// Returns how much was read.
    pub fn progress(&self) -> Progress {
        self.reader.progress()
    }

    /// Returns the header.
    pub fn header(&self) -> &crate::RecordingHeader {
        self.reader.header()
    }

    /// Returns the branch.
    pub fn machine(&mut self) -> &mut M {
        &mut self.machine
    }
}

impl<R, M> std::fmt::Debug for Replay<R, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay")
            .field("reader", &self.reader)
            .field("turns", &self.turns)
            .field("difference", &self.difference)
            .finish_non_exhaustive()
    }
}
