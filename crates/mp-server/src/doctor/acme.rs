//! Checks of certificates from an authority: it can be reached, and the names resolve.

use mp_core::host::unix_now;

use crate::acme::{AuthorityClient, Storage};
use crate::config::Config;

use super::finding::Finding;

/// The authority, the names and the certificate of a server.
#[derive(Clone, Debug)]
pub(super) struct AcmeFacts {
    directory: String,
    /// Result of requesting the directory. The error is a message.
    reached: Result<(), String>,
    /// Names of the server, each with the result of its resolution.
    names: Vec<(String, Result<(), String>)>,
    /// True if there is a certificate that has not expired.
    has_certificate: bool,
}

impl AcmeFacts {
    /// Requests the directory, resolves the names and reads the certificate. Returns `None` without
    /// an authority.
    pub(super) async fn gather(config: &Config) -> Option<Self> {
        let config = config.acme.as_ref()?;
        let directory = config.directory_url().to_owned();
        let reached = match AuthorityClient::new(config) {
            Ok(client) => client.check_directory(&directory).await,
            Err(error) => Err(error),
        };
        let mut names = Vec::new();
        for name in &config.domains {
            let resolved = tokio::net::lookup_host((name.as_str(), 80)).await;
            names.push((name.clone(), resolved.map(drop).map_err(|error| error.to_string())));
        }
        let certificate = Storage::new(config).certificate().ok();
        let expiry = certificate.and_then(|certificate| certificate.not_after());
        let has_certificate = expiry.is_some_and(|expiry| expiry > unix_now());
        Some(Self { directory, reached, names, has_certificate })
    }
}

/// Checks the authority, the names and the certificate.
pub(super) fn check(facts: &AcmeFacts) -> Vec<Finding> {
    let mut findings = vec![check_directory(facts)];
    findings.extend(facts.names.iter().map(|(name, resolved)| check_name(name, resolved)));
    findings.push(check_certificate(facts.has_certificate));
    findings
}

fn check_directory(facts: &AcmeFacts) -> Finding {
    let url = &facts.directory;
    match &facts.reached {
        Ok(()) => Finding::ok(DIRECTORY, format!("the authority at {url} responds")),
        Err(error) => Finding::error(
            DIRECTORY,
            format!("the authority at {url} cannot be used: {error}"),
            "the certificate is not renewed",
            format!("see the reason: curl -v {url}"),
        ),
    }
}

fn check_name(name: &str, resolved: &Result<(), String>) -> Finding {
    match resolved {
        Ok(()) => Finding::ok(NAME, format!("{name} resolves")),
        Err(error) => Finding::error(
            NAME,
            format!("{name} does not resolve: {error}"),
            "the authority refuses a certificate for it",
            "add a record of type A or AAAA for the name where its domain is registered",
        ),
    }
}

fn check_certificate(has_certificate: bool) -> Finding {
    match has_certificate {
        true => Finding::ok(ISSUED, "the authority has issued a certificate"),
        false => Finding::warning(
            ISSUED,
            "there is no valid certificate of the authority yet",
            "the server uses a self-signed one, which players do not trust, until it has one",
            "start the server, and see the line \"no certificate\" or \"certificate issued\" of its log",
        ),
    }
}

const DIRECTORY: &str = "acme-directory";
const NAME: &str = "acme-name";
const ISSUED: &str = "acme-certificate";

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn outcomes(facts: &AcmeFacts) -> Vec<(&'static str, Level)> {
        check(facts).iter().map(Finding::outcome).collect()
    }

    #[test]
    fn authority_and_names_are_needed_and_the_certificate_may_come_later() {
        let names = vec![("a.example".to_owned(), Ok(())), ("b.example".to_owned(), Ok(()))];
        let directory = "https://ca.example/dir".to_owned();
        let mut facts = AcmeFacts { directory, reached: Ok(()), names, has_certificate: true };
        assert!(outcomes(&facts).iter().all(|(_, level)| *level == Level::Ok), "{facts:?}");
        facts.reached = Err("refused".to_owned());
        facts.names[1].1 = Err("no such name".to_owned());
        facts.has_certificate = false;
        let expected = [
            ("acme-directory", Level::Error),
            ("acme-name", Level::Ok),
            ("acme-name", Level::Error),
            ("acme-certificate", Level::Warning),
        ];
        assert_eq!(outcomes(&facts), expected);
    }
}
