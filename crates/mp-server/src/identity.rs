//! The way in which players authenticate, of a configuration.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;

use mp_identity::{
    AuthMethod, Authenticator, CallOutSettings, HttpUrl, KeySet, KeySource, Token, TokenKey,
    TokenSettings,
};

use crate::config::{
    BindAddress, Config, IdentityConfig, IdentityMethod, ListenConfig, Secret, Transport,
};
use crate::http_client::HttpClient;

/// The machine that authenticates players, and the client for its HTTP requests.
#[derive(Debug)]
pub(crate) struct Authentication {
    pub(crate) authenticator: Authenticator,
    /// True if everyone may play.
    pub(crate) is_open: bool,
    /// `None` if the method needs no requests.
    pub(crate) http: Option<HttpClient>,
}

impl Authentication {
    /// Returns the method of a configuration, and reads its files. The error is a message.
    pub(crate) fn new(config: &IdentityConfig) -> Result<Self, String> {
        let authenticator = Authenticator::new(method(config)?);
        let authenticator = authenticator.with_failures_per_minute(config.failures_per_minute);
        let requested = match config.method {
            IdentityMethod::Token => config.jwks.as_deref().filter(|jwks| is_url(jwks)),
            IdentityMethod::CallOut => config.url.as_deref(),
            IdentityMethod::Open | IdentityMethod::Secret => None,
        };
        let http = requested.map(|text| {
            HttpClient::for_url(&url(text)?).map_err(|error| format!("{text}: {error}"))
        });
        let is_open = config.method == IdentityMethod::Open;
        Ok(Self { authenticator, is_open, http: http.transpose()? })
    }
}

fn method(config: &IdentityConfig) -> Result<AuthMethod, String> {
    let secret = config.secret.as_ref().map(Secret::reveal);
    let token = |text: &str| Token::new(text).map_err(|error| format!("identity.secret: {error}"));
    match config.method {
        IdentityMethod::Open => Ok(AuthMethod::Open),
        IdentityMethod::Secret => token(secret.unwrap_or_default()).map(AuthMethod::SharedSecret),
        IdentityMethod::Token => {
            let mut settings = TokenSettings::new(key_source(config)?)
                .audience(&config.audience)
                .leeway(config.leeway)
                .single_use(config.single_use)
                .fetch_timeout(config.timeout)
                .max_waiting(config.max_queued);
            if let Some(issuer) = &config.issuer {
                settings = settings.issuer(issuer);
            }
            Ok(AuthMethod::Tokens(settings))
        }
        IdentityMethod::CallOut => {
            let mut settings =
                CallOutSettings::new(url(config.url.as_deref().unwrap_or_default())?)
                    .timeout(config.timeout)
                    .max_concurrent(config.max_requests)
                    .max_queued(config.max_queued);
            if let Some(secret) = secret {
                settings = settings.authorization(token(secret)?);
            }
            Ok(AuthMethod::CallOut(settings))
        }
    }
}

fn is_url(jwks: &str) -> bool {
    jwks.contains("://")
}

fn url(text: &str) -> Result<HttpUrl, String> {
    HttpUrl::new(text).map_err(|error| format!("{text:?}: {error}"))
}

fn key_source(config: &IdentityConfig) -> Result<KeySource, String> {
    if let Some(secret) = &config.secret {
        let key = TokenKey::secret(secret.reveal().as_bytes());
        let key = key.map_err(|error| format!("identity.secret: {error}"))?;
        return Ok(KeySource::Keys(key.into()));
    }
    if let Some(file) = &config.public_key {
        let key = TokenKey::public_pem(&read(file)?);
        let key = key.map_err(|error| format!("{}: {error}", file.display()))?;
        return Ok(KeySource::Keys(key.into()));
    }
    let jwks = config.jwks.as_deref().unwrap_or_default();
    if is_url(jwks) {
        return url(jwks).map(KeySource::Url);
    }
    let keys = KeySet::from_jwks(&read(Path::new(jwks))?);
    let keys = keys.map_err(|error| format!("{jwks}: {error}"))?;
    if keys.is_empty() {
        return Err(format!("{jwks}: no key can be used; add one for EdDSA or ES256"));
    }
    if keys.ignored() > 0 {
        tracing::warn!(file = jwks, ignored = keys.ignored(), "keys of the JWK set are ignored");
    }
    Ok(KeySource::Keys(keys))
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

/// A setting by which others may pose as players.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Risk {
    /// Listener that it is about, if it is about one.
    address: Option<BindAddress>,
    message: &'static str,
}

impl Display for Risk {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{address}: {}", self.message),
            None => f.write_str(self.message),
        }
    }
}

/// Warns of an unsafe configuration.
pub(crate) fn warn_of_risks(config: &Config) {
    for Risk { address, message } in risks(config) {
        match address {
            Some(address) => tracing::warn!(%address, "{message}"),
            None => tracing::warn!("{message}"),
        }
    }
}

/// Returns the risks of a configuration: credentials that others can read, and keys without effect.
pub(crate) fn risks(config: &Config) -> Vec<Risk> {
    let IdentityConfig { method, secret, public_key, jwks, url, .. } = &config.identity;
    let of_server = |message| Risk { address: None, message };
    if *method == IdentityMethod::Open {
        let has_keys = secret.is_some() || public_key.is_some() || jwks.is_some() || url.is_some();
        return has_keys.then(|| of_server(KEYS_WITHOUT_USE)).into_iter().collect();
    }
    let is_readable = |it: &&ListenConfig| !it.tls && it.transport != Transport::WebRtc;
    let readable = config.listen.iter().filter(is_readable).map(|listener| Risk {
        address: Some(listener.address),
        message: match listener.transport {
            Transport::Enet => READABLE_ENET,
            _ => READABLE_WEBSOCKET,
        },
    });
    let is_public = |it: &BindAddress| !it.socket_addr().ip().is_loopback();
    let matchmaking = config.matchmaking.address.filter(is_public);
    let matchmaking =
        matchmaking.map(|it| Risk { address: Some(it), message: READABLE_MATCHMAKING });
    let is_plain = |url: &Option<String>| url.as_ref().is_some_and(|it| it.starts_with("http:"));
    let plain = (is_plain(url) || is_plain(jwks)).then(|| of_server(PLAIN_HTTP));
    readable.chain(matchmaking).chain(plain).collect()
}

const KEYS_WITHOUT_USE: &str =
    "[identity] has keys, but its method is open: everyone may play; set identity.method";
const READABLE_ENET: &str =
    "tokens of ENet players are readable on the network; set enet.dtls, or let tokens expire soon";
const READABLE_WEBSOCKET: &str = "tokens of WebSocket players are readable on the network unless a proxy in front encrypts; set [tls]";
const READABLE_MATCHMAKING: &str = "tokens of matchmaking requests are readable on the network unless a proxy in front encrypts; let match.address be one of loopback, behind the proxy";
const PLAIN_HTTP: &str = "[identity] uses http: anyone on the path can forge identities; use https";
