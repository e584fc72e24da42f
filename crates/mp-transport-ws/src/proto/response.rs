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

    /// Judges the bytes of the response so far, as Godot does.
    pub(crate) fn judge(&self, head: &[u8]) -> Reply {
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut response = Response::new(&mut headers);
        let len = match response.parse(head) {
            Ok(Status::Complete(len)) if len <= HEAD_BYTES_MAX => len,
            Ok(Status::Partial) if head.len() <= HEAD_BYTES_MAX => return Reply::Incomplete,
            Ok(_) => return Reply::Refused(format!("more than {HEAD_BYTES_MAX} bytes of headers")),
            Err(error) => return Reply::Refused(format!("no HTTP/1.1: {error}")),
        };
        let (code, headers) = (response.code.unwrap_or_default(), &*response.headers);
        let is = |name, value: &str| {
            let mut values = values(headers, name);
            values.next().is_some_and(|v| v.eq_ignore_ascii_case(value)) && values.next().is_none()
        };
        if code != 101 {
            return Reply::Refused(format!("HTTP status {code}"));
        }
        if !is("Upgrade", "websocket") || !is("Connection", "upgrade") {
            return Reply::Refused("the answer upgrades to something else".to_owned());
        }
        let accept = derive_accept_key(self.key.as_bytes());
        if values(headers, "Sec-WebSocket-Accept").next() != Some(accept.as_str()) {
            return Reply::Refused("the answer is to another question".to_owned());
        }
        let protocol = elements(headers, "Sec-WebSocket-Protocol").next().map(str::to_owned);
        let fits = match &protocol {
            None => self.protocols.is_empty(),
            Some(protocol) => self.protocols.contains(protocol),
        };
        if !fits {
            return Reply::Refused(format!("subprotocol {protocol:?}"));
        }
        Reply::Open { len, protocol }
    }
}
