//! The client's part of the opening handshake: creates the request and checks the response.

use std::fmt::Write;

use httparse::{EMPTY_HEADER, Response, Status};
use tungstenite::handshake::derive_accept_key;

use super::http::{elements, values};
use super::url::Url;
use crate::limits::{HEAD_BYTES_MAX, HEADERS_MAX};

/// Parameters of a sent request, to check its response.
#[derive(Clone, Debug)]
pub(crate) struct SentRequest {
    key: String,
    protocols: Vec<String>,
}

/// The result of parsing the bytes of a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ResponseOutcome {
    /// The response is incomplete.
    Incomplete,
    /// The WebSocket is open. The response has `len` bytes.
    Open { len: usize, protocol: Option<String> },
    /// The server is not a WebSocket server or rejected the request, for this reason.
    Rejected(String),
}

impl SentRequest {
    /// Returns the request with Godot's lines in Godot's order, and its parameters. The key is made
    /// from `random`.
    pub(crate) fn new(
        url: &Url,
        random: [u8; 16],
        protocols: &[String],
        headers: &[String],
    ) -> (Self, Vec<u8>) {
        let key = data_encoding::BASE64.encode(&random);
        let (path, host) = (url.path(), url.host_header());
        let mut text = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        );
        if !protocols.is_empty() {
            let _ = write!(text, "Sec-WebSocket-Protocol: {}\r\n", protocols.join(","));
        }
        for header in headers {
            let _ = write!(text, "{header}\r\n");
        }
        text.push_str("\r\n");
        (Self { key, protocols: protocols.to_vec() }, text.into_bytes())
    }

    /// Parses the bytes received so far. Interim responses (1xx) before the final one are skipped;
    /// all responses together may have [`HEAD_BYTES_MAX`] bytes.
    pub(crate) fn parse(&self, head: &[u8]) -> ResponseOutcome {
        let mut skipped = 0;
        loop {
            match self.parse_one(&head[skipped..], HEAD_BYTES_MAX - skipped) {
                Ok(interim) => skipped += interim,
                Err(ResponseOutcome::Open { len, protocol }) => {
                    return ResponseOutcome::Open { len: skipped + len, protocol };
                }
                Err(reply) => return reply,
            }
        }
    }

    /// Parses one response of at most `max` bytes. Returns the length of an interim response, or
    /// the result of the final one as `Err`.
    fn parse_one(&self, head: &[u8], max: usize) -> Result<usize, ResponseOutcome> {
        let rejected = |why: String| Err(ResponseOutcome::Rejected(why));
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut response = Response::new(&mut headers);
        let len = match response.parse(head) {
            Ok(Status::Complete(len)) if len <= max => len,
            Ok(Status::Partial) if head.len() <= max => return Err(ResponseOutcome::Incomplete),
            Ok(_) => return rejected(format!("more than {HEAD_BYTES_MAX} bytes of headers")),
            Err(error) => return rejected(format!("not an HTTP/1.1 response: {error}")),
        };
        let (code, headers) = (response.code.unwrap_or_default(), &*response.headers);
        let is = |name, value: &str| {
            let mut values = values(headers, name);
            values.next().is_some_and(|v| v.eq_ignore_ascii_case(value)) && values.next().is_none()
        };
        match code {
            101 => {}
            100..200 if len > 0 => return Ok(len),
            _ => return rejected(format!("HTTP status {code}")),
        }
        let has =
            |name, token: &str| elements(headers, name).any(|e| e.eq_ignore_ascii_case(token));
        if !is("Upgrade", "websocket") || !has("Connection", "upgrade") {
            return rejected("the response does not upgrade to a WebSocket".to_owned());
        }
        if elements(headers, "Sec-WebSocket-Extensions").next().is_some() {
            return rejected("the response has an extension that was not offered".to_owned());
        }
        let accept = derive_accept_key(self.key.as_bytes());
        if values(headers, "Sec-WebSocket-Accept").next() != Some(accept.as_str()) {
            return rejected("the response has a wrong Sec-WebSocket-Accept".to_owned());
        }
        let protocol = elements(headers, "Sec-WebSocket-Protocol").next().map(str::to_owned);
        let fits = match &protocol {
            None => self.protocols.is_empty(),
            Some(protocol) => self.protocols.contains(protocol),
        };
        if !fits {
            return rejected(format!(
                "the response selects subprotocol {protocol:?}, which was not offered"
            ));
        }
        Err(ResponseOutcome::Open { len, protocol })
    }
}
