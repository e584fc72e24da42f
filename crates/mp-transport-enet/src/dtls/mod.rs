//! DTLS 1.2 between a host and its socket, as in Godot: each ENet datagram is the payload of one
//! record (`ENetConnection.dtls_server_setup`, `dtls_client_setup`). The crate dimpl implements
//! handshakes and records.
//!
//! [`Dtls`] has no I/O; [`io::DtlsSocket`](crate::io::DtlsSocket) combines it with a socket. There
//! is one association per address. A server creates one for a ClientHello and replies with a
//! cookie. Until the client returns the cookie, the server sends nothing longer than the
//! ClientHello and does not compute keys. Associations without keys are limited in number and in
//! time, and separate from those with keys: a ClientHello from a forged address does not affect an
//! association with keys before the new handshake is complete.

mod association;
mod record;
mod refusal;
mod setup;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time;

use dimpl::Config;
use mp_core::{ErrorChain, Instant, ReasonCounts, RunningClock};
use mp_tls::rustls::pki_types::UnixTime;
use mp_tls::{CertificateStore, TlsError};

use self::association::{Association, Clock, End, EngineOutput, Phase};
pub use self::record::RECORD_OVERHEAD;
pub use self::refusal::DtlsRefusal;
use self::setup::Role;
pub(crate) use self::setup::check_mtu;
pub use self::setup::{DtlsClientOptions, DtlsError, MTU_WITH_DTLS_MAX, check_certificate};
use crate::limits::{
    DTLS_HANDSHAKE_TIMEOUT, DTLS_OPENING_MAX, DTLS_OPENING_PER_ADDRESS_MAX, DTLS_REPLACEABLE_AFTER,
    DTLS_SILENCE_MAX, DTLS_TICK,
};
use crate::proto::NetworkPath;

/// The DTLS associations of a host.
#[derive(Debug)]
pub struct Dtls {
    role: Role,
    config: Arc<Config>,
    clock: Clock,
    /// Excludes time in which the process did not run from the timeouts.
    running: RunningClock,
    /// Maximum number of associations with keys.
    secured_max: usize,
    secured: BTreeMap<SocketAddr, Association>,
    /// Associations whose handshake is not complete.
    opening: BTreeMap<SocketAddr, Association>,
    /// Time at which timeouts are checked next.
    due: Instant,
    untrusted: Option<TlsError>,
    scratch: Box<[u8]>,
    stats: DtlsStats,
}

/// Statistics of a host's DTLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DtlsStats {
    /// Handshakes completed.
    pub secured: u64,
    /// Datagrams ignored and handshakes ended, by reason.
    pub refusals: ReasonCounts<DtlsRefusal>,
    /// Handshakes dropped at the limit, in favor of a newer one.
    pub replaced: u64,
    /// Datagrams of an association without a payload for the host: handshakes, and forged or
    /// repeated datagrams.
    pub without_payload: u64,
    /// Datagrams of the host that were dropped because there were no keys for their destination.
    pub unsent: u64,
    /// Associations that ended: closed by the remote peer, or timed out.
    pub ended: u64,
    /// Calls that were more than a second late. That time does not count against associations.
    pub stalls: u64,
}

/// A function that accepts a datagram to send, or a payload for the host.
pub type Give<'a> = &'a mut dyn FnMut(NetworkPath, &[u8]);

impl Dtls {
    /// Returns the DTLS of a server for up to `clients` clients. `zero` is the library's time of
    /// [`Instant::ZERO`].
    ///
    /// # Errors
    ///
    /// The certificate or its key cannot be used. It must be a single certificate with an ECDSA key
    /// on P-256 or P-384.
    pub fn server(
        certificate: CertificateStore,
        clients: u16,
        zero: time::Instant,
    ) -> Result<Self, DtlsError> {
        Self::new(Role::server(certificate)?, clients, zero)
    }

