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
    /// The server is not a WebSocket server or rejected the request.
    Rejected(ResponseError),
}

/// The reason why a response does not open a WebSocket.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResponseError {
    #[error("the response has more than {HEAD_BYTES_MAX} bytes of headers")]
    TooLong,
    #[error("the response is not HTTP/1.1")]
    NotHttp(#[source] httparse::Error),
    #[error("the response has HTTP status {0}")]
    Status(u16),
    #[error("the response does not upgrade to a WebSocket")]
    NoUpgrade,
    #[error("the response has an extension that was not offered")]
    UnofferedExtension,
    #[error("the response has a wrong Sec-WebSocket-Accept")]
    WrongAccept,
    #[error("the response selects the subprotocol {0:?}, which was not offered")]
    UnofferedProtocol(String),
    #[error("the response selects none of the offered subprotocols")]
    NoProtocol,
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
        let rejected = |error| Err(ResponseOutcome::Rejected(error));
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut response = Response::new(&mut headers);
        let len = match response.parse(head) {
            Ok(Status::Complete(len)) if len <= max => len,
            Ok(Status::Partial) if head.len() <= max => return Err(ResponseOutcome::Incomplete),
            Ok(_) => return rejected(ResponseError::TooLong),
            Err(error) => return rejected(ResponseError::NotHttp(error)),
        };
        let (code, headers) = (response.code.unwrap_or_default(), &*response.headers);
        let is = |name, value: &str| {
            let mut values = values(headers, name);
            values.next().is_some_and(|v| v.eq_ignore_ascii_case(value)) && values.next().is_none()
        };
        match code {
            101 => {}
            100..200 if len > 0 => return Ok(len),
            _ => return rejected(ResponseError::Status(code)),
        }
        let has =
            |name, token: &str| elements(headers, name).any(|e| e.eq_ignore_ascii_case(token));
        if !is("Upgrade", "websocket") || !has("Connection", "upgrade") {
            return rejected(ResponseError::NoUpgrade);
        }
        if elements(headers, "Sec-WebSocket-Extensions").next().is_some() {
            return rejected(ResponseError::UnofferedExtension);
        }
        let accept = derive_accept_key(self.key.as_bytes());
        if values(headers, "Sec-WebSocket-Accept").next() != Some(accept.as_str()) {
            return rejected(ResponseError::WrongAccept);
        }
        let protocol = elements(headers, "Sec-WebSocket-Protocol").next().map(str::to_owned);
        match protocol {
            None if !self.protocols.is_empty() => rejected(ResponseError::NoProtocol),
            Some(protocol) if !self.protocols.contains(&protocol) => {
                rejected(ResponseError::UnofferedProtocol(protocol))
            }
            protocol => Err(ResponseOutcome::Open { len, protocol }),
        }
    }
}
