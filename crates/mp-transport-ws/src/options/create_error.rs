//! [`CreateError`]: the reason why a server or a client could not be created.

use std::io;

use mp_core::{MaskedUrl, OutOfRange};
#[cfg(feature = "tls")]
use mp_tls::TlsError;

use crate::io::BindError;
use crate::proto::url::{Url, UrlError};

/// The reason why a server or a client could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The address could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A handshake header is invalid.
    #[error("{0:?} is not an HTTP header; use \"Name: value\", one line each")]
    Header(String),
    /// An option is out of range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The name of a subprotocol is invalid.
    #[error("{0:?} is not the name of a subprotocol; use letters, digits, dots and hyphens")]
    Protocol(String),
    /// The operating system provides no random numbers.
    #[error("the operating system provides no random numbers; set a seed")]
    Randomness(#[source] io::Error),
    /// The thread that connects could not be started.
    #[error("cannot start the thread that connects")]
    Thread(#[source] io::Error),
    /// A certificate or a TLS setting is invalid.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The URL is invalid.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The scheme of the URL is `wss`, and the crate was built without its feature `tls`.
    #[error(
        "{} needs TLS; enable the feature `tls` of mp-transport-ws",
        MaskedUrl(&.0.to_string())
    )]
    WithoutTls(Url),
}
