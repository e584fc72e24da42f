//! One other side: its handshake, then its keys.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time;

use dimpl::{Config, DtlsCertificate, Output};
use mp_core::Instant;
use mp_tls::TlsError;

use super::record;
use crate::limits::DTLS_OUTPUTS_MAX;

/// How far an association is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A client that has not shown yet that it receives what is sent to its address.
    Unproven,
    /// Keys are being agreed on.
    Agreeing,
    /// Both sides have keys.
    Secured,
}

/// What comes out of an association.
pub(super) enum Product<'a> {
    /// For the network.
    Datagram(&'a [u8]),
    /// For the host.
    Payload(&'a [u8]),
}

/// Why an association is over.
#[derive(Debug)]
pub(super) enum End {
    /// The other side said goodbye.
    Closed,
    /// The other side's certificate is not to be trusted.
    Untrusted(TlsError),
    /// Something in the handshake was wrong, or took too long.
    Failed(String),
}

/// The state of one address.
pub(super) struct Association {
    engine: dimpl::Dtls,
    pub(super) phase: Phase,
    /// The local address to which its handshake was sent, when it is known.
    pub(super) local: Option<IpAddr>,
    pub(super) opened: Instant,
    /// When something arrived that only the other side can have sent; before there are keys, when it was opened.
    pub(super) heard: Instant,
    /// Whether something with keys came from the other side: it has finished the handshake, too.
    is_confirmed: bool,
    is_verified: bool,
    /// When the engine wants to be asked again. It has a clock of its own, which begins at [`Clock::zero`].
    pub(super) due: Instant,
    /// What goes as soon as there are keys.
    pub(super) waiting: Option<Box<[u8]>>,
}

/// Turns the time of mp into the library's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// What [`Instant::ZERO`] is.
    pub(super) zero: time::Instant,
}

impl Clock {
    fn std(self, at: Instant) -> time::Instant {
        self.zero + (at - Instant::ZERO)
    }

    fn ours(self, at: time::Instant) -> Instant {
        Instant::ZERO + at.saturating_duration_since(self.zero)
    }
}

impl Association {
    pub(super) fn new(
        config: &Arc<Config>,
        certificate: DtlsCertificate,
        is_server: bool,
        local: Option<IpAddr>,
        clock: Clock,
        now: Instant,
    ) -> Self {
        let mut engine = dimpl::Dtls::new_12(Arc::clone(config), certificate, clock.std(now));
        engine.set_active(!is_server);
        Self {
            engine,
            phase: if is_server { Phase::Unproven } else { Phase::Agreeing },
            local,
            opened: now,
            heard: now,
            is_confirmed: false,
            is_verified: is_server,
            due: now,
            waiting: None,
        }
    }

    /// Takes a datagram of the other side, or of somebody who has its address.
    pub(super) fn receive(&mut self, clock: Clock, now: Instant, bytes: &[u8]) -> Result<(), End> {
        // What has no keys can be anybody's. It matters only until the other side has them, too: its last words may have to be
        // answered again.
        let is_agreed =
            self.phase == Phase::Secured && (self.is_confirmed || self.engine.is_active());
        if is_agreed && !record::is_protected(bytes) {
            return Ok(());
        }
        self.handle_timeout(clock, now)?;
        self.engine.handle_packet(bytes).map_err(failed)
    }

    /// Encrypts a payload; call [`drain`](Self::drain) at once.
    pub(super) fn send(&mut self, payload: &[u8]) -> Result<(), End> {
        self.engine.send_application_data(payload).map(drop).map_err(failed)
    }

    /// Says goodbye, if there is anybody to hear it.
    pub(super) fn close(&mut self) -> Result<(), End> {
        self.engine.close().map_err(failed)
    }

    pub(super) fn handle_timeout(&mut self, clock: Clock, now: Instant) -> Result<(), End> {
        self.engine.handle_timeout(clock.std(now)).map_err(failed)
    }

    /// Gives away all that is ready, until there is nothing left.
    pub(super) fn drain(
        &mut self,
        clock: Clock,
        now: Instant,
        scratch: &mut [u8],
        verify: &dyn Fn(&[u8]) -> Result<(), TlsError>,
        give: &mut dyn FnMut(Product<'_>),
    ) -> Result<(), End> {
        for _ in 0..DTLS_OUTPUTS_MAX {
            match self.engine.poll_output(scratch) {
                Output::Packet(datagram) => {
                    if self.phase == Phase::Unproven && record::is_server_hello(datagram) {
                        self.phase = Phase::Agreeing;
                    }
                    give(Product::Datagram(datagram));
                }
                Output::ApplicationData(payload) => {
                    (self.heard, self.is_confirmed) = (now, true);
                    give(Product::Payload(payload));
                }
                Output::PeerCert(certificate) => {
                    verify(certificate).map_err(End::Untrusted)?;
                    self.is_verified = true;
                }
                Output::Connected if !self.is_verified => {
                    return Err(End::Failed("the server showed no certificate".to_owned()));
                }
                Output::Connected => (self.phase, self.heard) = (Phase::Secured, now),
                Output::CloseNotify => return Err(End::Closed),
                Output::Timeout(at) => {
                    self.due = clock.ours(at);
                    return Ok(());
                }
                // A certificate that no datagram of a sane server brings.
                Output::BufferTooSmall { needed } => {
                    return Err(End::Failed(format!("{needed} bytes in one piece")));
                }
                _ => {}
            }
        }
        Err(End::Failed("the library has no end of output".to_owned()))
    }
}

impl fmt::Debug for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Association").field("phase", &self.phase).finish_non_exhaustive()
    }
}

fn failed(error: dimpl::Error) -> End {
    End::Failed(error.to_string())
}
