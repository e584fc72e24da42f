//! The limit of SCTP stream ids: a layer between DTLS and str0m's SCTP.
//!
//! sctp-proto creates a stream for each id that a DATA chunk names, and visits all streams of an
//! association at each such chunk. With 65,536 streams that takes about 45 MB, and CPU time that
//! grows with the square of the number of chunks. str0m has no setting for it.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::Instant;

use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion,
};
use str0m::crypto::{CryptoError, CryptoProvider};

use crate::limits::STREAMS_MAX;

thread_local! {
    /// True if a packet was dropped on this thread since the last [`take_refusal`].
    static HAS_REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// Returns `crypto` with the limit in its DTLS.
pub(crate) fn limited(crypto: CryptoProvider) -> CryptoProvider {
    static PROVIDER: OnceLock<LimitedProvider> = OnceLock::new();
    let dtls_provider = PROVIDER.get_or_init(|| LimitedProvider(crypto.dtls_provider));
    CryptoProvider { dtls_provider, ..crypto }
}

/// Returns whether a packet for a stream beyond the limit was dropped on this thread since the last
/// call. Call it after each use of an `Rtc`.
pub(crate) fn take_refusal() -> bool {
    HAS_REFUSED.take()
}

/// Creates DTLS connections with the limit.
#[derive(Debug)]
struct LimitedProvider(&'static dyn DtlsProvider);

impl DtlsProvider for LimitedProvider {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.0.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        dtls_version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let inner = self.0.new_dtls(cert, now, dtls_version, mtu)?;
        Ok(Box::new(LimitedDtls(inner)))
    }

    fn is_test(&self) -> bool {
        self.0.is_test()
    }
}

/// A DTLS connection that drops SCTP packets with DATA for a stream beyond the limit.
#[derive(Debug)]
struct LimitedDtls(Box<dyn DtlsInstance>);

impl DtlsInstance for LimitedDtls {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        match self.0.poll_output(buf) {
            DtlsOutput::ApplicationData(packet) if exceeds_limit(packet) => {
                HAS_REFUSED.set(true);
                // SCTP ignores a packet without a header.
                DtlsOutput::ApplicationData(&[])
            }
            output => output,
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}

/// Returns whether an SCTP packet (RFC 9260) has DATA for a stream beyond the limit. SCTP refuses
/// malformed packets as a whole.
fn exceeds_limit(packet: &[u8]) -> bool {
    let mut chunks = packet.get(HEADER_LEN..).unwrap_or_default();
    while let [kind, _flags, high, low, ..] = *chunks {
        let stream = chunks.get(8..10).and_then(|bytes| bytes.first_chunk());
        if kind == DATA && stream.is_some_and(|id| u16::from_be_bytes(*id) >= STREAMS_MAX) {
            return true;
        }
        let len = usize::from(u16::from_be_bytes([high, low])).max(CHUNK_HEADER_LEN);
        chunks = chunks.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

/// Length of the common header of a packet: ports, tag and checksum.
const HEADER_LEN: usize = 12;
/// Length of the header of a chunk: kind, flags and length.
const CHUNK_HEADER_LEN: usize = 4;
/// Kind of a DATA chunk. Number, stream and sequence follow its header.
const DATA: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    fn data(stream: u16) -> Vec<u8> {
        let [high, low] = stream.to_be_bytes();
        vec![DATA, 3, 0, 17, 0, 0, 0, 1, high, low, 0, 0, 0, 0, 0, 53, 7, 0, 0, 0]
    }

    fn packet(chunks: &[Vec<u8>]) -> Vec<u8> {
        [vec![0; HEADER_LEN], chunks.concat()].concat()
    }

    #[test]
    fn data_beyond_the_limit_is_found_in_every_chunk_of_a_packet() {
        let sack = vec![3, 0, 0, 16, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        let (within, beyond) = (data(STREAMS_MAX - 1), data(STREAMS_MAX));
        assert!(!exceeds_limit(&packet(&[sack.clone(), within.clone()])));
        assert!(exceeds_limit(&packet(std::slice::from_ref(&beyond))));
        assert!(exceeds_limit(&packet(&[sack, within, beyond])));
    }

    #[test]
    fn malformed_packets_are_left_to_sctp() {
        let whole = packet(&[data(1), data(2)]);
        for len in 0..whole.len() {
            assert!(!exceeds_limit(&whole[..len]), "{len}");
        }
        assert!(!exceeds_limit(&packet(&[vec![1, 0, 0, 0], vec![1, 0, 0xff, 0xff]])));
    }
}
