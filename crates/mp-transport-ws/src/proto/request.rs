//! The server's part of the opening handshake: parses a request and creates the response.

use std::borrow::Cow;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use httparse::{EMPTY_HEADER, Header, Request, Status};
use mp_core::AddressPrefix;
use tungstenite::handshake::derive_accept_key;

use super::http::{elements, values};
use super::pages::page;
use super::refusal::{RefusedRequest, RequestRefusal};
use crate::limits::{HEAD_BYTES_MAX, HEADERS_MAX};
use crate::origins::AllowedOrigins;

/// Settings of a server's handshakes.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestRules {
    pub(crate) supported_protocols: Vec<String>,
    pub(crate) handshake_headers: Vec<String>,
    /// Number of trusted reverse proxies, which append to `X-Forwarded-For`.
    pub(crate) trusted_proxies: usize,
    /// Networks of these proxies; empty: any address.
    pub(crate) proxy_networks: Arc<[AddressPrefix]>,
    /// True if clients connect over TLS.
    pub(crate) secure: bool,
    /// Origins of web pages that may connect.
    pub(crate) allowed_origins: AllowedOrigins,
    /// Path of text sessions.
    pub(crate) text_path: Option<Box<str>>,
}

impl RequestRules {
    /// Returns whether connections from an address are those of a trusted proxy.
    pub(crate) fn is_proxy(&self, address: IpAddr) -> bool {
        let networks = &self.proxy_networks;
        let is_of_proxies =
            networks.is_empty() || networks.iter().any(|network| network.contains(address));
        self.trusted_proxies > 0 && is_of_proxies
    }

    /// Returns whether a request for `path`, without its query, opens a text session. A listener
    /// of text sessions accepts them on `/` as well.
    fn is_text_path(&self, path: &str, text_only: bool) -> bool {
        self.text_path.as_deref().is_some_and(|text| path == text || text_only && path == "/")
    }
}

/// The result of parsing the bytes of a request.
#[derive(Debug)]
pub(crate) enum RequestOutcome {
    /// The request is incomplete.
    Incomplete,
    /// A valid request for a WebSocket.
    Upgrade(Upgrade),
    /// A request for a page, with its response.
    Respond(Vec<u8>),
    /// A request that is refused.
    Refuse(RefusedRequest),
}

/// A request for a WebSocket.
#[derive(Debug)]
pub(crate) struct Upgrade {
    /// Size of the request in bytes; frames follow.
    pub(crate) len: usize,
    /// The response that opens the WebSocket.
    pub(crate) response: Vec<u8>,
    pub(crate) url: Arc<str>,
    pub(crate) protocol: Option<Arc<str>>,
    /// True if the request is for the path of text sessions.
    pub(crate) is_text: bool,
    /// Address of the client as a trusted proxy reports it. The port is 0 if the proxy reports
    /// none.
    pub(crate) forwarded_for: Option<SocketAddr>,
}

/// Parses the bytes of a request received so far. `text_only` is true for the listener of text
/// sessions.
pub(crate) fn parse(head: &[u8], rules: &RequestRules, text_only: bool) -> RequestOutcome {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    match request.parse(head) {
        Ok(Status::Complete(len)) if len <= HEAD_BYTES_MAX => {
            let method = request.method.unwrap_or_default();
            let target = request.path.unwrap_or_default();
            if is_forbidden(request.headers, &rules.allowed_origins) {
                return RequestOutcome::Refuse(RequestRefusal::ForbiddenOrigin.into());
            }
            if !is_upgrade(request.headers) {
                let path = Target::parse(target).path;
                return match page(method, path.split('?').next().unwrap_or_default()) {
                    Ok(response) => RequestOutcome::Respond(response),
                    Err(refused) => RequestOutcome::Refuse(refused),
                };
            }
            match parse_upgrade(method, target, request.headers, rules, text_only) {
                Ok(upgrade) => RequestOutcome::Upgrade(Upgrade { len, ..upgrade }),
                Err(refused) => RequestOutcome::Refuse(refused),
            }
        }
        Ok(Status::Partial) if head.len() <= HEAD_BYTES_MAX => RequestOutcome::Incomplete,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            let text = format!(
                "The headers are longer than {HEAD_BYTES_MAX} bytes, or there are too many."
            );
            RequestOutcome::Refuse(RefusedRequest::with_text(RequestRefusal::HeadTooLarge, &text))
        }
        Err(error) => {
            let text = format!("This is not an HTTP/1.1 request: {error}.");
            RequestOutcome::Refuse(RefusedRequest::with_text(RequestRefusal::NotHttp, &text))
        }
    }
}