    /// Returns the DTLS of a client, which verifies certificates as of time `at`.
    ///
    /// # Errors
    ///
    /// The name is invalid, or no certificate is trusted.
    pub fn client(
        options: DtlsClientOptions,
        peers: u16,
        zero: time::Instant,
        at: UnixTime,
    ) -> Result<Self, DtlsError> {
        Self::new(Role::client(options, at)?, peers, zero)
    }

    fn new(role: Role, peers: u16, zero: time::Instant) -> Result<Self, DtlsError> {
        Ok(Self {
            config: role.config()?,
            role,
            clock: Clock { zero },
            running: RunningClock::default(),
            // Clients that leave without close_notify occupy an association, and clients that are
            // rejected need one to receive the rejection.
            secured_max: usize::from(peers) * 2 + SPARE,
            secured: BTreeMap::new(),
            opening: BTreeMap::new(),
            due: Instant::ZERO,
            untrusted: None,
            scratch: vec![0; SCRATCH_BYTES].into(),
            stats: DtlsStats::default(),
        })
    }

    /// Returns the statistics.
    pub const fn stats(&self) -> DtlsStats {
        DtlsStats { stalls: self.running.stalls(), ..self.stats }
    }

    /// Returns the number of associations with keys and of those without.
    pub fn associations(&self) -> (usize, usize) {
        (self.secured.len(), self.opening.len())
    }

    /// Returns why the last server with an untrusted certificate is not trusted.
    pub const fn untrusted(&self) -> Option<&TlsError> {
        self.untrusted.as_ref()
    }

