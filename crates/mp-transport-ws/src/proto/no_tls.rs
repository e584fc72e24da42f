//! Stands for [`tls`](super::tls) in builds without the feature `tls`. The types have no values.

use std::convert::Infallible;

/// TLS settings of a server.
#[derive(Debug)]
pub(crate) enum TlsServer {}

impl TlsServer {
    pub(crate) fn accept(&self) -> Result<Tls, Infallible> {
        match *self {}
    }
}

/// TLS settings of a client.
#[derive(Debug)]
pub(crate) enum TlsClient {}

impl TlsClient {
    pub(crate) fn connect(self) -> Result<Tls, Infallible> {
        match self {}
    }
}

/// One side of a TLS connection.
#[derive(Debug)]
pub(crate) enum Tls {}

/// State of the receiving direction.
#[derive(Debug)]
#[expect(dead_code, reason = "only TLS constructs it")]
pub(crate) enum TlsInput {
    /// The remote peer may send more.
    Open,
    /// The remote peer has ended its stream.
    Closed,
}

impl Tls {
    pub(crate) fn receive(
        &mut self,
        _bytes: &[u8],
        _plain: &mut Vec<u8>,
        _wire: &mut Vec<u8>,
    ) -> Result<TlsInput, Infallible> {
        match *self {}
    }

    pub(crate) fn send(&mut self, _plain: &[u8], _wire: &mut Vec<u8>) {
        match *self {}
    }

    pub(crate) fn close(&mut self, _wire: &mut Vec<u8>) {
        match *self {}
    }
}
