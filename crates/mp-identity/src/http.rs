//! HTTP requests that an [`Authenticator`](crate::Authenticator) asks its host to send.

use std::fmt;
use std::time::Duration;

use crate::credentials::Token;
use crate::limits::{RESPONSE_BYTES_MAX, URL_BYTES_MAX};

/// An HTTP request. `Debug` shows neither headers nor body, which contain secrets.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpRequest {
    /// The method.
    pub method: HttpMethod,
    /// The URL.
    pub url: HttpUrl,
    /// Headers in addition to those of HTTP itself: names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body. Empty for [`HttpMethod::Get`].
    pub body: Vec<u8>,
    /// Time after which the request is abandoned, including name resolution, connection and body.
    pub timeout: Duration,
    /// Maximum length of the body of the response in bytes.
    pub response_bytes_max: usize,
}

impl HttpRequest {
    /// Returns a request without headers and body, with a timeout of 2 s and a response of at most
    /// [`RESPONSE_BYTES_MAX`] bytes.
    pub fn new(method: HttpMethod, url: HttpUrl) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: Vec::new(),
            timeout: Duration::from_secs(2),
            response_bytes_max: RESPONSE_BYTES_MAX,
        }
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpMethod {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PATCH.
    Patch,
}

impl HttpMethod {
    /// Returns the name: `GET`, `POST` or `PATCH`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
        }
    }
}

/// The response to a request. Redirects are not followed: their status is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "clients construct it")]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// The body, of at most [`HttpRequest::response_bytes_max`] bytes.
    pub body: Vec<u8>,
}

mp_core::reasons! {
    /// The reason for which a request has failed. The client reports the first four; the
    /// authenticator counts all of them.
    pub enum HttpFailure {
        /// The server cannot be reached: name resolution, connection or TLS has failed.
        Unreachable = "unreachable" => "the server cannot be reached",
        /// The request was not answered in time.
        TimedOut = "timed_out" => "the request timed out",
        /// The body of the response is too long.
        TooLarge = "too_large" => "the response is too large",
        /// The response is no valid HTTP response.
        InvalidResponse = "invalid_response" => "the response is no HTTP response",
        /// The status of the response is none that the authenticator expects.
        UnexpectedStatus = "unexpected_status" => "the status of the response is unexpected",
        /// The body of the response cannot be read.
        MalformedBody = "malformed_body" => "the body of the response is malformed",
    }
}

/// A URL with the scheme `http` or `https`, as an operator configures it: at most [`URL_BYTES_MAX`]
/// ASCII bytes, with a host, without user name and fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl(String);

impl HttpUrl {
    /// Returns the URL `text`.
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`].
    pub fn new(text: &str) -> Result<Self, InvalidUrl> {
        let rest = ["https://", "http://"].iter().find_map(|it| text.strip_prefix(it));
        let authority = rest.and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
        let is_valid = !authority.is_empty()
            && !authority.starts_with(':')
            && !authority.contains('@')
            && text.bytes().all(|it| it.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&it))
            && text.len() <= URL_BYTES_MAX;
        if is_valid { Ok(Self(text.to_owned())) } else { Err(InvalidUrl) }
    }

    /// Returns the URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the scheme is `https`. Otherwise everyone on the path can read and change
    /// requests and responses.
    pub fn is_encrypted(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is no [`HttpUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid URL; use https://HOST/PATH or http://HOST/PATH without user name, spaces and fragment"
)]
#[non_exhaustive]
pub struct InvalidUrl;

/// Returns the header by which a request is authorized.
pub(crate) fn bearer(token: &Token) -> (&'static str, String) {
    ("authorization", format!("Bearer {}", token.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_a_host_and_no_secrets() {
        for (text, is_encrypted) in [
            ("https://auth.example.org", true),
            ("https://auth.example.org/keys?v=1", true),
            ("http://127.0.0.1:8080/login", false),
            ("http://[::1]:8080/", false),
        ] {
            let url = HttpUrl::new(text).unwrap();
            assert_eq!((url.as_str(), url.is_encrypted()), (text, is_encrypted));
        }
        let too_long = format!("https://a/{}", "x".repeat(URL_BYTES_MAX));
        for text in [
            "",
            "a.org",
            "ftp://a.org",
            "https://",
            "https:///a",
            "https://:80/",
            "https://u@a.org",
            "https://u:p@a.org/",
            "https://a.org/#b",
            "https://a.org/ b",
            "https://ä.org",
            "https://a\r\n",
            &too_long,
        ] {
            assert_eq!(HttpUrl::new(text), Err(InvalidUrl), "{text:?}");
        }
    }

    #[test]
    fn requests_do_not_show_secrets() {
        let request = HttpRequest {
            method: HttpMethod::Post,
            url: HttpUrl::new("https://a.org/b").unwrap(),
            headers: vec![bearer(&Token::new("sesame").unwrap())],
            body: b"sesame".to_vec(),
            timeout: Duration::from_secs(3),
            response_bytes_max: 9,
        };
        assert_eq!(request.headers, [("authorization", "Bearer sesame".to_owned())]);
        let text = format!("{request:?}");
        assert!(text.contains("https://a.org/b") && !text.contains("sesame"), "{text}");
        assert!(!text.contains(&format!("{:?}", request.body)), "{text}");
    }

    #[test]
    fn labels_are_names() {
        mp_core::testing::assert_labels_are_names::<HttpFailure>();
    }
}
