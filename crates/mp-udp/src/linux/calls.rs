//! Receiving and sending many datagrams per system call: `recvmmsg`, `sendmmsg`, and segmentation
//! offload (GSO).
//!
//! The crate `nix` has safe functions for these. `rustix` lacks `recvmmsg` and GSO, `quinn-udp`
//! lacks `sendmmsg`.

use std::array;
use std::cell::Cell;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use mp_core::Instant;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg,
};

use super::local::{self, Source};
use crate::failure::may_be_segmentation;
use crate::{DATAGRAM_BUFFER_BYTES, NetworkPath, SendBatch};

/// The options and the state of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SocketState {
    is_ipv6: bool,
    /// `true` if the kernel reports the local address of received datagrams.
    reports_local: bool,
    /// Time of the next check whether the host has several addresses. `None`: no more checks.
    next_check: Option<Instant>,
    segmentation: Segmentation,
}

impl SocketState {
    /// Returns the initial state of a socket bound to `address`.
    pub(crate) const fn of(address: SocketAddr) -> Self {
        let is_bound_to_all = match address {
            SocketAddr::V4(address) => address.ip().is_unspecified(),
            SocketAddr::V6(address) => address.ip().is_unspecified(),
        };
        Self {
            is_ipv6: address.is_ipv6(),
            reports_local: false,
            next_check: if is_bound_to_all { Some(Instant::ZERO) } else { None },
            segmentation: Segmentation::ALLOWED,
        }
    }

    /// Enables reports of local addresses on `socket` if the host has several addresses. Checks at
    /// most every 30 s.
    pub(crate) fn check_local(&mut self, socket: &impl AsFd, now: Instant) {
        if self.next_check.is_some_and(|at| now >= at) {
            self.next_check = Some(now + LOCAL_CHECK_INTERVAL);
            if local::are_several(self.is_ipv6) {
                self.request_local(socket);
            }
        }
    }

    /// Enables reports of local addresses on `socket`.
    pub(crate) fn request_local(&mut self, socket: &impl AsFd) {
        self.next_check = None;
        self.reports_local = local::ask(socket, self.is_ipv6);
    }

    /// Returns the kind of the control messages that are received, see [`local::space`].
    const fn received_kind(self) -> usize {
        match (self.reports_local, self.is_ipv6) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        }
    }
}

/// State of segmentation offload (GSO), by which the kernel divides buffers into datagrams. A
/// failure disables it for a number of datagrams, because the route may change. The number doubles
/// with each failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segmentation {
    /// Number of datagrams to send singly before GSO is tried again.
    stopped_for: u32,
    next_stop: u32,
}

impl Segmentation {
    const ALLOWED: Self = Self { stopped_for: 0, next_stop: STOP_MIN };

    const fn is_allowed(self) -> bool {
        self.stopped_for == 0
    }

    const fn failed(&mut self) {
        self.stopped_for = self.next_stop;
        self.next_stop = if self.next_stop < STOP_MAX { self.next_stop * 2 } else { STOP_MAX };
    }

    const fn sent_one(&mut self) {
        self.stopped_for = self.stopped_for.saturating_sub(1);
    }
}

/// Receives up to `most` datagrams. Returns whether the socket is drained.
pub(crate) fn receive(
    socket: &impl AsRawFd,
    state: SocketState,
    most: usize,
    take: &mut dyn FnMut(NetworkPath, &[u8]),
) -> io::Result<bool> {
    let mut scratch = Scratch::take();
    let mut left = most;
    let drained = loop {
        if left == 0 {
            break Ok(false);
        }
        let wanted = left.min(BATCH);
        match scratch.receive(socket, state, wanted, take) {
            Ok(count) if count < wanted => break Ok(true),
            Ok(count) => left -= count,
            Err(Errno::EAGAIN) => break Ok(true),
            Err(errno) => break Err(errno.into()),
        }
    };
    scratch.put_back();
    drained
}

/// Sends `batch`. An error applies to its oldest datagram.
pub(crate) fn send(
    socket: &impl AsRawFd,
    batch: &mut SendBatch,
    state: &mut SocketState,
) -> io::Result<()> {
    let mut scratch = Scratch::take();
    let mut sent = Ok(());
    while !batch.is_empty() && sent.is_ok() {
        sent = scratch.send(socket, state, batch);
    }
    scratch.put_back();
    sent.map_err(io::Error::from)
}

/// Buffers of the system calls. A thread has one, which all its sockets share.
struct Scratch {
    /// Headers by address family and kind of control messages. A header keeps the lengths that the
    /// last call wrote to it, so different kinds cannot share it.
    received: [[Headers; Source::KINDS]; 2],
    /// Headers by kind of control messages.
    sent: [Headers; Source::KINDS],
    /// As `sent`, for segmented datagrams.
    segmented: [Headers; Source::KINDS],
    slab: Box<[u8]>,
}

type Headers = MultiHeaders<SockaddrStorage>;

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

impl Scratch {
    fn take() -> Box<Self> {
        SCRATCH.take().unwrap_or_else(|| {
            let plain = |kind| MultiHeaders::preallocate(BATCH, local::space(kind));
            let segmented =
                |kind| MultiHeaders::preallocate(BATCH, Some(local::space_with_segments(kind)));
            Box::new(Self {
                received: array::from_fn(|_| array::from_fn(plain)),
                sent: array::from_fn(plain),
                segmented: array::from_fn(segmented),
                slab: vec![0; BATCH * DATAGRAM_BUFFER_BYTES].into(),
            })
        })
    }

    fn put_back(self: Box<Self>) {
        SCRATCH.set(Some(self));
    }

