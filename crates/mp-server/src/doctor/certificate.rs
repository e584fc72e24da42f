//! Checks of the certificate: files, dates, key, chain and names.

use mp_core::host::unix_now;
use mp_core::{ErrorChain, UnixSeconds};
use mp_tls::rustls::pki_types::UnixTime;
use mp_tls::rustls::{CertificateError, Error};
use mp_tls::{ClientTlsOptions, Identity, TlsError};
use mp_transport_enet::dtls::check_certificate;

use crate::acme::Storage;
use crate::config::{Config, Transport};

use super::finding::Finding;

/// The certificate of a configuration.
#[derive(Debug)]
pub(super) struct CertificateFacts {
    /// First and last second of its validity in Unix time; `None` if a field cannot be read.
    not_before: Option<UnixSeconds>,
    not_after: Option<UnixSeconds>,
    now: UnixSeconds,
    /// Result for ENet's DTLS; `None` if ENet does not use it. The error is a message.
    dtls: Option<Result<(), String>>,
    trust: Trust,
    /// Names of the server, each true if the certificate is for it.
    names: Vec<(String, bool)>,
}

/// Trust of this machine in the authority of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trust {
    Trusted,
    UnknownIssuer,
    /// The machine has no authorities, or the check failed otherwise. The text is the reason.
    Unknown(String),
}

impl CertificateFacts {
    /// Reads the files of the certificate. The error is a message. Returns `None` without TLS, and
    /// before an authority has issued the first certificate.
    pub(super) fn gather(config: &Config, names: &[String]) -> Option<Result<Self, String>> {
        if let Some(acme) = &config.acme {
            let identity = Storage::new(acme).certificate().ok()?;
            let names: Vec<_> = acme.domains.iter().chain(names).cloned().collect();
            return Some(Ok(Self::of(&identity, config, &names)));
        }
        let files = config.tls.as_ref()?;
        let identity = Identity::from_files(&files.cert, &files.key);
        let identity = identity.map_err(|error| ErrorChain::new(&error).to_string());
        Some(identity.map(|identity| Self::of(&identity, config, names)))
    }

    fn of(identity: &Identity, config: &Config, names: &[String]) -> Self {
        let has_dtls = config.listen.iter().any(|it| it.tls && it.transport == Transport::Enet);
        let dtls = has_dtls.then(|| check_certificate(identity));
        // Within the validity, which another check is about.
        let at = identity.not_after().unwrap_or_else(unix_now);
        let verify = |name: &str| {
            let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at));
            ClientTlsOptions::new().verify(identity.chain(), name, at)
        };
        Self {
            not_before: identity.not_before(),
            not_after: identity.not_after(),
            now: unix_now(),
            dtls: dtls.map(|it| it.map_err(|error| ErrorChain::new(&error).to_string())),
            // The chain is verified before the name.
            trust: Trust::of(verify("localhost")),
            names: names.iter().map(|name| (name.clone(), identity.is_for(name))).collect(),
        }
    }
}

impl Trust {
    fn of(verified: Result<(), TlsError>) -> Self {
        use CertificateError::{NotValidForName, NotValidForNameContext, UnknownIssuer};
        match verified {
            Ok(())
            | Err(TlsError::Untrusted(Error::InvalidCertificate(
                NotValidForName | NotValidForNameContext { .. },
            ))) => Self::Trusted,
            Err(TlsError::Untrusted(Error::InvalidCertificate(UnknownIssuer))) => {
                Self::UnknownIssuer
            }
            Err(error) => Self::Unknown(ErrorChain::new(&error).to_string()),
        }
    }
}

/// Checks the certificate.
pub(super) fn check(facts: &Result<CertificateFacts, String>) -> Vec<Finding> {
    let facts = match facts {
        Ok(facts) => facts,
        Err(message) => {
            let why = "the server does not start";
            return vec![Finding::error(
                FILES,
                message,
                why,
                "correct tls.cert and tls.key; for development: mp-server cert",
            )];
        }
    };
    let mut findings = vec![check_dates(facts), check_trust(&facts.trust)];
    findings.extend(facts.dtls.as_ref().map(check_dtls));
    findings.extend(facts.names.iter().map(|(name, is_for)| check_name(name, *is_for)));
    findings
}

fn check_dates(facts: &CertificateFacts) -> Finding {
    let CertificateFacts { not_before, not_after, now, .. } = *facts;
    let renew = "renew it: certbot renew; the server loads changed files within seconds";
    let refused = "clients refuse the connection";
    let Some((from, to)) = not_before.zip(not_after) else {
        let text = "the dates of the certificate cannot be read";
        return Finding::warning(DATES, text, "clients may refuse it", renew);
    };
    if now < from {
        let text = format!("the certificate is valid in {} only", spelled(from - now));
        return Finding::error(DATES, text, refused, "check the clock: timedatectl");
    }
    if now > to {
        let text = format!("the certificate expired {} ago", spelled(now - to));
        return Finding::error(DATES, text, refused, renew);
    }
    let text = format!("the certificate expires in {}", spelled(to - now));
    match to - now {
        left if left < EXPIRES_SOON => Finding::warning(DATES, text, "its renewal is late", renew),
        _ => Finding::ok(DATES, text),
    }
}

fn check_trust(trust: &Trust) -> Finding {
    match trust {
        Trust::Trusted => Finding::ok(CHAIN, "an authority that this machine trusts has issued it"),
        Trust::UnknownIssuer => Finding::warning(
            CHAIN,
            "no authority that this machine trusts has issued the certificate: it is self-signed, or the file \
             lacks the intermediate certificates",
            "browsers refuse it, and games trust it only if they contain a copy of it",
            "set tls.cert to the file with the whole chain (fullchain.pem); or in the game: \
             TLSOptions.client(load(\"res://server.crt\"))",
        ),
        Trust::Unknown(reason) => Finding::warning(
            CHAIN,
            format!("the chain of the certificate cannot be checked: {reason}"),
            "clients may refuse it",
            "apt-get install ca-certificates; or see: openssl verify",
        ),
    }
}

