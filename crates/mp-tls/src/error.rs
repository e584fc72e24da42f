//! Errors of certificates, keys and settings.

use std::error::Error;
use std::io;
use std::path::PathBuf;

/// The reason of an error, of any type.
type BoxError = Box<dyn Error + Send + Sync>;

/// The error of a certificate, a key or a setting. Each message is one line that names the file if
/// there is one, and what to do. The reason is the source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}{}", file.display(), match source.kind() {
        io::ErrorKind::AlreadyExists => "; remove it or choose another name",
        _ => "",
    })]
    Write {
        /// The file.
        file: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The source has no certificate.
    #[error("{from} has no certificate; expected PEM text with \"-----BEGIN CERTIFICATE-----\"")]
    NoCertificate {
        /// File name or other source.
        from: String,
    },
    /// A certificate cannot be parsed.
    #[error("{from} is not a valid certificate")]
    Certificate {
        /// File name or other source.
        from: String,
        /// The reason.
        source: BoxError,
    },
    /// The source has no usable private key.
    #[error(
        "{from} has no usable private key; expected unencrypted PEM text with \"-----BEGIN PRIVATE KEY-----\" (or EC or RSA PRIVATE KEY)"
    )]
    NoKey {
        /// File name or other source.
        from: String,
        /// The reason.
        source: BoxError,
    },
    /// The key does not belong to the certificate.
    #[error(
        "the private key in {key} does not belong to the first certificate in {certificate}; use the certificate that was issued for the key, the server's own first"
    )]
    Mismatch {
        /// Source of the certificate.
        certificate: String,
        /// Source of the key.
        key: String,
    },
    /// The type of a key is not supported.
    #[error(
        "{from} has a key of type {kind}, which {user} does not support; create an ECDSA P-256 key with `mp-server cert` or `openssl ecparam -name prime256v1 -genkey`"
    )]
    KeyKind {
        /// Source of the key.
        from: String,
        /// Type of the key.
        kind: crate::KeyKind,
        /// The protocol that does not support it.
        user: &'static str,
    },
    /// A name is not a host name or IP address, so that no certificate can be issued for it.
    #[error("{name:?} is not a host name or IP address")]
    Name {
        /// The name.
        name: String,
    },
    /// The system has no trusted certificates.
    #[error(
        "the system has no trusted certificates; install ca-certificates, or pass a trusted chain"
    )]
    NoSystemRoots {
        /// The first error of reading them, if there was one.
        source: Option<rustls_native_certs::Error>,
    },
    /// The certificate of the remote peer is not trusted.
    #[error("the server's certificate is not trusted")]
    Untrusted(#[source] rustls::Error),
    /// The cryptography provider rejected the settings.
    #[error("cannot set up TLS")]
    Setup(#[source] BoxError),
}