    /// Receives up to `most` datagrams, at most [`BATCH`], with one call. Returns their number.
    fn receive(
        &mut self,
        socket: &impl AsRawFd,
        state: SocketState,
        most: usize,
        take: &mut dyn FnMut(NetworkPath, &[u8]),
    ) -> nix::Result<usize> {
        let mut rooms = self.slab.chunks_exact_mut(DATAGRAM_BUFFER_BYTES);
        let mut rooms: [_; BATCH] =
            array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
        let (rooms, flags) = (rooms.iter_mut().take(most), MsgFlags::MSG_DONTWAIT);
        let headers = &mut self.received[usize::from(state.is_ipv6)][state.received_kind()];
        let received = recvmmsg(socket.as_raw_fd(), headers, rooms, flags, None)?;
        let mut count = 0;
        for message in received {
            count += 1;
            // An empty datagram has no bytes to iterate over.
            let datagram = message.iovs().next().unwrap_or_default();
            if let Some(remote) = message.address.as_ref().and_then(to_std) {
                let local = if state.reports_local { local::of(&message) } else { None };
                take(NetworkPath { remote, local }, datagram);
            }
        }
        Ok(count)
    }

    /// Sends the oldest transmits of `batch` with one call: those that have the same segment length
    /// and the same local address, at most [`BATCH`].
    fn send(
        &mut self,
        socket: &impl AsRawFd,
        state: &mut SocketState,
        batch: &mut SendBatch,
    ) -> nix::Result<()> {
        let mut addresses: [Option<SockaddrStorage>; BATCH] = [None; BATCH];
        let mut slices: [[IoSlice<'_>; 1]; BATCH] = array::from_fn(|_| [IoSlice::new(&[])]);
        let mut first = None;
        let mut count = 0;
        for (path, bytes, segment) in batch.transmits().take(BATCH) {
            let kind = ((segment < bytes.len()).then_some(segment), path.local);
            if *first.get_or_insert(kind) != kind {
                break;
            }
            addresses[count] = Some(path.remote.into());
            slices[count] = [IoSlice::new(bytes)];
            count += 1;
        }
        let Some((segment, local)) = first else { return Ok(()) };
        let segment = segment.and_then(|segment| u16::try_from(segment).ok());
        let source = Source::new(state.is_ipv6, local);
        let call = Call { fd: socket.as_raw_fd(), addresses: &addresses, source: &source };
        let slices = &slices[..count];
        let sent = match segment {
            None => call.send(&mut self.sent, slices, None).map(|sent| batch.pop_transmits(sent)),
            Some(segment) if state.segmentation.is_allowed() => {
                match call.send(&mut self.segmented, slices, Some(&segment)) {
                    Ok(sent) => {
                        state.segmentation = Segmentation::ALLOWED;
                        batch.pop_transmits(sent);
                        Ok(())
                    }
                    Err(errno) if !may_be_segmentation(errno) => Err(errno),
                    Err(errno) => {
                        // If the datagram cannot be sent singly either, GSO is not the reason.
                        let alone = [[IoSlice::new(&slices[0][0][..segment.into()])]];
                        let sent = call.send(&mut self.sent, &alone, None);
                        sent.map(|_| {
                            batch.pop_front();
                            state.segmentation.failed();
                            let datagrams = state.segmentation.stopped_for;
                            tracing::debug!(%errno, datagrams, "segmentation offload failed, stopped");
                        })
                    }
                }
            }
            Some(segment) => {
                let alone = [[IoSlice::new(&slices[0][0][..segment.into()])]];
                call.send(&mut self.sent, &alone, None).map(|_| {
                    batch.pop_front();
                    state.segmentation.sent_one();
                })
            }
        };
        match sent {
            Err(errno) if source.may_be_missing(errno) => {
                tracing::debug!(%errno, ?local, "cannot send from this address");
                batch.forget_local();
                Ok(())
            }
            sent => sent,
        }
    }
}

/// The arguments that all sending system calls share.
struct Call<'a> {
    fd: RawFd,
    addresses: &'a [Option<SockaddrStorage>],
    source: &'a Source,
}

impl Call<'_> {
    /// Sends `slices`, each divided into datagrams of `segment` bytes if that is given. Returns the
    /// number of slices sent.
    fn send(
        &self,
        headers: &mut [Headers; Source::KINDS],
        slices: &[[IoSlice<'_>; 1]],
        segment: Option<&u16>,
    ) -> nix::Result<usize> {
        let segments = segment.map(ControlMessage::UdpGsoSegments);
        let (headers, flags) = (&mut headers[self.source.kind()], MsgFlags::MSG_DONTWAIT);
        let sent = match (segments, self.source.message()) {
            (None, None) => sendmmsg(self.fd, headers, slices, self.addresses, [], flags),
            (Some(one), None) | (None, Some(one)) => {
                sendmmsg(self.fd, headers, slices, self.addresses, [one], flags)
            }
            (Some(segments), Some(source)) => {
                sendmmsg(self.fd, headers, slices, self.addresses, [segments, source], flags)
            }
        };
        sent.map(Iterator::count)
    }
}

pub(crate) fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddr::V4((*address).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::V6((*address).into())))
}

/// Maximum number of datagrams or transmits per system call. More do not reduce the CPU time per
/// datagram measurably.
const BATCH: usize = 32;
/// Interval of the check whether the host has several addresses. Listing hundreds of interfaces
/// takes a millisecond.
const LOCAL_CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// Minimum and maximum number of datagrams for which GSO is disabled after a failure.
const STOP_MIN: u32 = 256;
const STOP_MAX: u32 = 1 << 16;

#[cfg(test)]
mod tests;
