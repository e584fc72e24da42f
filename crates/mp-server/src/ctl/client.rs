//! [`Client`]: sends requests to the admin API.

use std::net::ToSocketAddrs as _;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use http_body_util::{BodyExt as _, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use super::call::Call;
use crate::http::ProblemBody;

/// A client of one server.
pub(super) struct Client {
    runtime: Runtime,
    /// Host and port.
    server: String,
    token: Option<String>,
}

impl Client {
    /// Returns a client of `server`, which is HOST:PORT or a URL, with the token of the file or of
    /// the environment. The error is a message.
    pub(super) fn new(server: &str, token_file: Option<&Path>) -> Result<Self, String> {
        if server.starts_with("https://") {
            return Err("cannot use https://: the admin API has no TLS; reach it through SSH: ssh -L 7780:127.0.0.1:7780 HOST".to_owned());
        }
        let server = server.strip_prefix("http://").unwrap_or(server).trim_end_matches('/');
        let token = match token_file {
            Some(file) => {
                let text = std::fs::read_to_string(file);
                Some(text.map_err(|error| format!("cannot read {}: {error}", file.display()))?)
            }
            None => std::env::var("MP_ADMIN_TOKEN").ok(),
        };
        let token = token.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
        Ok(Self { runtime, server: server.to_owned(), token })
    }

    /// Sends a request. Returns the body of the response, or null if it has none. The error is a
    /// message.
    pub(super) fn send(&self, call: &Call) -> Result<Value, String> {
        let sent = async { tokio::time::timeout(TIMEOUT, self.exchange(call)).await };
        let server = &self.server;
        self.runtime
            .block_on(sent)
            .unwrap_or_else(|_| Err(format!("{server} does not respond within {TIMEOUT:?}")))
    }

    /// Returns the response with the entries of all pages of `list`.
    pub(super) fn all_pages(&self, call: &Call, list: &str) -> Result<Value, String> {
        let mut all = Vec::new();
        let mut after = json!(0);
        loop {
            let path = format!("{}?limit={PAGE}&after={after}", call.path);
            let mut page = self.send(&Call::new(call.method, path))?;
            if let Some(entries) = page[list].as_array_mut() {
                all.append(entries);
            }
            match page["next"].take() {
                Value::Null => return Ok(json!({ list: all })),
                next => after = next,
            }
        }
    }

    async fn exchange(&self, call: &Call) -> Result<Value, String> {
        let server = &self.server;
        let unreachable = |error: &dyn std::fmt::Display| {
            format!(
                "cannot reach {server}: {error}; is the server running, with admin.address at this address? Otherwise pass --server HOST:PORT"
            )
        };
        let addresses = server
            .to_socket_addrs()
            .map_err(|error| format!("{server:?} is not HOST:PORT, or is unknown: {error}"))?;
        let addresses: Vec<_> = addresses.collect();
        if self.token.is_some() && !addresses.iter().all(|it| it.ip().is_loopback()) {
            eprintln!("warning: the token is sent to {server} without encryption");
        }
        let stream = TcpStream::connect(&addresses[..]).await.map_err(|it| unreachable(&it))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
        tokio::spawn(connection);
        let request = self.request(call).map_err(|error| format!("invalid request: {error}"))?;
        let response = sender.send_request(request).await.map_err(|error| unreachable(&error))?;
        let (status, body) = (response.status(), Limited::new(response.into_body(), SIZE_MAX));
        let body = body.collect().await.map_err(|error| unreachable(&error))?.to_bytes();
        if status.is_success() {
            return match &body[..] {
                [] => Ok(Value::Null),
                body => serde_json::from_slice(body).map_err(|error| unreachable(&error)),
            };
        }
        Err(match serde_json::from_slice::<ProblemBody>(&body) {
            Ok(problem) => with_way_out(&problem),
            Err(_) => format!("{server} responds with {status}; is it the admin API?"),
        })
    }

    fn request(&self, call: &Call) -> Result<Request<Body>, hyper::http::Error> {
        let mut request = Request::builder().method(call.method).uri(&call.path);
        request = request.header(header::HOST, &self.server);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        match &call.body {
            Some(body) => {
                let request = request.header(header::CONTENT_TYPE, "application/json");
                request.body(Body::from(body.to_string()))
            }
            None => request.body(Body::empty()),
        }
    }
}

/// Returns the message of an error, with what to do about it.
fn with_way_out(problem: &ProblemBody) -> String {
    let out = match problem.code.as_str() {
        "missing_token" => "set MP_ADMIN_TOKEN, or pass --token-file FILE",
        "wrong_token" => "check MP_ADMIN_TOKEN, or the file of --token-file",
        _ => return format!("{} ({})", problem.detail, problem.code),
    };
    format!("{}: {out}", problem.code.replace('_', " "))
}

/// Returns a text with percent-encoding, for a part of a path or a query.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                escaped.push(byte.into());
            }
            _ => escaped += &format!("%{byte:02X}"),
        }
    }
    escaped
}

/// Maximum time of a request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum size of a response in bytes.
const SIZE_MAX: usize = 64 << 20;
/// Number of entries of a page.
const PAGE: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_change_the_path() {
        assert_eq!(escaped("a.b-c_9"), "a.b-c_9");
        assert_eq!(escaped("a/../b?c#d%"), "a%2F..%2Fb%3Fc%23d%25");
    }
}
