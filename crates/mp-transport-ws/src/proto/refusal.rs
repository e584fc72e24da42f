//! Reasons for which a server refuses requests, and a peer refuses messages.

use tungstenite::protocol::frame::coding::CloseCode;

use super::http::closing_response;

mp_core::reasons! {
    /// The reason for which a server refused a request. Status and body of the response follow from
    /// it.
    pub enum RequestRefusal {
        /// The bytes are not an HTTP/1.1 request (400).
        NotHttp = "not_http" => "This is not an HTTP/1.1 request.",
        /// The headers exceed [`HEAD_BYTES_MAX`](crate::limits::HEAD_BYTES_MAX) or
        /// [`HEADERS_MAX`](crate::limits::HEADERS_MAX) (431).
        HeadTooLarge = "head_too_large" => "The headers are too long or too many.",
        /// The request was not complete within the handshake timeout (408).
        Timeout = "timeout" => "The handshake took too long.",
        /// The request is neither for a WebSocket nor for a known page (404).
        NotFound = "not_found" =>
            "Not found: this is a game server for WebSocket connections.",
        /// The listener accepts only text sessions, and the request is for another path (404).
        TextOnly = "text_only" => "Not found: only text sessions are accepted.",
        /// The request is not for a WebSocket, and its method is neither GET nor HEAD (405).
        MethodNotAllowed = "method_not_allowed" => "Only GET and HEAD.",
        /// Web pages of the request's origin may not connect (403). See
        /// [`ServerOptions::allowed_origins`](crate::ServerOptions::allowed_origins).
        ForbiddenOrigin = "forbidden_origin" => "Web pages of this origin may not connect.",
        /// The method of a request for a WebSocket is not GET (400).
        NotGet = "not_get" => "A WebSocket is opened with GET.",
        /// The target is neither a path nor a URL (400).
        InvalidTarget = "invalid_target" =>
            "The target of the request is neither a path nor a URL.",
        /// The header `Connection: Upgrade` is missing (400).
        NoConnectionUpgrade = "no_connection_upgrade" =>
            "The header \"Connection: Upgrade\" is missing.",
        /// The version of WebSocket is missing or not 13 (426).
        UnsupportedVersion = "unsupported_version" =>
            "Only version 13 of WebSocket is supported.",
        /// The header `Sec-WebSocket-Key` is missing (400).
        NoKey = "no_key" => "The header Sec-WebSocket-Key is missing.",
        /// The request offers no supported subprotocol (400).
        NoSubprotocol = "no_subprotocol" =>
            "No subprotocol is supported, but some are requested.",
        /// The server refuses new connections (503).
        Refusing = "refusing" => "The server accepts no new connections at the moment.",
        /// The [gate](crate::ServerOptions::gate) refuses the client's address (503). It counts the
        /// reasons.
        Gate = "gate" => "The server does not accept this connection.",
        /// The server has the maximum number of clients or text sessions (503).
        ServerFull = "server_full" => "The server is full.",
    }
}

impl RequestRefusal {
    /// Returns the status of the response: code and reason phrase.
    const fn status(self) -> &'static str {
        match self {
            Self::NotHttp
            | Self::NotGet
            | Self::InvalidTarget
            | Self::NoConnectionUpgrade
            | Self::NoKey
            | Self::NoSubprotocol => "400 Bad Request",
            Self::ForbiddenOrigin => "403 Forbidden",
            Self::NotFound | Self::TextOnly => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::Timeout => "408 Request Timeout",
            Self::UnsupportedVersion => "426 Upgrade Required",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
            Self::Refusing | Self::Gate | Self::ServerFull => "503 Service Unavailable",
        }
    }

    /// Returns the header that the response has in addition, as a line without its end.
    const fn header(self) -> Option<&'static str> {
        match self {
            Self::MethodNotAllowed => Some("Allow: GET, HEAD"),
            Self::UnsupportedVersion => Some("Sec-WebSocket-Version: 13"),
            _ => None,
        }
    }
}

/// A refused request, with the response to it.
#[derive(Debug)]
pub(crate) struct RefusedRequest {
    pub(crate) refusal: RequestRefusal,
    pub(crate) response: Vec<u8>,
}

impl RefusedRequest {
    /// Returns the response with `text` as its body, which has details of this request.
    pub(crate) fn with_text(refusal: RequestRefusal, text: &str) -> Self {
        Self::new(refusal, text, true)
    }

    /// Returns the response to a HEAD request: without its body.
    pub(crate) fn without_body(refusal: RequestRefusal) -> Self {
        Self::new(refusal, &refusal.to_string(), false)
    }

    fn new(refusal: RequestRefusal, text: &str, with_body: bool) -> Self {
        let header = refusal.header();
        let body = format!("{text}\n");
        let response = closing_response(refusal.status(), header.as_slice(), &body, with_body);
        Self { refusal, response }
    }
}

impl From<RequestRefusal> for RefusedRequest {
    fn from(refusal: RequestRefusal) -> Self {
        Self::with_text(refusal, &refusal.to_string())
    }
}

mp_core::reasons! {
    /// The reason for which a message or frame was refused. It closes the connection.
    pub enum MessageRefusal {
        /// The message is longer than the peer accepts (close code 1009).
        TooLong = "too_long" => "the message is too long",
        /// A text is not UTF-8 (close code 1007).
        NotUtf8 = "not_utf8" => "the text is not UTF-8",
        /// A binary message in a text session (close code 1003).
        NotText = "not_text" => "a text session accepts no binary messages",
        /// The frame violates RFC 6455 (close code 1002).
        InvalidFrame = "invalid_frame" => "the frame violates the WebSocket protocol",
        /// The first message of a server is not the client's peer id (close code 1000).
        NoPeerId = "no_peer_id" => "the first message is not a peer id",
    }
}

impl MessageRefusal {
    /// Returns the close code (RFC 6455, 7.4.1).
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::TooLong => CloseCode::Size,
            Self::NotUtf8 => CloseCode::Invalid,
            Self::NotText => CloseCode::Unsupported,
            Self::InvalidFrame => CloseCode::Protocol,
            Self::NoPeerId => CloseCode::Normal,
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use mp_core::testing::assert_labels_are_names;

    use super::*;

    #[test]
    fn labels_are_the_names_in_snake_case() {
        assert_labels_are_names::<RequestRefusal>();
        assert_labels_are_names::<MessageRefusal>();
    }
}