    /// Handles a datagram that was received on `path`. `send` gets the datagrams of the handshake,
    /// and `take` the payload for the host. All datagrams of an association are sent from the local
    /// address that received its handshake.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        path: impl Into<NetworkPath>,
        bytes: &[u8],
        send: Give<'_>,
        take: Give<'_>,
    ) {
        let now = self.advance(now);
        let NetworkPath { remote: from, local } = path.into();
        let is_protected = record::is_protected(bytes);
        let is_hello = record::is_client_hello(bytes) && self.role.is_server();
        // A record without protection belongs to the handshake in progress, if there is one. A late
        // ClientHello does not.
        let is_handshaking = |it: &Association| it.phase == Phase::Handshaking;
        let is_opening =
            is_hello || !is_protected && self.opening.get(&from).is_some_and(is_handshaking);
        let secured = if is_opening { None } else { self.secured.remove(&from) };
        let known = secured.or_else(|| self.opening.remove(&from));
        let mut association = match known {
            Some(association) => association,
            None if !is_hello => {
                self.stats.refusals.count(DtlsRefusal::NoAssociation);
                return;
            }
            None if !self.make_room(now, from) => return,
            None => self.open(now, local),
        };
        let received = association.receive(self.clock, now, bytes);
        if !self.process_outputs(now, from, association, received, send, take) {
            self.stats.without_payload += 1;
        }
    }

    /// Encrypts a datagram of the host and passes the result to `send`. If a client has no keys
    /// yet, it starts a handshake. The first datagram is sent when that is complete; others are
    /// dropped, and ENet retransmits reliable commands.
    pub fn encrypt(&mut self, now: Instant, to: SocketAddr, payload: &[u8], send: Give<'_>) {
        let now = self.advance(now);
        if let Some(mut association) = self.secured.remove(&to) {
            let sent = association.send(payload);
            self.process_outputs(now, to, association, sent, send, &mut |_, _| ());
            return;
        }
        if let Some(association) = self.opening.get_mut(&to)
            && association.waiting.is_none()
            && !self.role.is_server()
        {
            association.waiting = Some(payload.into());
            return;
        }
        if self.role.is_server() || self.opening.contains_key(&to) || !self.make_room(now, to) {
            self.stats.unsent += 1;
            return;
        }
        let mut association = self.open(now, None);
        association.waiting = Some(payload.into());
        let begun = association.handle_timeout(self.clock, now);
        self.process_outputs(now, to, association, begun, send, &mut |_, _| ());
    }

    /// Retransmits handshakes, and removes associations that have timed out.
    pub fn handle_timeout(&mut self, now: Instant, send: Give<'_>) {
        let now = self.advance(now);
        if now < self.due {
            return;
        }
        self.due = now + DTLS_SILENCE_MAX;
        let due: Vec<_> =
            self.opening.iter().filter(|(_, it)| it.due <= now).map(|(at, _)| *at).collect();
        for address in due {
            let Some(mut association) = self.opening.remove(&address) else { continue };
            let result = association.handle_timeout(self.clock, now);
            self.process_outputs(now, address, association, result, send, &mut |_, _| ());
        }
        let timeout = DTLS_HANDSHAKE_TIMEOUT;
        let before = self.opening.len();
        self.opening.retain(|_, it| now.saturating_since(it.opened) < timeout);
        let timed_out = (before - self.opening.len()) as u64;
        self.stats.refusals.add(DtlsRefusal::HandshakeTimeout, timed_out);
        let before = self.secured.len();
        self.secured.retain(|_, it| now.saturating_since(it.last_received) < DTLS_SILENCE_MAX);
        self.stats.ended += (before - self.secured.len()) as u64;

        let opening = self.opening.values().map(|it| it.due.min(it.opened + timeout));
        let secured = self.secured.values().map(|it| it.last_received + DTLS_SILENCE_MAX);
        if let Some(next) = opening.chain(secured).min() {
            // Check many associations at once.
            self.due = next.max(now + DTLS_TICK);
        }
    }

    /// Returns the time at which [`handle_timeout`](Self::handle_timeout) is due, at most a second
    /// after the last call. `None` without associations.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_turn().map(|at| self.running.to_program(at))
    }

    /// Returns [`poll_timeout`](Self::poll_timeout) by the running clock. At most a second passes
    /// between calls, so that a late call is detected.
    fn next_turn(&self) -> Option<Instant> {
        let has_any = !self.secured.is_empty() || !self.opening.is_empty();
        has_any.then(|| self.due.min(self.running.now() + RunningClock::STALL_MIN))
    }

    /// Advances the running clock. Returns its time.
    fn advance(&mut self, now: Instant) -> Instant {
        let mut running = self.running;
        let now = running.advance(now, || self.next_turn());
        self.running = running;
        now
    }

    /// Closes all associations.
    pub fn close(&mut self, now: Instant, send: Give<'_>) {
        let now = self.advance(now);
        self.opening.clear();
        while let Some((address, mut association)) = self.secured.pop_first() {
            let closed = association.close();
            // The association is dropped, whether or not this succeeds.
            let path = NetworkPath { remote: address, local: association.local };
            let mut give = |product: EngineOutput<'_>| {
                if let EngineOutput::Datagram(bytes) = product {
                    send(path, bytes);
                }
            };
            let _ = closed.and_then(|()| {
                association.drain(self.clock, now, &mut self.scratch, &|_| Ok(()), &mut give)
            });
        }
    }

    /// Returns a new association, which sends from `local`.
    fn open(&mut self, now: Instant, local: Option<IpAddr>) -> Association {
        let (certificate, is_server) = (self.role.certificate(), self.role.is_server());
        Association::new(&self.config, certificate, is_server, local, self.clock, now)
    }

    /// Processes the outputs of an association, and stores it according to its phase. Returns
    /// whether there was a payload for the host.
    fn process_outputs(
        &mut self,
        now: Instant,
        address: SocketAddr,
        mut association: Association,
        mut result: Result<(), End>,
        send: Give<'_>,
        take: Give<'_>,
    ) -> bool {
        let (was_secured, mut carried) = (association.phase == Phase::Established, false);
        let path = NetworkPath { remote: address, local: association.local };
        let mut give = |product: EngineOutput<'_>| match product {
            EngineOutput::Datagram(bytes) => send(path, bytes),
            EngineOutput::Payload(bytes) => {
                carried = true;
                take(path, bytes);
            }
        };
        let role = &self.role;
        let verify = |certificate: &[u8]| role.verify(certificate);
        let mut drain = |association: &mut Association| {
            association.drain(self.clock, now, &mut self.scratch, &verify, &mut give)
        };
        if result.is_ok() {
            result = drain(&mut association);
        }
        if result.is_ok()
            && association.phase == Phase::Established
            && let Some(waiting) = association.waiting.take()
        {
            result = association.send(&waiting).and_then(|()| drain(&mut association));
        }
        match result {
            Err(end) => self.end(address, was_secured, end),
            Ok(()) if association.phase != Phase::Established => {
                self.due = self.due.min(association.due.max(now));
                self.opening.insert(address, association);
            }
            Ok(()) => {
                if !was_secured {
                    self.stats.secured += 1;
                    self.due = self.due.min(now + DTLS_SILENCE_MAX);
                    tracing::debug!(%address, "DTLS handshake completed");
                }
                self.secured.insert(address, association);
            }
        }
        carried
    }

    fn end(&mut self, address: SocketAddr, was_secured: bool, end: End) {
        match end {
            _ if was_secured => self.stats.ended += 1,
            End::Untrusted(error) => {
                tracing::warn!(%address, error = %ErrorChain::new(&error), "DTLS rejected the certificate of the server");
                self.stats.refusals.count(DtlsRefusal::UntrustedCertificate);
                self.untrusted = Some(error);
            }
            End::Failed(error) => {
                let error = ErrorChain::new(&error);
                tracing::debug!(%address, %error, "DTLS handshake failed");
                self.stats.refusals.count(DtlsRefusal::HandshakeFailed);
            }
            End::TimedOut => self.stats.refusals.count(DtlsRefusal::HandshakeTimeout),
            End::Closed => self.stats.refusals.count(DtlsRefusal::HandshakeFailed),
        }
    }

    /// Makes capacity for one more handshake. Returns false, and counts it, if that is not
    /// possible.
    fn make_room(&mut self, now: Instant, address: SocketAddr) -> bool {
        if self.secured.len() >= self.secured_max && !self.secured.contains_key(&address) {
            let silent = self
                .secured
                .iter()
                .min_by_key(|(_, it)| it.last_received)
                .map(|(at, it)| (*at, it.last_received));
            match silent {
                Some((at, last_received))
                    if now.saturating_since(last_received) >= DTLS_REPLACEABLE_AFTER =>
                {
                    self.secured.remove(&at);
                    self.stats.ended += 1;
                }
                _ => {
                    self.stats.refusals.count(DtlsRefusal::AssociationsFull);
                    return false;
                }
            }
        }
        let of_address = SocketAddr::new(address.ip(), 0)..=SocketAddr::new(address.ip(), u16::MAX);
        let oldest =
            if self.opening.range(of_address.clone()).count() >= DTLS_OPENING_PER_ADDRESS_MAX {
                oldest_unvalidated(self.opening.range(of_address))
            } else if self.opening.len() >= DTLS_OPENING_MAX {
                oldest_unvalidated(self.opening.iter())
            } else {
                return true;
            };
        match oldest {
            Some(oldest) => {
                self.opening.remove(&oldest);
                self.stats.replaced += 1;
                true
            }
            None => {
                self.stats.refusals.count(DtlsRefusal::HandshakesFull);
                false
            }
        }
    }
}

fn oldest_unvalidated<'a>(
    opening: impl Iterator<Item = (&'a SocketAddr, &'a Association)>,
) -> Option<SocketAddr> {
    let unvalidated = opening.filter(|(_, it)| it.phase == Phase::Unvalidated);
    unvalidated.min_by_key(|(_, it)| it.opened).map(|(address, _)| *address)
}

/// Associations with keys beyond twice the number of peers.
const SPARE: usize = 64;
/// Maximum length of an output of an association: a datagram or a certificate.
const SCRATCH_BYTES: usize = 16_384;
