//! Certificates and TLS settings of transports: the common part of TLS (WebSocket) and DTLS (ENet).
//!
//! | Godot | here |
//! |---|---|
//! | `X509Certificate` and `CryptoKey` of a server | [`Identity`] |
//! | `TLSOptions.server(key, certificate)` | [`CertificateStore`], which can reload its files |
//! | `TLSOptions.client(...)`, `TLSOptions.client_unsafe(...)` | [`ClientTlsOptions`] |
//! | `Crypto.generate_self_signed_certificate` | [`DevelopmentCertificate`] |
//! | none | [`CertificateRequest`], for an authority |
//! | none | [`SigningKeyPair`], for tokens |
//!
//! All cryptography is aws-lc through rustls' [`provider`], which is passed explicitly. The
//! process-wide default provider is neither set nor used.
//!
//! ```
//! use mp_tls::{CertificateStore, ClientTlsOptions, DevelopmentCertificate};
//!
//! let made = DevelopmentCertificate::new(&["localhost"])?;
//! let server = CertificateStore::new(made.identity()?).server_config()?;
//! let client = ClientTlsOptions::new().trusted_chain(made.certificate_pem())?.client_config()?;
//! # let _ = (server, client);
//! # Ok::<(), mp_tls::TlsError>(())
//! ```

mod certificate_request;
mod client;
mod development;
mod error;
mod expiry;
mod identity;
mod key_pair;
mod store;

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use certificate_request::CertificateRequest;
pub use client::ClientTlsOptions;
pub use development::DevelopmentCertificate;
pub use error::TlsError;
pub use identity::{Identity, KeyKind};
pub use key_pair::SigningKeyPair;
pub use rustls;
pub use store::CertificateStore;

/// Returns the cryptography provider of all crates of mp.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}
