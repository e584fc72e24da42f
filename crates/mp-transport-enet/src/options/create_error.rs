//! [`CreateError`]: the reason why a server or a client could not be created.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mp_core::OutOfRange;

#[cfg(feature = "dtls")]
use crate::dtls::DtlsError;
use crate::io::BindError;

/// The reason why a server or a client could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The socket could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// DTLS cannot be set up with these options.
    #[cfg(feature = "dtls")]
    #[error(transparent)]
    Dtls(#[from] DtlsError),
    /// The local address cannot send to the server.
    #[error("cannot send to {server} from {ip}, an IPv4 address; use an IPv6 address or none")]
    Family {
        /// The local address.
        ip: IpAddr,
        /// The server.
        server: SocketAddr,
    },
    /// None of the server's addresses can be sent to.
    #[error("no address of the server can be reached from the client's socket; bind it to [::]")]
    NoServerAddress,
    /// An option is out of range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The thread of a lookup could not be started.
    #[error("cannot start the thread that looks up a name")]
    Thread(#[source] io::Error),
    /// The address of the socket is unknown.
    #[error("cannot read the address of the socket")]
    LocalAddress(#[source] io::Error),
    /// The operating system provides no random numbers.
    #[error("the operating system provides no random numbers; set a seed")]
    Randomness(#[source] io::Error),
}
