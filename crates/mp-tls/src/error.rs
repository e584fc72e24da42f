//! What can be wrong with certificates, and the way out.

use std::io;
use std::path::PathBuf;

/// Why a certificate, a key or a setting cannot be used. Each message is one line that names the file where there is one,
/// the reason and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {}", file.display(), match source.kind() {
        io::ErrorKind::AlreadyExists => "it exists; remove it or choose another name".to_owned(),
        _ => source.to_string(),
    })]
    Write {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no certificate in it.
    #[error("{from} holds no certificate; expected PEM text with \"-----BEGIN CERTIFICATE-----\"")]
    NoCertificate {
        /// A file's name, or what else it came from.
        from: String,
    },
    /// A certificate cannot be understood.
    #[error("{from} is no valid certificate: {why}")]
    Certificate {
        /// A file's name, or what else it came from.
        from: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no private key in it.
    #[error(
        "{from} holds no private key that can be used: {why}; expected unencrypted PEM text with \"-----BEGIN PRIVATE KEY-----\" (or EC or RSA PRIVATE KEY)"
    )]
    NoKey {
        /// A file's name, or what else it came from.
        from: String,
        /// What is wrong with it.
        why: String,
    },
    /// The key is not that of the certificate.
    #[error(
        "the private key in {key} does not belong to the first certificate in {certificate}; use the pair that was made together, the server's certificate first"
    )]
    Mismatch {
        /// Where the certificate came from.
        certificate: String,
        /// Where the key came from.
        key: String,
    },
    /// A kind of key that somebody cannot use.
    #[error(
        "{from} has an {kind} key, which {user} cannot use; make an ECDSA P-256 one, with `mp-server cert` or `openssl ecparam -name prime256v1 -genkey`"
    )]
    KeyKind {
        /// Where the key came from.
        from: String,
        /// What it is.
        kind: crate::KeyKind,
        /// Who cannot use it.
        user: &'static str,
    },
    /// A name that no certificate can have, or that no server can be verified by.
    #[error("{name:?} is no host name or IP address")]
    Name {
        /// The name.
        name: String,
    },
    /// The system has no certificates to trust.
    #[error(
        "the system has no certificates to trust ({why}); install ca-certificates, or give the certificate to trust"
    )]
    NoSystemRoots {
        /// What went wrong.
        why: String,
    },
    /// The other side's certificate is not to be trusted.
    #[error("the server's certificate is not trusted: {0}")]
    Untrusted(String),
    /// The cryptography refuses the settings.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}
