//! [`RawPeer`]: a client that sends any SCTP packets over real ICE and DTLS.

use std::collections::VecDeque;
use std::sync::Arc;

use mp_core::Instant;
use str0m::IceCreds;
use str0m::crypto::dtls::{DtlsCert, DtlsInstance, DtlsOutput, DtlsVersion};
use str0m::crypto::{CryptoProvider, Fingerprint};
use str0m::ice::{StunMessage, TransId};

use super::sctp::{self, Chunk, ChunkKind};
use crate::clock::Clock;
use crate::routes::Protocol;

/// A client without limits of its own, for tests of servers: it completes ICE and DTLS, and SCTP if
/// it is asked to. No I/O.
#[derive(Debug)]
pub struct RawPeer {
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
    dtls: Box<dyn DtlsInstance>,
    clock: Clock,
    local: IceCreds,
    remote: Option<IceCreds>,
    datagrams: VecDeque<Vec<u8>>,
    /// Chunks received from the server.
    chunks: Vec<Chunk>,
    is_started: bool,
    is_secured: bool,
    /// Verification tag of the server's SCTP association.
    tag: u32,
    /// Number of the next DATA chunk.
    tsn: u32,
}

impl RawPeer {
    /// Returns a client with a certificate of its own.
    pub fn new(now: Instant) -> Self {
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let clock = Clock::new();
        let certificate = crypto.dtls_provider.generate_certificate().expect("a certificate");
        let dtls = crypto.dtls_provider;
        let mut dtls = dtls
            .new_dtls(&certificate, clock.to_std(now), DtlsVersion::Dtls12, None)
            .expect("a DTLS client");
        dtls.set_active(true);
        Self {
            crypto,
            certificate,
            dtls,
            clock,
            local: IceCreds::new(),
            remote: None,
            datagrams: VecDeque::new(),
            chunks: Vec::new(),
            is_started: false,
            is_secured: false,
            tag: 0,
            tsn: 1,
        }
    }

    /// Makes this client the DTLS server. Call it before [`offer`](Self::offer).
    pub fn set_passive(&mut self, now: Instant) {
        self.dtls.set_active(false);
        self.handle_timeout(now);
    }

    /// Returns the offer, without candidates.
    pub fn offer(&self) -> String {
        let bytes = self.crypto.sha256_provider.sha256(&self.certificate.certificate).to_vec();
        let fingerprint = Fingerprint { hash_func: "sha-256".to_owned(), bytes };
        let IceCreds { ufrag, pass } = &self.local;
        let setup = if self.dtls.is_active() { "active" } else { "passive" };
        format!(
            "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
             m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
             a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pass}\r\na=ice-options:trickle\r\n\
             a=fingerprint:{fingerprint}\r\na=setup:{setup}\r\na=mid:0\r\n\
             a=sctp-port:5000\r\na=max-message-size:262144\r\n"
        )
    }

    /// Applies the server's answer.
    pub fn set_answer(&mut self, sdp: &str) {
        let field = |name| sdp.lines().find_map(|line| line.strip_prefix(name));
        let ufrag = field("a=ice-ufrag:").expect("a user name").to_owned();
        let pass = field("a=ice-pwd:").expect("a password").to_owned();
        self.remote = Some(IceCreds { ufrag, pass });
    }

    /// Sends a connectivity check that nominates its address.
    pub fn check(&mut self) {
        let Some(remote) = &self.remote else { return };
        let user_name = format!("{}:{}", remote.ufrag, self.local.ufrag);
        let (id, priority) = (TransId::new(), 2_113_937_151);
        let request = StunMessage::binding_request(&user_name, id, true, 7, priority, true);
        self.send_stun(request, &remote.pass.clone());
    }

    /// Handles a datagram of the server.
    pub fn handle_datagram(&mut self, datagram: &[u8]) {
        match Protocol::of(datagram) {
            Some(Protocol::Stun) => self.reply(datagram),
            // Its handshake starts with `handle_timeout`.
            _ if !self.is_started => {}
            _ => drop(self.dtls.handle_packet(datagram)),
        }
        self.run();
    }

    /// Starts and continues the DTLS handshake.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.is_started = true;
        let _ = self.dtls.handle_timeout(self.clock.to_std(now));
        self.run();
    }

    /// Returns the next datagram for the server.
    pub fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.datagrams.pop_front()
    }

    /// Returns whether the DTLS handshake is complete.
    pub const fn is_secured(&self) -> bool {
        self.is_secured
    }

    /// Returns whether the SCTP handshake is complete.
    pub fn is_associated(&self) -> bool {
        self.chunks.iter().any(|chunk| chunk.kind == ChunkKind::CookieAck as u8)
    }

    /// Starts the SCTP handshake.
    pub fn associate(&mut self) {
        self.tag = 0;
        self.send_chunks(&sctp::init(self.tsn));
    }

    /// Sends an SCTP packet with these chunks, and a valid header and checksum.
    pub fn send_chunks(&mut self, chunks: &[u8]) {
        self.send_raw(&sctp::packet(self.tag, chunks));
    }

    /// Sends a DATA chunk.
    pub fn send_data(&mut self, flags: u8, stream: u16, sequence: u16, payload: &[u8]) {
        let chunk = sctp::data(self.tsn, flags, (stream, sequence), payload);
        self.tsn = self.tsn.wrapping_add(1);
        self.send_chunks(&chunk);
    }

    /// Leaves out the numbers of `count` DATA chunks.
    pub fn skip_data(&mut self, count: u32) {
        self.tsn = self.tsn.wrapping_add(count);
    }

    /// Sends bytes over DTLS.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let _ = self.dtls.send_application_data(bytes);
        self.run();
    }

    fn reply(&mut self, datagram: &[u8]) {
        let Ok(request) = StunMessage::parse(datagram) else { return };
        if request.is_binding_request() {
            let reply = StunMessage::binding_reply(request.trans_id(), ([10, 0, 0, 1], 1).into());
            let pass = self.local.pass.clone();
            self.send_stun(reply, &pass);
        }
    }

    fn send_stun(&mut self, message: StunMessage<'_>, password: &str) {
        let mut buffer = [0; 256];
        let hmac = self.crypto.sha1_hmac_provider;
        let sign = |key: &[u8], parts: &[&[u8]]| hmac.sha1_hmac(key, parts);
        let len = message.to_bytes(Some(password.as_bytes()), &mut buffer, sign);
        self.datagrams.push_back(buffer[..len.expect("a short message")].to_vec());
    }

    /// Processes all outputs of DTLS.
    fn run(&mut self) {
        let mut buffer = vec![0; 4_096];
        let mut received = Vec::new();
        loop {
            match self.dtls.poll_output(&mut buffer) {
                DtlsOutput::Packet(packet) => self.datagrams.push_back(packet.to_vec()),
                DtlsOutput::Connected => self.is_secured = true,
                DtlsOutput::ApplicationData(data) => received.push(data.to_vec()),
                DtlsOutput::Timeout(_) => break,
                _ => {}
            }
        }
        for chunk in received.iter().flat_map(|packet| sctp::chunks(packet)) {
            if let Some((tag, cookie)) = chunk.cookie() {
                self.tag = tag;
                self.send_chunks(&sctp::chunk(ChunkKind::CookieEcho, 0, cookie));
            }
            self.chunks.push(chunk);
        }
    }
}