fn parse_upgrade(
    method: &str,
    target: &str,
    headers: &[Header<'_>],
    rules: &RequestRules,
    text_only: bool,
) -> Result<Upgrade, RefusedRequest> {
    let Target { authority, path } = Target::parse(target);
    let has = |name, token: &str| elements(headers, name).any(|e| e.eq_ignore_ascii_case(token));
    let refuse = |refusal: RequestRefusal| Err(refusal.into());
    if method != "GET" {
        return refuse(RequestRefusal::NotGet);
    }
    if !path.starts_with('/') {
        return refuse(RequestRefusal::InvalidTarget);
    }
    if !has("Connection", "Upgrade") {
        return refuse(RequestRefusal::NoConnectionUpgrade);
    }
    if values(headers, "Sec-WebSocket-Version").next() != Some("13") {
        return refuse(RequestRefusal::UnsupportedVersion);
    }
    let Some(key) = values(headers, "Sec-WebSocket-Key").next().filter(|key| !key.is_empty())
    else {
        return refuse(RequestRefusal::NoKey);
    };
    let is_text = rules.is_text_path(path.split('?').next().unwrap_or_default(), text_only);
    if text_only && !is_text {
        return Err(match &rules.text_path {
            Some(path) => {
                let text =
                    format!("Not found: only text sessions on the path {path} are accepted.");
                RefusedRequest::with_text(RequestRefusal::TextOnly, &text)
            }
            None => RequestRefusal::TextOnly.into(),
        });
    }
    let supported = if is_text { &[][..] } else { rules.supported_protocols.as_slice() };
    let Ok(protocol) = choose_protocol(headers, supported) else {
        let refusal = RequestRefusal::NoSubprotocol;
        return Err(match supported {
            [] => refusal.into(),
            known => {
                let text = format!("A subprotocol is required, one of: {}.", known.join(", "));
                RefusedRequest::with_text(refusal, &text)
            }
        });
    };
    let scheme = if rules.secure { "wss" } else { "ws" };
    let host = authority.or_else(|| values(headers, "Host").next()).unwrap_or_default();
    Ok(Upgrade {
        len: 0,
        response: response(key, protocol.as_deref(), &rules.handshake_headers),
        url: format!("{scheme}://{host}{path}").into(),
        protocol,
        is_text,
        forwarded_for: forwarded_for(headers, rules.trusted_proxies),
    })
}

/// A request target (RFC 9112, 3.2).
struct Target<'t> {
    /// Host and port of a target in absolute form; they override the header `Host`.
    authority: Option<&'t str>,
    /// Path and query.
    path: Cow<'t, str>,
}

impl<'t> Target<'t> {
    fn parse(target: &'t str) -> Self {
        let origin_form = Self { authority: None, path: target.into() };
        let Some((scheme, rest)) = target.split_once("://") else { return origin_form };
        let is_known =
            ["http", "https", "ws", "wss"].iter().any(|s| scheme.eq_ignore_ascii_case(s));
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if !is_known || authority.is_empty() {
            return origin_form;
        }
        let path = if path.starts_with('/') { path.into() } else { format!("/{path}").into() };
        Self { authority: Some(authority), path }
    }
}

/// Returns the first subprotocol of the client that is supported. As in Godot, client and server
/// must have one in common unless neither has any.
fn choose_protocol(
    headers: &[Header<'_>],
    supported: &[String],
) -> Result<Option<Arc<str>>, NoProtocol> {
    let mut offered = elements(headers, "Sec-WebSocket-Protocol").peekable();
    match (offered.peek(), supported) {
        (None, []) => Ok(None),
        _ => match offered.find(|offer| supported.iter().any(|known| known == offer)) {
            Some(chosen) => Ok(Some(chosen.into())),
            None => Err(NoProtocol),
        },
    }
}

struct NoProtocol;

/// Returns the response that opens a WebSocket, with Godot's lines in Godot's order.
fn response(key: &str, protocol: Option<&str>, headers: &[String]) -> Vec<u8> {
    let accept = derive_accept_key(key.as_bytes());
    let mut text = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
    );
    if let Some(protocol) = protocol {
        let _ = write!(text, "Sec-WebSocket-Protocol: {protocol}\r\n");
    }
    for header in headers {
        let _ = write!(text, "{header}\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Returns the client's address from `X-Forwarded-For`. Each proxy appends the address of its
/// client, so that the last `proxies` entries are those of trusted proxies; a client can forge the
/// others.
fn forwarded_for(headers: &[Header<'_>], proxies: usize) -> Option<SocketAddr> {
    mp_core::forwarded_address(elements(headers, "X-Forwarded-For"), proxies)
}

/// Returns whether a request for a WebSocket is from a web page that may not connect. Browsers
/// always send the page's origin; other programs send none.
fn is_forbidden(headers: &[Header<'_>], allowed: &AllowedOrigins) -> bool {
    is_upgrade(headers) && !allowed.allow(values(headers, "Origin"))
}

/// Returns whether a request is for a WebSocket.
fn is_upgrade(headers: &[Header<'_>]) -> bool {
    elements(headers, "Upgrade").any(|element| element.eq_ignore_ascii_case("websocket"))
}
