//! What the tests share.
#![allow(dead_code, reason = "each test uses some of it")]

use mp_tls::{ClientTlsOptions, DevelopmentCertificate};

pub(crate) fn made_certificate(name: &str) -> DevelopmentCertificate {
    DevelopmentCertificate::new(&[name]).unwrap()
}

pub(crate) fn trusting(made: &DevelopmentCertificate) -> ClientTlsOptions {
    ClientTlsOptions::new().trusted_chain(made.certificate_pem()).unwrap()
}
