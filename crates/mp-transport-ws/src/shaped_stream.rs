//! [`ShapedStream`]: a byte stream with simulated link conditions.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll};

use mp_core::link_shaper::{LinkShaper, QUEUE_TIME_MAX};
use mp_core::{ConnectionConditions, Instant, LinkStats, Rng};

use crate::io::ByteStream;

/// A byte stream whose bytes are delayed and limited to a rate, in each direction. Without
/// conditions it is the stream below.
///
/// A direction accepts bytes while those before them wait for less than [`QUEUE_TIME_MAX`] for the
/// rate, and at most 1 MiB are on their way. Then it is blocked like a full socket, so nothing is
/// lost.
#[derive(Debug)]
pub(crate) struct ShapedStream<S> {
    stream: S,
    /// `None` while there are no conditions and no bytes on their way.
    link: Option<Box<StreamLink>>,
}

#[derive(Debug)]
struct StreamLink {
    outgoing: Direction,
    incoming: Direction,
    /// End of the stream, which follows the bytes on their way.
    end: Option<io::Result<()>>,
    /// True if the stream is shut down for writing after the bytes on their way.
    shuts_down: bool,
    /// True if the stream accepts no bytes that have passed the link, until it wakes the task.
    is_blocked: bool,
    /// True if the connection was notified of received bytes and has not read since.
    is_notified: bool,
    /// True if only the bytes on their way are left of it.
    is_removed: bool,
}

#[derive(Debug)]
struct Direction {
    shaper: LinkShaper,
    /// Segments on their way, with their arrival times. Both are in order.
    segments: VecDeque<(Instant, VecDeque<u8>)>,
    queued: usize,
}

impl<S: ByteStream> ShapedStream<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, link: None }
    }

    /// Sets the conditions, `None`: removes them. Bytes that are on their way arrive as before.
    pub(crate) fn set_conditions(
        &mut self,
        conditions: Option<ConnectionConditions>,
        rng: &mut Rng,
    ) {
        let given = conditions.unwrap_or_default();
        let link = match &mut self.link {
            Some(link) => link,
            None if conditions.is_none() => return,
            none @ None => none.insert(Box::new(StreamLink::new(rng))),
        };
        link.is_removed = conditions.is_none();
        link.outgoing.shaper.set_conditions(given.outgoing);
        link.incoming.shaper.set_conditions(given.incoming);
    }

    /// Returns the conditions and statistics; `None` without conditions.
    pub(crate) fn conditions(&self) -> Option<(ConnectionConditions, LinkStats)> {
        let link = self.link.as_ref().filter(|link| !link.is_removed)?;
        let (outgoing, incoming) = (&link.outgoing, &link.incoming);
        let queued_bytes = outgoing.queued + incoming.queued;
        let (outgoing, incoming) = (outgoing.shaper.conditions(), incoming.shaper.conditions());
        let stats = LinkStats { queued_bytes, ..LinkStats::default() };
        Some((ConnectionConditions { outgoing, incoming }, stats))
    }

    /// As [`ByteStream::poll_read`]. Bytes on their way are available at [`due`](Self::due).
    pub(crate) fn poll_read(
        &mut self,
        now: Instant,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, link } = self;
        let Some(given) = link else { return stream.poll_read(cx, buf) };
        given.is_notified = false;
        // The part of the buffer that is returned is written afterwards.
        while given.end.is_none() && given.incoming.accepts(now) {
            let Poll::Ready(read) = stream.poll_read(cx, buf) else { break };
            match read {
                Ok(0) => given.end = Some(Ok(())),
                Ok(len) => given.incoming.push(now, &buf[..len]),
                Err(error) => given.end = Some(Err(error)),
            }
        }
        let len = given.incoming.pop(now, buf);
        if len > 0 {
            return Poll::Ready(Ok(len));
        }
        if given.incoming.segments.is_empty()
            && let Some(end) = given.end.take()
        {
            return Poll::Ready(end.map(|()| 0));
        }
        if given.is_idle() {
            *link = None;
        }
        Poll::Pending
    }

    /// As [`ByteStream::poll_write`]. If it returns `Pending` although the stream is not blocked,
    /// [`advance`](Self::advance) makes capacity available at [`due`](Self::due).
    pub(crate) fn poll_write(
        &mut self,
        now: Instant,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Err(error) = self.advance(now, cx) {
            return Poll::Ready(Err(error));
        }
        let Self { stream, link } = self;
        let Some(given) = link else { return stream.poll_write(cx, bytes) };
        if !given.outgoing.accepts(now) {
            return Poll::Pending;
        }
        let len = bytes.len().min(SEGMENT_BYTES);
        given.outgoing.push(now, &bytes[..len]);
        // Without a delay it is written at once.
        self.advance(now, cx)
            .map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Ready(Ok(len)))
    }

    /// Shuts the stream down for writing, after the bytes on their way.
    pub(crate) fn shutdown(&mut self) {
        match &mut self.link {
            Some(link) if !link.outgoing.segments.is_empty() => link.shuts_down = true,
            _ => self.stream.shutdown(),
        }
    }

    /// Returns whether received bytes have passed the link since the last read. Returns true once.
    pub(crate) fn notify(&mut self, now: Instant) -> bool {
        let Some(link) = &mut self.link else { return false };
        let has_arrived = link.incoming.next().is_some_and(|at| at <= now);
        has_arrived && !std::mem::replace(&mut link.is_notified, true)
    }

    /// Ends the simulation: writes the bytes on their way without their delay, as far as the stream
    /// accepts them. For a connection that ends at once.
    pub(crate) fn write_all(&mut self, cx: &mut Context<'_>) {
        let end_of_time = Instant::from_micros(u64::MAX);
        if self.advance(end_of_time, cx).is_ok() && !self.has_output() {
            self.link = None;
        }
    }

    /// Returns whether bytes are on their way to the stream.
    pub(crate) fn has_output(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !link.outgoing.segments.is_empty())
    }

    /// Returns whether bytes are on their way from the stream.
    pub(crate) fn has_input(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !link.incoming.segments.is_empty())
    }

    /// Returns the bytes on their way.
    pub(crate) fn queued(&self) -> usize {
        self.link.as_ref().map_or(0, |link| link.outgoing.queued + link.incoming.queued)
    }

    /// Returns the time of the next [`advance`](Self::advance) and [`notify`](Self::notify), the
    /// latter if the connection `reads`.
    pub(crate) fn due(&self, reads: bool) -> Option<Instant> {
        let link = self.link.as_ref()?;
        let outgoing = link.outgoing.next().filter(|_| !link.is_blocked);
        let incoming = link.incoming.next().filter(|_| reads && !link.is_notified);
        [outgoing, incoming].into_iter().flatten().min()
    }

    /// Sets whether small writes are sent immediately.
    pub(crate) fn set_no_delay(&mut self, no_delay: bool) {
        self.stream.set_no_delay(no_delay);
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn inner(&self) -> &S {
        &self.stream
    }

    /// Writes the bytes that have passed the link.
    ///
    /// # Errors
    ///
    /// As [`ByteStream::poll_write`]. The bytes on their way are dropped.
    pub(crate) fn advance(&mut self, now: Instant, cx: &mut Context<'_>) -> io::Result<()> {
        let Self { stream, link } = self;
        let Some(given) = link else { return Ok(()) };
        given.is_blocked = false;
        while let Some(bytes) = given.outgoing.arrived(now) {
            let error = match stream.poll_write(cx, bytes) {
                Poll::Ready(Ok(0)) => io::ErrorKind::WriteZero.into(),
                Poll::Ready(Ok(len)) => {
                    given.outgoing.consume(len);
                    continue;
                }
                Poll::Ready(Err(error)) => error,
                Poll::Pending => {
                    given.is_blocked = true;
                    return Ok(());
                }
            };
            given.outgoing.clear();
            return Err(error);
        }
        if given.shuts_down && given.outgoing.segments.is_empty() {
            given.shuts_down = false;
            stream.shutdown();
        }
        if given.is_idle() {
            *link = None;
        }
        Ok(())
    }
}

