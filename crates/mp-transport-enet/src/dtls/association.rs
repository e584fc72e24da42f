//! A DTLS association with one address: its handshake, then its keys.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time;

use dimpl::{Config, DtlsCertificate, Output};
use mp_core::Instant;
use mp_tls::TlsError;

use super::record;
use crate::limits::DTLS_OUTPUTS_MAX;

/// The phase of an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The server has not validated the client's address.
    Unvalidated,
    /// The handshake is in progress.
    Handshaking,
    /// Both peers have keys.
    Established,
}

/// An output of an association.
pub(super) enum EngineOutput<'a> {
    /// A datagram to send.
    Datagram(&'a [u8]),
    /// A decrypted payload for the host.
    Payload(&'a [u8]),
}

/// The reason why an association ended.
#[derive(Debug)]
pub(super) enum End {
    /// The remote peer closed it.
    Closed,
    /// The certificate of the remote peer is not trusted.
    Untrusted(TlsError),
    /// The handshake failed.
    Failed(HandshakeError),
    /// The remote peer did not reply in time.
    TimedOut,
}

/// The reason why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error("DTLS rejected a record")]
    Rejected(#[source] dimpl::Error),
    #[error("the server sent no certificate")]
    NoCertificate,
    /// A certificate that is larger than any handshake message should be.
    #[error("an output of {needed} bytes exceeds the buffer")]
    OutputTooLarge { needed: usize },
    #[error("the DTLS library has more than {DTLS_OUTPUTS_MAX} outputs")]
    TooManyOutputs,
}

/// A DTLS association with one address.
pub(super) struct Association {
    engine: dimpl::Dtls,
    pub(super) phase: Phase,
    /// Local address that received the handshake, if known.
    pub(super) local: Option<IpAddr>,
    pub(super) opened: Instant,
    /// Time of the last authenticated datagram from the remote peer; before there are keys, of
    /// creation.
    pub(super) last_received: Instant,
    /// `true` if a protected record was received: the remote peer has completed the handshake, too.
    is_confirmed: bool,
    is_verified: bool,
    /// Time at which the engine must be called again. The engine has its own clock, which starts at
    /// [`Clock::zero`].
    pub(super) due: Instant,
    /// A datagram to send as soon as there are keys.
    pub(super) waiting: Option<Box<[u8]>>,
}

/// Conversion between mp's time and that of the library.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// The library's time of [`Instant::ZERO`].
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
            phase: if is_server { Phase::Unvalidated } else { Phase::Handshaking },
            local,
            opened: now,
            last_received: now,
            is_confirmed: false,
            is_verified: is_server,
            due: now,
            waiting: None,
        }
    }

    /// Handles a datagram from the address, which may be forged.
    pub(super) fn receive(&mut self, clock: Clock, now: Instant, bytes: &[u8]) -> Result<(), End> {
        // Records without protection may be forged. They are only needed until the remote peer has
        // completed the handshake, because its last flight may be retransmitted.
        let is_established =
            self.phase == Phase::Established && (self.is_confirmed || self.engine.is_active());
        if is_established && !record::is_protected(bytes) {
            return Ok(());
        }
        self.handle_timeout(clock, now)?;
        self.engine.handle_packet(bytes).map_err(failed)
    }

    /// Encrypts a payload. [`drain`](Self::drain) must be called next.
    pub(super) fn send(&mut self, payload: &[u8]) -> Result<(), End> {
        self.engine.send_application_data(payload).map(drop).map_err(failed)
    }

    /// Sends close_notify if there are keys.
    pub(super) fn close(&mut self) -> Result<(), End> {
        self.engine.close().map_err(failed)
    }

    pub(super) fn handle_timeout(&mut self, clock: Clock, now: Instant) -> Result<(), End> {
        self.engine.handle_timeout(clock.std(now)).map_err(failed)
    }

    /// Passes all outputs of the engine to `give`.
    pub(super) fn drain(
        &mut self,
        clock: Clock,
        now: Instant,
        scratch: &mut [u8],
        verify: &dyn Fn(&[u8]) -> Result<(), TlsError>,
        give: &mut dyn FnMut(EngineOutput<'_>),
    ) -> Result<(), End> {
        for _ in 0..DTLS_OUTPUTS_MAX {
            match self.engine.poll_output(scratch) {
                Output::Packet(datagram) => {
                    if self.phase == Phase::Unvalidated && record::is_server_hello(datagram) {
                        self.phase = Phase::Handshaking;
                    }
                    give(EngineOutput::Datagram(datagram));
                }
                Output::ApplicationData(payload) => {
                    (self.last_received, self.is_confirmed) = (now, true);
                    give(EngineOutput::Payload(payload));
                }
                Output::PeerCert(certificate) => {
                    verify(certificate).map_err(End::Untrusted)?;
                    self.is_verified = true;
                }
                Output::Connected if !self.is_verified => {
                    return Err(End::Failed(HandshakeError::NoCertificate));
                }
                Output::Connected => (self.phase, self.last_received) = (Phase::Established, now),
                Output::CloseNotify => return Err(End::Closed),
                Output::Timeout(at) => {
                    self.due = clock.ours(at);
                    return Ok(());
                }
                Output::BufferTooSmall { needed } => {
                    return Err(End::Failed(HandshakeError::OutputTooLarge { needed }));
                }
                _ => {}
            }
        }
        Err(End::Failed(HandshakeError::TooManyOutputs))
    }
}

impl fmt::Debug for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Association").field("phase", &self.phase).finish_non_exhaustive()
    }
}

fn failed(error: dimpl::Error) -> End {
    match error {
        dimpl::Error::Timeout(_) => End::TimedOut,
        error => End::Failed(HandshakeError::Rejected(error)),
    }
}
