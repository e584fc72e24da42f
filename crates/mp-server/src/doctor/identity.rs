//! Checks of the authentication of players: keys and services can be reached.

use mp_identity::{HttpMethod, HttpRequest, HttpUrl, KeySet};

use crate::config::{Config, IdentityConfig, IdentityMethod};
use crate::http_client::HttpClient;
use crate::identity::Authentication;

use super::finding::Finding;

/// The method by which players authenticate, and the result of using what it needs.
#[derive(Clone, Debug)]
pub(super) enum IdentityFacts {
    Open,
    Secret,
    /// Keys in files or settings. The error is a message.
    LocalKeys {
        audience: String,
        read: Result<(), String>,
    },
    /// A JWK set. The error is a message.
    FetchedKeys {
        audience: String,
        url: String,
        fetched: Result<FetchedKeys, String>,
    },
    /// A service. The error is a message.
    CallOut {
        url: String,
        reached: Result<(), String>,
    },
}

/// Keys of a JWK set that was fetched.
#[derive(Clone, Copy, Debug)]
pub(super) struct FetchedKeys {
    usable: usize,
    ignored: usize,
}

impl IdentityFacts {
    /// Reads the keys, or sends a request to the URL of the settings.
    pub(super) async fn gather(config: &Config) -> Self {
        let config = &config.identity;
        let audience = config.audience.clone();
        match (config.method, config.jwks.as_deref().filter(|jwks| jwks.contains("://"))) {
            (IdentityMethod::Open, _) => Self::Open,
            (IdentityMethod::Secret, _) => Self::Secret,
            (IdentityMethod::Token, Some(url)) => {
                let fetched = fetch(config, url).await;
                Self::FetchedKeys { audience, url: url.to_owned(), fetched }
            }
            (IdentityMethod::Token, None) => {
                Self::LocalKeys { audience, read: Authentication::new(config).map(drop) }
            }
            (IdentityMethod::CallOut, _) => {
                let url = config.url.clone().unwrap_or_default();
                // Any response shows that the service runs; a real request needs a player's token.
                let reached = get(config, &url).await.map(drop);
                Self::CallOut { url, reached }
            }
        }
    }
}

async fn fetch(config: &IdentityConfig, url: &str) -> Result<FetchedKeys, String> {
    let (status, body) = get(config, url).await?;
    if status != 200 {
        return Err(format!("the status of the response is {status}"));
    }
    let keys = KeySet::from_jwks(&body).map_err(|error| error.to_string())?;
    Ok(FetchedKeys { usable: keys.len(), ignored: keys.ignored() })
}

/// Sends a request. Returns the status and the body.
async fn get(config: &IdentityConfig, url: &str) -> Result<(u16, Vec<u8>), String> {
    let url = HttpUrl::new(url).map_err(|error| error.to_string())?;
    let client = HttpClient::for_url(&url).map_err(|error| error.to_string())?;
    let mut request = HttpRequest::new(HttpMethod::Get, url);
    request.timeout = config.timeout;
    let response = client.send(request).await.map_err(|failure| failure.to_string())?;
    Ok((response.status, response.body))
}

/// Checks the authentication of players.
pub(super) fn check(facts: &IdentityFacts) -> Finding {
    let refused = "players with tokens are refused";
    match facts {
        IdentityFacts::Open => Finding::ok(IDENTITY, "everyone may play"),
        IdentityFacts::Secret => Finding::ok(IDENTITY, "players need the secret of the settings"),
        IdentityFacts::LocalKeys { audience, read: Ok(()) } => {
            Finding::ok(IDENTITY, format!("tokens need the audience {audience:?} and a known key"))
        }
        IdentityFacts::LocalKeys { read: Err(message), .. } => Finding::error(
            IDENTITY,
            message,
            "the server does not start",
            "correct the setting; for new keys: mp-server token --new-key",
        ),
        IdentityFacts::FetchedKeys { audience, url, fetched: Ok(keys) } => {
            let FetchedKeys { usable, ignored } = keys;
            let text = format!(
                "{url} has {usable} usable keys and {ignored} others; tokens need the audience {audience:?}"
            );
            match (usable, ignored) {
                (0, _) => Finding::error(
                    IDENTITY,
                    text,
                    refused,
                    "add a key of type OKP (Ed25519) or EC (P-256) at the identity provider",
                ),
                (_, 0) => Finding::ok(IDENTITY, text),
                _ => Finding::warning(
                    IDENTITY,
                    text,
                    "tokens that are signed with the other keys are refused",
                    format!("let the identity provider sign with EdDSA or ES256: curl {url}"),
                ),
            }
        }
        IdentityFacts::FetchedKeys { url, fetched: Err(message), .. } => Finding::error(
            IDENTITY,
            format!("cannot fetch the keys at {url}: {message}"),
            refused,
            format!("curl -v {url}"),
        ),
        IdentityFacts::CallOut { url, reached: Ok(()) } => {
            Finding::ok(IDENTITY, format!("the service at {url} responds"))
        }
        IdentityFacts::CallOut { url, reached: Err(message) } => Finding::error(
            IDENTITY,
            format!("the service at {url} does not respond: {message}"),
            "all players are refused",
            format!("curl -v {url}"),
        ),
    }
}

const IDENTITY: &str = "identity";

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn level(facts: &IdentityFacts) -> Level {
        check(facts).outcome().1
    }

    fn fetched(usable: usize, ignored: usize) -> IdentityFacts {
        let (audience, url) = ("mp-server".to_owned(), "https://id.example/jwks".to_owned());
        IdentityFacts::FetchedKeys { audience, url, fetched: Ok(FetchedKeys { usable, ignored }) }
    }

    #[test]
    fn usable_keys_are_needed_and_others_reported() {
        let levels = [fetched(1, 0), fetched(1, 1), fetched(0, 1)].map(|facts| level(&facts));
        assert_eq!(levels, [Level::Ok, Level::Warning, Level::Error]);
    }

    #[test]
    fn unreachable_keys_and_services_are_errors() {
        let config = |text: &str| Config::parse(text).unwrap();
        // The port is reserved, and no program listens on it.
        let jwks = config("[identity]\nmethod = \"token\"\njwks = \"http://127.0.0.1:1/jwks\"\n");
        let call = config("[identity]\nmethod = \"call-out\"\nurl = \"http://127.0.0.1:1/\"\n");
        let file = config("[identity]\nmethod = \"token\"\npublic_key = \"/missing.pub\"\n");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for config in [jwks, call, file] {
            let facts = runtime.block_on(IdentityFacts::gather(&config));
            assert_eq!(level(&facts), Level::Error, "{facts:?}");
        }
    }

    #[test]
    fn methods_without_services_are_ok() {
        let secret =
            "[identity]\nmethod = \"secret\"\nsecret = \"0123456789abcdef0123456789abcdef\"\n";
        let token = secret.replace("method = \"secret\"", "method = \"token\"");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for text in ["", secret, &token] {
            let config = Config::parse(text).unwrap();
            let facts = runtime.block_on(IdentityFacts::gather(&config));
            assert_eq!(level(&facts), Level::Ok, "{text}");
        }
    }
}