impl StreamLink {
    fn new(rng: &mut Rng) -> Self {
        let mut direction = || Direction {
            shaper: LinkShaper::new(Default::default(), rng.fork()),
            segments: VecDeque::new(),
            queued: 0,
        };
        Self {
            outgoing: direction(),
            incoming: direction(),
            end: None,
            shuts_down: false,
            is_blocked: false,
            is_notified: false,
            is_removed: false,
        }
    }

    /// Returns whether neither conditions nor bytes are left.
    fn is_idle(&self) -> bool {
        let is_empty = self.outgoing.segments.is_empty() && self.incoming.segments.is_empty();
        self.is_removed && is_empty && self.end.is_none() && !self.shuts_down
    }
}

impl Direction {
    /// Returns whether more bytes may be sent.
    fn accepts(&self, now: Instant) -> bool {
        self.queued < QUEUED_BYTES_MAX && self.shaper.backlog(now) < QUEUE_TIME_MAX
    }

    /// Sends bytes. They arrive in segments, each at its time.
    fn push(&mut self, now: Instant, bytes: &[u8]) {
        for segment in bytes.chunks(SEGMENT_BYTES) {
            let is_immediate = self.shaper.conditions().is_immediate();
            let at = self.shaper.carry_stream(now, segment.len());
            // The shaper gives each segment a later time than the one before, which would delay
            // those of a turn to the next one.
            let at = if is_immediate { now } else { at };
            self.queued += segment.len();
            self.segments.push_back((at, segment.to_vec().into()));
        }
    }

    fn next(&self) -> Option<Instant> {
        self.segments.front().map(|&(at, _)| at)
    }

    /// Returns the first bytes that have arrived, of one segment.
    fn arrived(&mut self, now: Instant) -> Option<&[u8]> {
        let (_, bytes) = self.segments.front().filter(|&&(at, _)| at <= now)?;
        Some(bytes.as_slices().0)
    }

    /// Removes the first bytes, at most those of one segment.
    fn consume(&mut self, len: usize) {
        let Some((_, bytes)) = self.segments.front_mut() else { return };
        let len = len.min(bytes.len());
        bytes.drain(..len);
        self.queued -= len;
        if bytes.is_empty() {
            self.segments.pop_front();
        }
    }

    fn clear(&mut self) {
        self.segments.clear();
        self.queued = 0;
    }

    /// Moves bytes that have arrived to `buf`. Returns their number.
    fn pop(&mut self, now: Instant, buf: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some(bytes) = self.arrived(now)
            && filled < buf.len()
        {
            let len = bytes.len().min(buf.len() - filled);
            buf[filled..filled + len].copy_from_slice(&bytes[..len]);
            filled += len;
            self.consume(len);
        }
        filled
    }
}

/// Maximum number of bytes on their way in one direction.
const QUEUED_BYTES_MAX: usize = 1 << 20;
/// Number of bytes that arrive together, as in a TCP segment.
const SEGMENT_BYTES: usize = 1_400;
