//! Observation of a host's datagrams.

use std::fmt;
use std::net::SocketAddr;

use crate::EnetConnection;
use crate::io::DatagramSocket;
use crate::proto::Transmit;

/// A datagram that a host receives or sends. It is not encrypted, and compressed as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TappedDatagram<'a> {
    /// Address of the remote host.
    pub remote: SocketAddr,
    /// `true` if the datagram is sent, `false` if it is received.
    pub is_sent: bool,
    /// Header and commands.
    pub bytes: &'a [u8],
}

/// The function that observes the datagrams of a host, if there is one.
#[derive(Default)]
pub(crate) struct Tap(Option<Observer>);

type Observer = Box<dyn FnMut(TappedDatagram<'_>) + Send>;

impl<S: DatagramSocket> EnetConnection<S> {
    /// Calls `observer` for each datagram that the host receives, before it is handled, and that it
    /// sends. With DTLS, datagrams are observed without encryption. Simulated link conditions apply
    /// before a datagram is received, and after it is sent.
    pub fn tap_datagrams(&mut self, observer: impl FnMut(TappedDatagram<'_>) + Send + 'static) {
        self.driver.tap = Tap(Some(Box::new(observer)));
    }
}

impl Tap {
    pub(crate) fn received(&mut self, remote: SocketAddr, bytes: &[u8]) {
        if let Some(observer) = &mut self.0 {
            observer(TappedDatagram { remote, is_sent: false, bytes });
        }
    }

    /// Observes the datagrams of a transmit, whose bytes are at the start of `buf`.
    pub(crate) fn sent(&mut self, transmit: &Transmit, buf: &[u8]) {
        let Some(observer) = &mut self.0 else { return };
        let segment = transmit.segment_size.unwrap_or(transmit.len).max(1);
        for bytes in buf[..transmit.len].chunks(segment) {
            observer(TappedDatagram { remote: transmit.to, is_sent: true, bytes });
        }
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tap").field(&self.0.is_some()).finish()
    }
}
