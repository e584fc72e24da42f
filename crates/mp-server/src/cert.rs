//! `mp-server cert`: a certificate for development.

use std::io;
use std::path::PathBuf;

use clap::Args;
use mp_core::ErrorChain;
use mp_tls::{DevelopmentCertificate, TlsError};

use crate::{Failure, output};

/// Make a certificate and a key for development, and say how to use them
///
/// The certificate is signed by nobody but itself, so that players trust the server only when their game holds a copy of it. On
/// the internet use one of an authority, such as Let's Encrypt. The key is ECDSA P-256, which TLS and ENet's DTLS can use
/// (Godot's own generate_rsa makes keys that DTLS here cannot).
#[derive(Args, Debug)]
pub(crate) struct CertArgs {
    /// Host names and IP addresses by which players reach the server
    #[arg(value_name = "NAME", default_values = ["localhost", "127.0.0.1", "::1"])]
    names: Vec<String>,

    /// Where to write the certificate (Godot loads certificates from files that end in .crt)
    #[arg(long, value_name = "FILE", default_value = "server.crt")]
    tls_cert: PathBuf,

    /// Where to write the private key, which stays on the server
    #[arg(long, value_name = "FILE", default_value = "server.key")]
    tls_key: PathBuf,
}

/// Writes the files and says what they are for.
pub(crate) fn make(args: &CertArgs) -> Result<(), Failure> {
    let refused = |error: &TlsError| Failure::Refused(ErrorChain::new(error).to_string());
    let made = DevelopmentCertificate::new(&args.names).map_err(|error| refused(&error))?;
    made.write(&args.tls_cert, &args.tls_key).map_err(|error| refused(&error))?;
    output::print(io::stdout(), text(args) + "\n").map_err(|error| {
        let (certificate, key) = (args.tls_cert.display(), args.tls_key.display());
        Failure::Unprinted(format!(
            "{certificate} and {key} are written, but standard output cannot be: {error}"
        ))
    })
}

fn text(args: &CertArgs) -> String {
    let (certificate, key) = (args.tls_cert.display(), args.tls_key.display());
    let file = args.tls_cert.file_name().unwrap_or_default().to_string_lossy();
    format!(
        r#"{certificate}: the certificate, for {names}
{key}: its private key; keep it to yourself

In Godot, with a copy of {file} in the project:

    var tls = TLSOptions.client(load("res://{file}"))"#,
        names = args.names.join(", "),
    )
}
