//! Connections of commands to a game or server elsewhere.

use std::fs;
use std::path::Path;

use clap::ValueEnum;
use mp_bots::scenario::{BotTransport, ServerAddress};
use mp_core::ErrorChain;
use mp_tls::ClientTlsOptions;
use mp_transport_enet::proto::CompressionMode;

use crate::Failure;

/// A compression of ENet.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Compression {
    None,
    RangeCoder,
    Fastlz,
    Zlib,
    Zstd,
}

impl From<Compression> for CompressionMode {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::None => Self::None,
            Compression::RangeCoder => Self::RangeCoder,
            Compression::Fastlz => Self::FastLz,
            Compression::Zlib => Self::Zlib,
            Compression::Zstd => Self::Zstd,
        }
    }
}

/// Returns whether the scheme of an address stands for TLS or DTLS.
pub(crate) fn is_encrypted(server: &ServerAddress) -> bool {
    server.is_over_tls() || server.transport == BotTransport::EnetDtls
}

/// Returns how a server is verified: by the certificates in the file `ca` only, else not at all if
/// `accepts_any`, else by those of the system.
pub(crate) fn trust(ca: Option<&Path>, accepts_any: bool) -> Result<ClientTlsOptions, Failure> {
    let Some(file) = ca else {
        return Ok(match accepts_any {
            true => ClientTlsOptions::new_unsafe(),
            false => ClientTlsOptions::new(),
        });
    };
    let name = file.display();
    let pem = fs::read_to_string(file)
        .map_err(|error| Failure::Refused(format!("cannot read {name}: {error}")))?;
    ClientTlsOptions::new()
        .trusted_chain(&pem)
        .map_err(|error| Failure::Refused(format!("{name}: {}", ErrorChain::new(&error))))
}
