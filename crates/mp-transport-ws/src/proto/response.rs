//! The opening handshake on a client: the request, and whether the answer will do.

use std::fmt::Write;

use httparse::{EMPTY_HEADER, Response, Status};
use tungstenite::handshake::derive_accept_key;

use super::http::{elements, values};
use super::url::Url;
use crate::limits::{HEAD_BYTES_MAX, HEADERS_MAX};

/// A request that has been sent.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    key: String,
    protocols: Vec<String>,
}

/// What is to be made of the bytes of a response so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Not all of it is there.
    Incomplete,
    /// The connection is open; the response has `len` bytes.
    Open { len: usize, protocol: Option<String> },
    /// This is no WebSocket server, or it does not want this client.
    Refused(String),
}

impl Asked {
    /// The lines that Godot sends, in its order. `random` makes the key.
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

    /// Judges the bytes received so far. Interim responses (1xx) before the final one are skipped;
    /// all together have [`HEAD_BYTES_MAX`] bytes at most.
    pub(crate) fn judge(&self, head: &[u8]) -> Reply {
        let mut skipped = 0;
        loop {
            match self.judge_one(&head[skipped..], HEAD_BYTES_MAX - skipped) {
                Ok(interim) => skipped += interim,
                Err(Reply::Open { len, protocol }) => {
                    return Reply::Open { len: skipped + len, protocol };
                }
                Err(reply) => return reply,
            }
        }
    }

    /// Judges one response of `max` bytes at most: its length when it is interim, else what it says.
    fn judge_one(&self, head: &[u8], max: usize) -> Result<usize, Reply> {
        let refused = |why: String| Err(Reply::Refused(why));
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut response = Response::new(&mut headers);
        let len = match response.parse(head) {
            Ok(Status::Complete(len)) if len <= max => len,
            Ok(Status::Partial) if head.len() <= max => return Err(Reply::Incomplete),
            Ok(_) => return refused(format!("more than {HEAD_BYTES_MAX} bytes of headers")),
            Err(error) => return refused(format!("no HTTP/1.1: {error}")),
        };
        let (code, headers) = (response.code.unwrap_or_default(), &*response.headers);
        let is = |name, value: &str| {
            let mut values = values(headers, name);
            values.next().is_some_and(|v| v.eq_ignore_ascii_case(value)) && values.next().is_none()
        };
        match code {
            101 => {}
            100..200 if len > 0 => return Ok(len),
            _ => return refused(format!("HTTP status {code}")),
        }
        let has =
            |name, token: &str| elements(headers, name).any(|e| e.eq_ignore_ascii_case(token));
        if !is("Upgrade", "websocket") || !has("Connection", "upgrade") {
            return refused("the answer upgrades to something else".to_owned());
        }
        if elements(headers, "Sec-WebSocket-Extensions").next().is_some() {
            return refused("the answer has an extension that was not offered".to_owned());
        }
        let accept = derive_accept_key(self.key.as_bytes());
        if values(headers, "Sec-WebSocket-Accept").next() != Some(accept.as_str()) {
            return refused("the answer is to another question".to_owned());
        }
        let protocol = elements(headers, "Sec-WebSocket-Protocol").next().map(str::to_owned);
        let fits = match &protocol {
            None => self.protocols.is_empty(),
            Some(protocol) => self.protocols.contains(protocol),
        };
        if !fits {
            return refused(format!("subprotocol {protocol:?}"));
        }
        Err(Reply::Open { len, protocol })
    }
}
