//! The URL of a server.

use std::fmt;
use std::str::FromStr;

use mp_core::MaskedUrl;

/// A WebSocket URL: `ws://host:port/path?query` or `wss://…`. The scheme defaults to `ws`, the port
/// to 80 for `ws` and 443 for `wss`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    secure: bool,
    host: String,
    port: u16,
    path: String,
}

/// An invalid WebSocket URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{}\" is not a WebSocket URL: {why}; use ws://host:port/path, or wss:// with TLS",
    MaskedUrl(url)
)]
pub struct UrlError {
    /// The URL.
    pub url: String,
    why: &'static str,
}

impl Url {
    /// Returns whether the scheme is `wss`.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the host's name or IP address, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns path and query, at least `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns host and port for the header `Host`, without the default port of the scheme.
    pub(crate) fn host_header(&self) -> String {
        let host = self.bracketed();
        if self.port == default_port(self.secure) { host } else { format!("{host}:{}", self.port) }
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        let wrong = |why| UrlError { url: url.to_owned(), why };
        let (scheme, rest) = url.split_once("://").unwrap_or(("ws", url));
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            _ => return Err(wrong("its scheme is neither ws nor wss")),
        };
        if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(wrong("it contains a space or a control character"));
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(wrong("it contains a user name"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(v6) => v6.split_once(']').ok_or_else(|| wrong("a bracket is not closed"))?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        if host.is_empty() {
            return Err(wrong("it has no host"));
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => default_port(secure),
            Some(port) => {
                port.parse().map_err(|_| wrong("its port is not a number up to 65535"))?
            }
            None => return Err(wrong("the closing bracket is not followed by a port or path")),
        };
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self { secure, host: host.to_owned(), port, path: format!("{slash}{path}") })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.host_header(), self.path)
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_parsed_as_in_godot() {
        for (url, secure, host, port, path, header) in [
            ("ws://localhost:7778", false, "localhost", 7778, "/", "localhost:7778"),
            ("localhost:7778/a?b=c", false, "localhost", 7778, "/a?b=c", "localhost:7778"),
            ("wss://game.example", true, "game.example", 443, "/", "game.example"),
            ("WSS://game.example:80?x", true, "game.example", 80, "/?x", "game.example:80"),
            ("ws://[::1]:5/p#f", false, "::1", 5, "/p", "[::1]:5"),
            ("ws://[::1]", false, "::1", 80, "/", "[::1]"),
        ] {
            let read: Url = url.parse().unwrap();
            let got = (read.is_secure(), read.host(), read.port(), read.path());
            assert_eq!(got, (secure, host, port, path), "{url}");
            assert_eq!(read.host_header(), header);
        }
    }

    #[test]
    fn error_of_an_invalid_url_shows_a_valid_form() {
        for url in [
            "http://localhost",
            "ws://",
            "ws://host:port",
            "ws://host:70000",
            "ws://[::1",
            "ws://[::1]x",
            "ws://a b",
            "ws://a\r\nb",
            "ws://me@host",
            "",
        ] {
            let why = url.parse::<Url>().unwrap_err().to_string();
            assert!(why.contains("ws://host:port/path"), "{why}");
        }
    }
}