fn check_dtls(usable: &Result<(), String>) -> Finding {
    match usable {
        Ok(()) => Finding::ok(DTLS, "the key and the certificate are usable for ENet's DTLS"),
        Err(message) => Finding::error(
            DTLS,
            message,
            "the server does not start with DTLS",
            "use an ECDSA certificate without a chain: mp-server cert NAME; or set enet.dtls = false",
        ),
    }
}

fn check_name(name: &str, is_for: bool) -> Finding {
    if is_for {
        return Finding::ok(NAMES, format!("the certificate is for {name}"));
    }
    Finding::error(
        NAMES,
        format!("the certificate is not for {name}"),
        "clients that connect to this name refuse the connection",
        format!("request a certificate for the name: certbot certonly -d {name}"),
    )
}

/// Returns a duration in days or hours.
fn spelled(seconds: u64) -> String {
    match seconds {
        0..172_800 => format!("{} hours", seconds.div_ceil(3_600)),
        _ => format!("{} days", seconds / 86_400),
    }
}

const FILES: &str = "certificate";
const DATES: &str = "cert-dates";
const CHAIN: &str = "cert-chain";
const DTLS: &str = "cert-dtls";
const NAMES: &str = "cert-name";
/// Seconds before the end of a certificate in which it should have been renewed.
const EXPIRES_SOON: u64 = 14 * 86_400;

#[cfg(test)]
mod tests {
    use mp_tls::DevelopmentCertificate;
    use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};

    use super::super::finding::Level;
    use super::*;

    fn dates(now: UnixSeconds, not_before: Option<u64>, not_after: Option<u64>) -> Level {
        let (dtls, trust, names) = (None, Trust::Trusted, Vec::new());
        let facts = CertificateFacts { not_before, not_after, now, dtls, trust, names };
        check_dates(&facts).outcome().1
    }

    #[test]
    fn dates_are_compared_with_the_clock() {
        let (from, to) = (Some(1_000), Some(1_000 + 90 * 86_400));
        let end = to.unwrap();
        assert_eq!(dates(999, from, to), Level::Error);
        assert_eq!(dates(1_000, from, to), Level::Ok);
        assert_eq!(dates(end - EXPIRES_SOON, from, to), Level::Ok);
        assert_eq!(dates(end - EXPIRES_SOON + 1, from, to), Level::Warning);
        assert_eq!(
            (dates(end, from, to), dates(end + 1, from, to)),
            (Level::Warning, Level::Error)
        );
        assert_eq!(dates(1_000, None, to), Level::Warning);
    }

    #[test]
    fn self_signed_certificates_are_a_warning() {
        let unknown = TlsError::Untrusted(CertificateError::UnknownIssuer.into());
        let name = TlsError::Untrusted(CertificateError::NotValidForName.into());
        let other = TlsError::NoSystemRoots { source: None };
        let level = |result| check_trust(&Trust::of(result)).outcome();
        assert_eq!(level(Ok(())), ("cert-chain", Level::Ok));
        assert_eq!(level(Err(name)), ("cert-chain", Level::Ok));
        assert_eq!(level(Err(unknown)), ("cert-chain", Level::Warning));
        assert_eq!(level(Err(other)), ("cert-chain", Level::Warning));
    }

    fn config(folder: &tempfile::TempDir, dtls: bool) -> Config {
        let [cert, key] = ["a.crt", "a.key"].map(|name| folder.path().join(name));
        let text = format!("enet.dtls = {dtls}\n[tls]\ncert = {cert:?}\nkey = {key:?}\n");
        Config::parse(&text).unwrap()
    }

    fn outcomes(config: &Config, names: &[&str]) -> Vec<(&'static str, Level)> {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let facts = CertificateFacts::gather(config, &names).unwrap();
        check(&facts).iter().map(Finding::outcome).collect()
    }

    #[test]
    fn certificate_for_development_is_usable_for_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let [cert, key] = ["a.crt", "a.key"].map(|name| folder.path().join(name));
        let made = DevelopmentCertificate::new(&["game.example", "127.0.0.1"]).unwrap();
        made.write(&cert, &key).unwrap();
        let found =
            outcomes(&config(&folder, true), &["game.example", "127.0.0.1", "other.example"]);
        let expected = [
            ("cert-dates", Level::Ok),
            ("cert-chain", Level::Warning),
            ("cert-dtls", Level::Ok),
            ("cert-name", Level::Ok),
            ("cert-name", Level::Ok),
            ("cert-name", Level::Error),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn rsa_keys_are_an_error_with_dtls_and_missing_files_always() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(outcomes(&config(&folder, false), &[]), [("certificate", Level::Error)]);
        let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&rsa).unwrap().pem();
        std::fs::write(folder.path().join("a.crt"), certificate).unwrap();
        std::fs::write(folder.path().join("a.key"), rsa.serialize_pem()).unwrap();
        assert!(outcomes(&config(&folder, true), &[]).contains(&("cert-dtls", Level::Error)));
        assert!(!outcomes(&config(&folder, false), &[]).iter().any(|it| it.0 == "cert-dtls"));
    }

    #[test]
    fn servers_without_a_certificate_are_not_checked() {
        assert!(CertificateFacts::gather(&Config::default(), &[]).is_none());
    }
}
