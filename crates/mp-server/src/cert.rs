//! `mp-server cert`: creates a certificate for development.

use std::io;
use std::path::PathBuf;

use clap::Args;
use mp_core::ErrorChain;
use mp_tls::{DevelopmentCertificate, TlsError};

use crate::{Failure, output};

/// Create a certificate and a key for development, and print how to use them
///
/// The certificate is self-signed, so players trust the server only if their game contains a copy
/// of it. On the internet, use the certificate of an authority such as Let's Encrypt. The key is
/// ECDSA P-256, which TLS and ENet's DTLS support (Godot's generate_rsa creates keys that DTLS here
/// does not support).
#[derive(Args, Debug)]
pub(crate) struct CertArgs {
    /// Host names and IP addresses by which players reach the server
    #[arg(value_name = "NAME", default_values = ["localhost", "127.0.0.1", "::1"])]
    names: Vec<String>,

    /// File for the certificate (Godot loads certificates from files that end in .crt)
    #[arg(long, value_name = "FILE", default_value = "server.crt")]
    tls_cert: PathBuf,

    /// File for the private key, which stays on the server
    #[arg(long, value_name = "FILE", default_value = "server.key")]
    tls_key: PathBuf,
}

/// Creates the files and prints how to use them.
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
        r#"{certificate}: certificate for {names}
{key}: its private key; keep it secret

In Godot, with a copy of {file} in the project:

    var tls = TLSOptions.client(load("res://{file}"))"#,
        names = args.names.join(", "),
    )
}
