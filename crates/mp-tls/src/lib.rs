//! Certificates and TLS settings for transports: what WebSocket's TLS and ENet's DTLS have in common.
//!
//! | Godot | here |
//! |---|---|
//! | `X509Certificate` and `CryptoKey` of a server | [`Identity`] |
//! | `TLSOptions.server(key, certificate)` | [`CertificateStore`], which can load the files again while it serves |
//! | `TLSOptions.client(...)`, `TLSOptions.client_unsafe(...)` | [`ClientTlsOptions`] |
//! | `Crypto.generate_self_signed_certificate` | [`DevelopmentCertificate`] |
//!
//! Everything works with aws-lc through rustls' [`provider`], which is handed over explicitly: no process-wide default is
//! set or asked.
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

mod client;
mod development;
mod error;
mod identity;
mod store;

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use client::ClientTlsOptions;
pub use development::DevelopmentCertificate;
pub use error::TlsError;
pub use identity::{Identity, KeyKind};
pub use rustls;
pub use store::CertificateStore;

/// The cryptography that all of mp uses.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}
